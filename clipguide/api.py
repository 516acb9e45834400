"""The public API: plan a picture, stream its steps, or just get it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from clipguide import images, runs
from clipguide.core import Exportable, Step
from clipguide.encoders import ClipEncoder
from clipguide.errors import UserError
from clipguide.plans import Plan, method, plan, plan_again
from clipguide.weights import Models

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "Models",
    "Picture",
    "Plan",
    "Progress",
    "follow",
    "generate",
    "load_encoder",
    "method",
    "plan",
    "plan_again",
    "stream",
]

SCORE_EVERY = 5  # steps; a score costs one view
STATE_EVERY = 10  # steps; a kill loses at most this many
PATIENCE_MEMORY = 0.8  # weight of the past in the smoothed score


def stream(*texts: str, method: str | None = None, models: Models | None = None, **settings: Any) -> Iterator[Step]:
    """Yields every `Step` of a picture; `for step in stream("a castle", steps=50): ...`.  None of them is upscaled.

    settings: any of the method's and of `options.Common`, by name.  UserError for bad ones, before any model loads.
    """
    planned = plan(texts, method, settings)
    return planned.steps(models or Models())


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture (or several, in a batch)."""

    step: Step
    recipe: dict[str, Any]

    @property
    def tensor(self) -> Tensor:
        """(B, 3, H, W), sRGB in [0, 1]."""
        return self.step.image

    @property
    def image(self) -> Image.Image:
        """The first picture, for PIL and notebooks."""
        return images.to_pil(self.tensor[0])

    def save(self, path: Path | str) -> Path:
        """Writes a PNG that knows how it was made; an existing file is kept and a number added.

        UserError for a name with another ending than .png.
        """
        if Path(path).suffix.lower() not in ("", ".png"):
            raise UserError(f"{path}: pictures are written as PNG; give a name that ends in .png")
        free = runs.unused(Path(path).with_suffix(".png"))
        images.write(free, images.png(self.tensor[0], self.recipe))
        return free


def generate(*texts: str, method: str | None = None, models: Models | None = None, **settings: Any) -> Picture:
    """Makes a picture: `generate("a castle", seed=1).image`.  Arguments and errors as `stream`."""
    planned = plan(texts, method, settings)
    step = None
    for step in planned.steps(models or Models()):  # noqa: B007
        pass
    return Picture(replace(step, image=planned.finished(step.image)), planned.recipe)


def load_encoder(name: str = "clip-mini", device: str = "auto") -> ClipEncoder:
    """A CLIP as an `core.Encoder`: a bundled name, a folder in open_clip's layout, or open_clip's MODEL/TAG."""
    return Models(device).encoder(name)


@dataclass(frozen=True, slots=True)
class Progress:
    """A step on its way into a run's folder."""

    step: Step
    score: float | None  # the newest one; see `scores.Scorer`
    seconds: float  # since the start, pauses left out


def follow(planned: Plan, models: Models, run: runs.Run, *, frame_every: int = 0) -> Iterator[Progress]:
    """Runs a plan into its folder: log, frames, previews, a state to resume from, at last the picture.

    Goes on from the run's saved state if it has one.  Leaving the loop early keeps the picture as it is, and the state.
    UserError when another process is at work there.
    """
    with run.held():
        yield from _followed(planned, models, run, frame_every)


def _followed(planned: Plan, models: Models, run: runs.Run, frame_every: int) -> Iterator[Progress]:
    state = run.load_state()
    log = run.log_before(state["step"] if state else 0)
    began = time.monotonic() - (log[-1]["seconds"] if log else 0)
    if state is not None:
        planned = _resumed(planned, state, time.monotonic() - began)
    patience = _Patience(planned.common.patience, log)
    for step, score in _scored(planned, models, log):
        if patience.exhausted(score, step.index):
            step.finish()
        progress = Progress(step, score, time.monotonic() - began)
        _record(planned, run, progress, frame_every)
        try:
            yield progress
        except GeneratorExit:
            if not step.last:
                run.save_state(step.state())
                _write_pictures(planned, run, step)
            raise


def _record(planned: Plan, run: runs.Run, progress: Progress, frame_every: int) -> None:
    step = progress.step
    if frame_every and (step.index % frame_every == 0 or step.last):
        run.keep_frame(step.index, images.png(step.image[0]))
    run.append(_entry(progress))
    if step.last:
        _write_pictures(planned, run, step)
        run.forget_state()
    elif step.index % STATE_EVERY == 0:
        run.save_state(step.state())
        run.write("preview.png", images.png(step.image[0]))


def _scored(planned: Plan, models: Models, log: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Step, float | None]]:
    """Every step with the newest score; None where the method has no judges."""
    scorer, score = planned.scorer(models), log[-1]["score"] if log else None
    for step in planned.steps(models):
        if scorer and (step.index % SCORE_EVERY == 0 or step.last):
            score = round(float(scorer(step.image).mean()), 4)  # as the log keeps it, for resumed runs
        yield step, score


def _resumed(planned: Plan, state: dict[str, Any], spent: float) -> Plan:
    seconds = planned.brief.seconds and max(1.0, planned.brief.seconds - spent)
    return replace(planned, brief=replace(planned.brief, resume=state, seconds=seconds))


def _entry(progress: Progress) -> dict[str, Any]:
    step = progress.step
    losses = {name: round(float(value), 5) for name, value in step.losses.items()}
    seconds = round(progress.seconds, 2)
    return {"step": step.index, "total": step.total, "seconds": seconds, "score": progress.score, "losses": losses}


def _write_pictures(planned: Plan, run: runs.Run, step: Step) -> None:
    result = planned.finished(step.image) if step.last else step.image  # who stops early does not want to wait
    for number, picture in enumerate(result, 1):
        name = "picture.png" if number == 1 else f"picture-{number}.png"
        run.write(name, images.png(picture, planned.recipe | {"number": number}))
    if isinstance(step.canvas, Exportable):
        for name, data in step.canvas.export().items():
            run.write(name, data)
    run.write("preview.png", images.png(step.image[0]))


class _Patience:
    """Tells when the smoothed score has not risen for `steps` steps; never with 0 steps, or without a score."""

    def __init__(self, steps: int, log: Sequence[Mapping[str, Any]]) -> None:
        self.steps, self.smooth, self.best, self.best_step = steps, None, float("-inf"), 0
        for entry in log:
            self.exhausted(entry["score"], entry["step"])

    def exhausted(self, score: float | None, step: int) -> bool:
        if score is None or not self.steps or step % SCORE_EVERY:
            return False
        past = score if self.smooth is None else self.smooth
        self.smooth = PATIENCE_MEMORY * past + (1 - PATIENCE_MEMORY) * score
        if self.smooth > self.best + 1e-4:
            self.best, self.best_step = self.smooth, step
        return step - self.best_step >= self.steps
