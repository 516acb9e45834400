"""The loop and its nouns: what is optimised (Canvas), who judges (Encoder), through which window (Cutouts),
what is wanted (Term over a Scene), and what happens (Step).

Images are (B, 3, H, W), sRGB in [0, 1], everywhere.  Everything is minimised.  Weights multiply in `Term` alone.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from clipguide.scene import Crop, Cutouts, Frame, NothingLeft, Scene, Term, Tick

__all__ = [
    "Canvas", "Crop", "Cutouts", "Encoder", "Exportable", "Frame", "Loadable", "Scene", "Step", "Term", "Tick",
    "optimise",
]  # fmt: skip


ADAM = partial(torch.optim.Adam, fused=True)  # one pass over the parameters instead of a dozen


class Canvas(Protocol):
    """What is optimised: an `nn.Module` whose parameters draw a picture."""

    def param_groups(self) -> list[dict[str, Any]]:
        """One group {"params": [...], "lr": float} for each learning rate."""
        ...

    def render(self, tick: Tick) -> Frame:
        """Draws the picture from the parameters."""
        ...

    def project(self) -> None:
        """Puts the parameters back into their legal set; the loop calls it after each update, under no_grad."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any: ...


@runtime_checkable
class Loadable(Protocol):
    """A canvas that can start from an image."""

    def load(self, image: Tensor) -> None:
        """image: (1 or B, 3, H, W) of the canvas's own size, sRGB in [0, 1]."""
        ...


@runtime_checkable
class Exportable(Protocol):
    """A canvas with more to give than its picture."""

    def export(self) -> dict[str, bytes]:
        """File name -> content, for example {"drawing.svg": ...}."""
        ...


class Encoder(Protocol):
    """Who judges: a CLIP.  Normalisation with the network's own statistics happens inside."""

    size: int

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """-> (N, D), unit norm."""
        ...

    def encode_image(self, views: Tensor) -> Tensor:
        """views: (N, 3, size, size), sRGB in [0, 1] -> (N, D), unit norm."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """What the loop yields.  The last one is a preview, and is the result."""

    index: int
    total: int
    image: Tensor  # (B, 3, H, W) in [0, 1], a copy
    losses: Mapping[str, Tensor]  # each term's () value before its weight
    canvas: Canvas
    state: Callable[[], dict[str, Any]]  # a copy of all that resumes the run here; to be asked before the next step
    finish: Callable[[], None]  # asks the loop to end: the next step is the last

    @property
    def last(self) -> bool:
        return self.index >= self.total


class Clock:
    """How many steps there are: a number, or as many as fit into `seconds`."""

    def __init__(self, steps: int, seconds: float | None, first: int) -> None:
        self.steps, self.seconds, self.first = steps, seconds, first
        self.began = self.warm = time.monotonic()
        self.asked_to_stop = False

    def finish(self) -> None:
        self.asked_to_stop = True

    def total(self, step: int) -> int:
        if self.asked_to_stop:
            return step
        if self.seconds is None or self.steps == 0:
            return self.steps
        now = time.monotonic()
        left, done = self.seconds - (now - self.began), step - self.first
        if left <= 0:
            return step
        if done <= 1:  # the first step warms caches up: it says nothing about the others
            self.warm = now
            return max(step + 1, self.steps)
        pace = max((now - self.warm) / (done - 1), 1e-6)
        return step + max(0, int(left / pace) - 1)  # one more is left for the result


def optimise(
    canvas: Canvas,
    terms: Sequence[Term],
    *,
    steps: int,
    seconds: float | None = None,
    seed: int = 0,
    chunks: int = 1,
    lr_scale: Callable[[float], float] = lambda progress: 1.0,
    optimiser: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] = ADAM,
    resume: Mapping[str, Any] | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> Iterator[Step]:
    """Follows the gradient of the terms through the canvas.

    Yields steps + 1 times: frame i with its losses, then the update; the last Step is a preview and is the result.  So
    step 0 is the start, steps = 0 is legal, and breaking off keeps what there is.
    seconds: takes as many steps as fit instead of `steps` (unless that is 0); such a run depends on the machine.
    chunks: shares the views are judged in, which sets the memory.  lr_scale: progress -> factor on all learning rates.
    resume: a `Step.state()`: the run goes on at that step, to the identical picture.
    span: from where to where `Tick.progress` runs, where this is one stage of a longer run.
    """
    optimiser_ = optimiser(canvas.param_groups())
    rates = [group["lr"] for group in optimiser_.param_groups]
    rng = torch.Generator().manual_seed(seed)
    step = 0 if resume is None else _take_up(resume, canvas, optimiser_, rng)
    clock = Clock(steps, seconds, step)
    while True:
        total = clock.total(step)
        state = partial(_state, canvas, optimiser_, rng.get_state(), step)
        tick = Tick(step, total, rng, preview=step >= total, span=span)
        frame, losses, gradients = _look(canvas, terms, tick, chunks)
        yield Step(step, total, frame.image.detach().clone(), losses, canvas, state, clock.finish)
        if tick.preview:
            return
        _set_rates(optimiser_, [rate * lr_scale(tick.progress) for rate in rates])
        _update(canvas, optimiser_, frame, gradients)
        step += 1


def _state(canvas: Canvas, optimiser: torch.optim.Optimizer, dice: Tensor, step: int) -> dict[str, Any]:
    inner = {"canvas": canvas.state_dict(), "optimiser": optimiser.state_dict()}
    return copy.deepcopy({"step": step, "rng": dice, **inner})


def _take_up(state: Mapping[str, Any], canvas: Canvas, optimiser: torch.optim.Optimizer, rng: torch.Generator) -> int:
    """Puts a `Step.state()` back, and leaves it as it is -> its step."""
    rng.set_state(state["rng"])
    canvas.load_state_dict(state["canvas"])
    optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))  # torch would go on to write into the state's own
    return state["step"]


def _look(
    canvas: Canvas, terms: Sequence[Term], tick: Tick, chunks: int
) -> tuple[Frame, dict[str, Tensor], dict[str, Tensor]]:
    """What the canvas shows, what each term says of it, and the gradients that are to go back through it."""
    with torch.set_grad_enabled(not tick.preview):
        frame = canvas.render(tick)
        return frame, *_judge(frame, terms, tick, chunks)


def _judge(
    frame: Frame, terms: Sequence[Term], tick: Tick, chunks: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The value of every term, and the gradient of their weighted sum in every tensor of the frame."""
    leaves = {name: t.detach().requires_grad_(t.requires_grad) for name, t in frame.tensors().items()}
    losses: dict[str, Tensor] = {}
    crops: dict[Hashable, Crop] = {}
    waiting = _labelled(terms)  # a term that takes no view is whole after the first share
    for chunk in range(chunks if terms else 0):
        scene = Scene(leaves, tick, crops, chunk, chunks)
        sum_, waiting = _sum_of_terms(scene, waiting, losses)
        if sum_.requires_grad:
            sum_.backward()
        if not waiting:
            break
    return losses, {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def _labelled(terms: Sequence[Term]) -> dict[str, Term]:
    """The terms by name; of equal names the second becomes "name (2)"."""
    seen: Counter[str] = Counter()
    labelled = {}
    for term in terms:
        seen[term.name] += 1
        labelled[term.name if seen[term.name] == 1 else f"{term.name} ({seen[term.name]})"] = term
    return labelled


def _sum_of_terms(scene: Scene, terms: Mapping[str, Term], losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Term]]:
    """The weighted sum over one share of the views, and the terms that have more shares to see."""
    sum_, again = torch.zeros(()), {}
    for name, term in terms.items():
        if (weight := term.weight_at(scene.tick.progress)) == 0:
            continue
        scene.share = None
        try:
            value = term.loss(scene)
        except NothingLeft:
            continue
        if scene.share is not None:
            value = value * scene.share
            again[name] = term
        losses[name] = losses.get(name, 0) + value.detach()
        sum_ = sum_.to(value) + weight * value
    return sum_, again


def _set_rates(optimiser: torch.optim.Optimizer, rates: Sequence[float]) -> None:
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate


def _update(canvas: Canvas, optimiser: torch.optim.Optimizer, frame: Frame, gradients: Mapping[str, Tensor]) -> None:
    optimiser.zero_grad()
    if not gradients:
        return
    tensors = frame.tensors()
    torch.autograd.backward([tensors[name] for name in gradients], list(gradients.values()))
    optimiser.step()
    with torch.no_grad():
        canvas.project()
