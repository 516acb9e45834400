"""CLIPDraw: Bezier strokes under CLIP's gradient (Frans, Soros and Witkowski 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field
from torch import Tensor

from clipguide import images, schedules
from clipguide.brief import Brief
from clipguide.canvases import starts, svg
from clipguide.canvases.drawing import Drawing, canvas
from clipguide.canvases.looks import LOOKS
from clipguide.canvases.painterly import painted
from clipguide.core import Cutouts, Step, Term
from clipguide.cutouts import MIRROR, crops, on
from clipguide.encoders import Judge, first
from clipguide.errors import UserError
from clipguide.loop import run_leg
from clipguide.losses.gist import gist
from clipguide.losses.guidance import guidance
from clipguide.losses.likeness import occlusion
from clipguide.losses.negative_space import negative_space
from clipguide.ops.strokes import Paths, joined
from clipguide.stages import Leg
from clipguide.underpainting import Underpainted, picture_of, underpainted
from clipguide.weights import Models

FINE = 2  # px: what is larger is to stay as it is in the underpainting
EVEN = 0.4  # of a place's weight in a photo is the same everywhere, the rest is its salience


class Settings(Underpainted, Drawing):
    steps: int = Field(130, ge=0, le=100_000, description="updates of the drawing, those of the underpainting included")
    cutouts: int = Field(12, ge=1, le=1024, description="views of the drawing that CLIP judges in a step")
    filled: float = Field(0.0, ge=0, le=1, description="share of the shapes that are areas")
    wide: float = Field(0.5, ge=0, le=1, description="share of the views that show all of the drawing; the others zoom")
    underpainting: float = Field(
        0.6, ge=0, le=1, description="share of the steps for a soft picture to begin with; 0: random strokes"
    )
    underpainting_weight: float = Field(
        20.0, ge=0, le=1000, description="weight of that picture, which falls to half of it"
    )
    svg: Path | None = Field(None, description="an SVG drawing to start from, instead of random strokes")
    negative_space: float = Field(0.0, ge=0, le=1, description="share of the paper that should stay bare")
    negative_space_weight: float = Field(2.0, ge=0, le=100, description="weight of --negative-space")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.  UserError for an SVG or a colour that cannot be read.

    CLIPDraw begins with random strokes, which is `underpainting` 0.  Else they are laid so that they show a soft
    picture.
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
            weight = settings.underpainting_weight
            drawing.register_buffer("underpainting", soft_picture)  # so that the state has it
            fading = schedules.within(leg.span, schedules.ramp(weight, weight / 2))
            terms.append(Term("underpainting", gist(soft_picture, FINE), fading))
        return run_leg(drawing, terms, leg, settings, models, lr_scale=schedules.cosine(0.1))

    yield from underpainted(brief, settings, models, draw, skip=given is not None, mirror=MIRROR)


def views(count: int, paper: Tensor, wide: float) -> Cutouts:
    """Nearly the whole drawing, bent in perspective, on its paper: CLIPDraw's two augmentations and no other.

    CLIPDraw's windows show 0.7 to 0.9 of the picture's area; a share `wide` of ours show all of it.
    """
    plain = {"jitter": 0.0, "noise": 0.0, "erase": 0.0}
    return on(paper, crops(count, zoom=(0.75, 0.95), wide=wide, turn=5.0, perspective=0.3, **plain))


def _read(path: Path, brief: Brief) -> Paths:
    if not path.is_file():
        raise UserError(f"--svg {path} is no file; give an SVG drawing")
    paths = svg.read(path.read_bytes(), brief.size)
    return paths.map(lambda part: part[None].expand(brief.batch, *part.shape).clone())


def _start(brief: Brief, settings: Settings, judges: Sequence[Judge], underpainting: Tensor | None) -> Paths:
    """Random strokes, or strokes that show a picture: the underpainting, or the photo that the brief has."""
    look, rng, amount = LOOKS[settings.look], brief.rng(), settings.amount(settings.filled)
    if underpainting is None and brief.init is None:
        return starts.random(amount, brief.size, look, rng, batch=brief.batch)
    salient = None
    if underpainting is None:
        underpainting = images.read(brief.init, brief.size).expand(brief.batch, -1, -1, -1)
        salient = occlusion(first(judges), underpainting[:1])
        salient = EVEN + (1 - EVEN) * salient / salient.mean().clamp(min=1e-9)
    laid = {"paper": images.colour(settings.paper), "saliency": salient}
    return joined([painted(picture[None], amount, look, rng, **laid) for picture in underpainting.cpu()], 0)
