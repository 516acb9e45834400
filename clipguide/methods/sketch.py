"""Sketch: a photo in a few strokes (CLIPasso's idea, Vinker et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from clipguide import images, schedules
from clipguide.brief import Brief
from clipguide.canvases import starts
from clipguide.canvases.drawing import Drawing, canvas
from clipguide.canvases.looks import LOOK_HELP, LOOKS, LookName
from clipguide.core import Step, Term
from clipguide.cutouts import crops, on, whole
from clipguide.encoders import Judge, first, shares
from clipguide.errors import UserError
from clipguide.loop import follow
from clipguide.losses.likeness import likeness, occlusion
from clipguide.losses.prompt import prompt, prompt_terms, seen_alike
from clipguide.options import Guided
from clipguide.weights import Models


class Settings(Guided, Drawing):
    needs_prompt: ClassVar[bool] = False
    photo: ClassVar = "must"

    steps: int = Field(200, ge=0, le=100_000, description="updates of the drawing")
    cutouts: int = Field(4, ge=1, le=1024, description="bent views in a step, beside the straight one")
    strokes: int = Field(24, ge=1, le=4096, description="how many strokes; fewer are more abstract")
    segments: int = Field(1, ge=1, le=16, description="Bezier curves that a stroke is made of; more bend more")
    look: LookName = Field("ink", description=LOOK_HELP)
    lr_points: float = Field(1.0, ge=0, le=100, description="learning rate of the points, px of a side of 224 px")
    lr_width: float = Field(0.02, ge=0, le=100, description="learning rate of the widths, px of a side of 224 px")
    layout: float = Field(1.0, ge=0, le=100, description="weight of the photo's layout: CLIP's middle layers")
    meaning: float = Field(0.1, ge=0, le=100, description="weight of the photo's meaning: CLIP's embedding")
    words: float = Field(0.1, ge=0, le=100, description="weight of the prompts, where there are any")
    mask: Path | None = Field(None, description="a picture that is white (or opaque) where the photo's thing is")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.  UserError where there is no photo."""
    if brief.init is None:
        raise UserError("the method 'sketch' draws a photo; give one with --init PHOTO")
    judges, paper = models.judges(settings.clip), images.colour(settings.paper)
    photo = _photo(brief, settings, paper)
    salient = occlusion(first(judges), photo)
    rng, amount, look = brief.rng(), settings.amount(), LOOKS[settings.look]
    paths = starts.along(photo, amount, look, rng, saliency=salient, batch=brief.batch)
    terms = _terms(brief, settings, judges, photo.to(models.device), paper)
    drawing = canvas(brief, settings, paths)
    yield from follow(drawing, terms, brief, settings, models, lr_scale=schedules.cosine(0.1))


def _photo(brief: Brief, settings: Settings, paper: Tensor) -> Tensor:
    """(1, 3, H, W); what the mask leaves out is paper: CLIPasso too draws the thing alone."""
    photo = images.read(brief.init, brief.size)
    if settings.mask is None:
        return photo
    mask = images.read_alpha(settings.mask, brief.size)
    return mask * photo + (1 - mask) * paper[:, None, None]


def _terms(brief: Brief, settings: Settings, judges: Sequence[Judge], photo: Tensor, paper: Tensor) -> list[Term]:
    """Layout and meaning, each on a straight view and on bent ones, shared out over the judges."""
    bent = crops(settings.cutouts, zoom=(0.8, 0.95), wide=0.5, turn=0, perspective=0.3, jitter=0, noise=0, erase=0)
    terms = []
    for judge, share in zip(judges, shares(judges), strict=True):
        for how, cutouts in {"straight": on(paper, whole()), "bent": on(paper, bent)}.items():
            name = f"{how} ({judge.encoder.name})"
            alike = likeness(judge.encoder, photo, cutouts)
            same = prompt(judge.encoder, seen_alike(judge.encoder, photo, cutouts), cutouts)
            terms.append(Term(f"layout, {name}", alike, settings.layout / 2).times(share))
            terms.append(Term(f"meaning, {name}", same, settings.meaning / 2).times(share))
    if brief.prompts:
        said = prompt_terms(brief.prompts, judges, on(paper, bent), templates=settings.templates)
        terms += [term.times(settings.words) for term in said]
    return [term for term in terms if term.weight]
