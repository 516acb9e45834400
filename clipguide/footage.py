"""Videos in a style: one network for all frames, with fixed statistics; where the film rests, the change rests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide import images, plans, video
from clipguide.errors import UserError
from clipguide.models.restyler import Restyler, redraw
from clipguide.options import Common, Settings, show, split, validate
from clipguide.styling import Photo, enlarged, find_mask, fitted
from clipguide.weights import Models

METHODS = ("clipstyler", "clipstyler-fast")
KEY_FRAMES = 8  # on which a network is trained, spread over the film
MEMORY = 0.8  # share of the change before that stays where nothing moves
STILL = 0.03  # difference of two frames' colours that counts as movement
UNUSED = ("batch", "patience", "upscale")  # of what a picture can be told
LARGEST = 1024  # px: larger frames are redrawn in tiles of this side

Report = Callable[[str, int, int], None]  # what is done ("training", "frame"), how far, of how much


def stylise(
    source: Path,
    texts: Sequence[str],
    out: Path,
    models: Models,
    method: str,
    values: Mapping[str, Any],
    report: Report,
) -> None:
    """Restyles every frame of `source` into `out`, written whole or not at all; sound is not kept.

    A network is trained on key frames of the film, or on `values["photos"]`, or the one that `values["restyler"]`
    names is used.  UserError for a method that trains none, for a mask in words (it would jump from frame to frame),
    for settings that a film has no use for, and for files that cannot be read or written; all this before the training.
    """
    if method not in METHODS:
        raise UserError(f"{method} paints one picture, not a film; for a video use --method {METHODS[0]}")
    if values.get("mask_text") is not None:
        raise UserError("--mask-text would jump from frame to frame of a video; give a --mask that holds for all")
    refuse(validate(Common, split(values, [Common, plans.method("clipstyler-fast").Settings])[0]), UNUSED)
    video.check(out)
    with tempfile.TemporaryDirectory(prefix="clipguide-") as folder:
        trained = values.get("restyler") is not None or values.get("photos") is not None
        own = {} if trained else {"photos": Path(folder)}
        planned = plans.plan(texts, "clipstyler-fast", {**values, **own})
        mask = find_mask(_first_frame(source).to(models.device), planned.settings, models)
        brief = replace(planned.brief, init=Path(folder) / "0.png")
        steps = replace(planned, brief=brief).steps(models)  # nothing is done yet; a lacking network is told
        total, keys = _key_frames(source)
        for number, frame in enumerate(keys):
            images.write(Path(folder) / f"{number}.png", images.png(frame))
        for step in steps:
            report("training", step.index, step.total)
    restyler = getattr(step.canvas, "canvas", step.canvas).restyler
    restyler.remember(torch.cat([fitted(frame, planned.common.size) for frame in keys]).to(models.device))
    settings = planned.settings
    film = Photo(keys[0], keys[0], mask, settings.keep, settings.strength, settings.detail)
    frames = _steady(_restyled(source, restyler.eval(), film, models.device, planned.common.size))
    video.write(out, _counted(frames, total, report), fps=max(1, round(video.rate(source))))


def refuse(settings: Settings, unused: Sequence[str]) -> None:
    """UserError where one of these settings is not at its default."""
    for name in unused:
        given = getattr(settings, name)
        if given != type(settings).model_fields[name].default:
            raise UserError(f"--{name.replace('_', '-')} {show(given)} does nothing for a video; leave it out")


def _first_frame(source: Path) -> Tensor:
    with closing(video.read(source)) as frames:
        for frame in frames:
            return frame
    raise UserError(f"{source} has no frames; give a video that plays")


def _key_frames(source: Path) -> tuple[int, list[Tensor]]:
    """How many frames there are, and some of them, evenly spread."""
    total = sum(1 for _ in video.read(source))
    wanted = {round(i * (total - 1) / (KEY_FRAMES - 1)) for i in range(KEY_FRAMES)}
    return total, [frame for number, frame in enumerate(video.read(source)) if number in wanted]


@torch.no_grad()
def _restyled(
    source: Path, restyler: Restyler, film: Photo, device: torch.device, box: tuple[int, int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every frame, and what the style changes in it, worked out in the box and enlarged."""
    for frame in video.read(source):
        frame = frame.to(device)
        small = fitted(frame, box)
        styled = redraw(restyler, small, LARGEST).clamp(0, 1)
        large = enlarged(styled, frame) + film.detail * (frame - enlarged(small, frame))
        yield frame, film.changed(frame, large) - frame


@torch.no_grad()
def _steady(frames: Iterator[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    """Holds on to the change before, the more the less a place has moved."""
    before = None
    for frame, change in frames:
        if before is not None:
            moved = (frame - before[0]).abs().mean(1, keepdim=True)
            around = F.avg_pool2d(moved, 5, 1, 2, count_include_pad=False)
            still = torch.exp(-(around / STILL).square())  # (1, 1, H, W)
            change = change + MEMORY * still * (before[1] - change)
        before = frame, change
        yield (frame + change).clamp(0, 1)


def _counted(frames: Iterator[Tensor], total: int, report: Report) -> Iterator[Tensor]:
    for number, frame in enumerate(frames, 1):
        report("frame", number, total)
        yield frame
