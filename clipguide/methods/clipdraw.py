"""CLIPDraw: Bezier strokes under CLIP's gradient (Frans, Soros and Witkowski 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from clipguide import images, schedules
from clipguide.brief import Brief
from clipguide.canvases import starts, svg
from clipguide.canvases.drawing import Drawing, canvas
from clipguide.canvases.looks import LOOKS
from clipguide.core import Cutouts, Step, Term
from clipguide.cutouts import crops, on
from clipguide.encoders import Judge
from clipguide.errors import UserError
from clipguide.loop import run_leg
from clipguide.losses.gist import gist
from clipguide.losses.guidance import guidance
from clipguide.losses.likeness import occlusion
from clipguide.losses.negative_space import negative_space
from clipguide.ops.strokes import Paths
from clipguide.stages import Leg
from clipguide.underpainting import Underpainted, picture_of, underpainted
from clipguide.weights import Models

BROAD = 3.0  # strokes on an underpainting are so many times as wide as on bare paper: they are to cover it
GROUND = 0.4  # of the strokes that start from a photo are dealt out evenly, the others along its salient contours


class Settings(Underpainted, Drawing):
    steps: int = Field(120, ge=0, le=100_000, description="updates of the drawing, those of the underpainting included")
    cutouts: int = Field(8, ge=1, le=1024, description="views of the drawing that CLIP judges in a step")
    filled: float | None = Field(
        None, ge=0, le=1, description="share of the shapes that are areas; else 0.25 in paint and watercolour, or 0"
    )
    wide: float = Field(0.5, ge=0, le=1, description="share of the views that show all of the drawing; the others zoom")
    underpainting_weight: float = Field(20.0, ge=0, le=1000, description="weight of that picture, at first")
    svg: Path | None = Field(None, description="an SVG drawing to start from, instead of random strokes")
    negative_space: float = Field(0.0, ge=0, le=1, description="share of the paper that should stay bare")
    negative_space_weight: float = Field(2.0, ge=0, le=100, description="weight of --negative-space")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.  UserError for an SVG or a colour that cannot be read.

    CLIPDraw begins with random strokes, which is `underpainting` 0.  Else they are laid along the contours of a soft
    picture, in its colours.
    """
    given = _read(settings.svg, brief) if settings.svg is not None else None
    judges = models.judges(settings.clip)

    def draw(leg: Leg) -> Iterator[Step]:
        soft_picture = picture_of(leg)
        drawing = canvas(brief, settings, given or _start(brief, settings, judges, soft_picture))
        terms = guidance(brief, settings, judges, views(settings.cutouts, drawing.paper, settings.wide))
        if settings.negative_space:
            terms.append(Term("bare paper", negative_space(settings.negative_space), settings.negative_space_weight))
        if soft_picture is not None:
            drawing.register_buffer("underpainting", soft_picture)  # so that the state has it
            fading = schedules.within(leg.span, schedules.ramp(settings.underpainting_weight, 0.0))
            terms.append(Term("underpainting", gist(soft_picture), fading))
        return run_leg(drawing, terms, leg, settings, models, lr_scale=schedules.cosine(0.1))

    yield from underpainted(brief, settings, models, draw, skip=given is not None)


def views(count: int, paper: Tensor, wide: float) -> Cutouts:
    """Nearly the whole drawing, bent in perspective, on its paper: CLIPDraw's two augmentations and no other.

    CLIPDraw's windows show 0.7 to 0.9 of the picture's area; a share `wide` of ours show all of it.
    """
    plain = {"jitter": 0.0, "noise": 0.0, "erase": 0.0}
    return on(paper, crops(count, zoom=(0.75, 0.95), wide=wide, turn=5.0, perspective=0.3, **plain))


def _read(path: Path, brief: Brief) -> Paths:
    if not path.is_file():
        raise UserError(f"--svg {path} is not there; give an SVG file that exists")
    paths = svg.read(path.read_bytes(), brief.size)
    return paths.map(lambda part: part[None].expand(brief.batch, *part.shape).clone())


def _start(brief: Brief, settings: Settings, judges: Sequence[Judge], underpainting: Tensor | None) -> Paths:
    """Random strokes, or strokes along the contours of a picture, in its colours."""
    look, rng = LOOKS[settings.look], brief.rng()
    amount = settings.amount(look.filled if settings.filled is None else settings.filled)
    if underpainting is not None:
        laid = [starts.along(picture[None], amount, look, rng, spread=1.0) for picture in underpainting.cpu()]
        paths = Paths(**{f.name: torch.cat([getattr(each, f.name) for each in laid]) for f in fields(Paths)})
        return replace(paths, widths=paths.widths * BROAD)
    if brief.init is None:
        return starts.random(amount, brief.size, look, rng, batch=brief.batch)
    photo = images.read(brief.init, brief.size)
    salient = occlusion(judges[0].encoder, photo)
    return starts.along(photo, amount, look, rng, saliency=salient, spread=GROUND, batch=brief.batch)
