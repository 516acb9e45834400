"""Texture: "a painting of a [starry] car" draws the car, or takes it from a photo, and paints its surface starry.

What stands in brackets is the texture.  With --init the thing is that photo's: its opacity, a mask file, or words say
where.  With --tileable the texture alone is made, and repeats without a seam.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import Field

from clipguide import images
from clipguide.brief import Brief, Prompt
from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import Fourier
from clipguide.canvases.layer import Layer
from clipguide.canvases.pyramid import Pyramid
from clipguide.canvases.rolled import Rolled
from clipguide.core import Canvas, Step, Term
from clipguide.cutouts import crops
from clipguide.encoders import shares
from clipguide.errors import UserError
from clipguide.loop import follow
from clipguide.losses.content import content
from clipguide.losses.prompt import embed, prompt, prompt_terms
from clipguide.losses.smooth import smooth
from clipguide.options import CLIPS
from clipguide.styling import Styling, finished, open_photo
from clipguide.weights import Models


class Settings(Styling):
    photo: ClassVar = "may"

    clip: str = Field("clip-mini,clip-mini-photo", description=CLIPS)  # it draws surfaces
    tileable: bool = Field(False, description="make the texture alone, as a tile that repeats without a seam")
    surface: float = Field(1.0, ge=0, le=100, description="weight of the texture, seen from close by")
    shape: float = Field(0.5, ge=0, le=100, description="weight of a drawn thing's outline")
    content: float = Field(0.1, ge=0, le=100, description="weight of a photo's things; higher keeps more")
    smooth: float = Field(0.5, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    extent: float = Field(0.35, gt=0, le=1, description="side of a close view, as a share of the shorter side")
    lr: float = Field(0.1, gt=0, le=1, description="learning rate of a drawn thing, or of a tile")
    photo_lr: float = Field(0.02, gt=0, le=1, description="learning rate of a photo's pixels")
    average: float = Field(0.9, ge=0, lt=1, description="decay of the moving average (EMA) of the picture; 0: none")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A prompt taken apart: "a painting of a [starry] car"."""

    whole: Prompt  # a painting of a starry car
    thing: str  # a painting of a car; empty where there is none
    texture: str  # starry


def read_wanted(wanted: Prompt) -> Wanted:
    """UserError for brackets that do not make a pair with words inside."""
    if wanted.image is not None:
        return Wanted(wanted, "", "")
    found = re.fullmatch(r"([^\[\]]*)\[\s*([^\[\]]*\S)\s*\]([^\[\]]*)", wanted.text)
    if found is None:
        if "[" in wanted.text or "]" in wanted.text:
            raise UserError(f"the prompt '{wanted.text}' needs one pair of brackets with words, as in 'a [starry] car'")
        return Wanted(wanted, "", wanted.text)
    before, texture, after = found.groups()
    whole, thing = (" ".join(f"{before} {middle} {after}".split()) for middle in (texture, ""))
    return Wanted(replace(wanted, text=whole), thing, texture)


def check(brief: Brief, settings: Settings) -> None:
    """UserError as `read_wanted`."""
    for wanted in brief.prompts:
        read_wanted(wanted)


def scored(prompts: Sequence[Prompt], settings: Settings) -> list[Prompt]:
    """What the picture should be like: of a tile the texture alone, else the words without their brackets."""
    parts = [read_wanted(prompt) for prompt in prompts]
    return _textures(parts) if settings.tileable else [part.whole for part in parts]


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`."""
    parts = [read_wanted(prompt) for prompt in brief.prompts]
    if settings.tileable:
        yield from _tile(brief, settings, models, parts)
    elif brief.init is not None:
        yield from _paint(brief, settings, models, parts)
    else:
        yield from _draw(brief, settings, models, parts)


def _tile(brief: Brief, settings: Settings, models: Models, parts: Sequence[Wanted]) -> Iterator[Step]:
    views = crops(settings.cutouts, zoom=(settings.extent, 0.9), wide=0.2)
    textures = _textures(parts)
    terms = prompt_terms(textures, models.judges(settings.clip), views, margin=settings.negative_margin)
    spectrum = Fourier(brief.size, rng=brief.rng(), lr=settings.lr, batch=brief.batch)
    if brief.init is not None:
        spectrum.load(images.read(brief.init, brief.size))
    canvas = Averaged(Rolled(spectrum), settings.average)
    yield from _optimise(brief, settings, models, canvas, terms)


def _textures(parts: Sequence[Wanted]) -> list[Prompt]:
    return [replace(part.whole, text=part.texture or part.whole.text) for part in parts]


def _paint(brief: Brief, settings: Settings, models: Models, parts: Sequence[Wanted]) -> Iterator[Step]:
    photo = open_photo(brief, _with_mask(brief, settings, parts), models, "texture")
    pixels = Pyramid(photo.size, rng=brief.rng(), lr=settings.photo_lr, batch=brief.batch)
    pixels.load(photo.small.cpu())
    canvas = photo.confined(Averaged(pixels, settings.average), always=True)
    terms = [
        *_whole(brief, settings, models, parts),
        *_surface(settings, models, parts, "image"),
        Term("content", content(models.features(settings.features)), settings.content),
    ]
    yield from finished(_optimise(brief, settings, models, canvas, terms), photo)


def _with_mask(brief: Brief, settings: Settings, parts: Sequence[Wanted]) -> Settings:
    """Where no mask is named: the photo's opacity, or else the prompt's thing."""
    thing = next((part.thing for part in parts if part.thing), "")
    if settings.mask is not None or settings.mask_text is not None:
        return settings
    if images.has_opacity(brief.init):
        return settings.model_copy(update={"mask": brief.init})
    return settings.model_copy(update={"mask_text": thing or None})


def _draw(brief: Brief, settings: Settings, models: Models, parts: Sequence[Wanted]) -> Iterator[Step]:
    sheet = Fourier(brief.size, rng=brief.rng(), lr=settings.lr, batch=brief.batch)
    layer = Layer(sheet, brief.size, lr=settings.lr, batch=brief.batch)
    terms = [*_whole(brief, settings, models, parts), *_surface(settings, models, parts, "surface")]
    views = crops(settings.cutouts, wide=0.8, zoom=(0.7, 0.95))
    judges = models.judges(settings.clip)
    for judge, share in zip(judges, shares(judges), strict=True):
        for part in parts:
            if part.thing and part.whole.weight > 0:
                outline = prompt(judge.encoder, embed(judge.encoder, part.thing), views, of="shape")
                name = f"shape of {part.thing} ({judge.encoder.name})"
                terms.append(Term(name, outline, settings.shape).times(share))
    yield from _optimise(brief, settings, models, Averaged(layer, settings.average), terms)


def _whole(brief: Brief, settings: Settings, models: Models, parts: Sequence[Wanted]) -> list[Term]:
    """The whole picture against the whole prompts."""
    views, prompts = crops(settings.cutouts, wide=0.5), [part.whole for part in parts]
    judges = models.judges(settings.clip)
    return prompt_terms(prompts, judges, views, templates=settings.templates, margin=settings.negative_margin)


def _surface(settings: Settings, models: Models, parts: Sequence[Wanted], of: str) -> list[Term]:
    """Close views of the picture, or of an extra, against the textures."""
    near = crops(settings.cutouts, zoom=(settings.extent, settings.extent), wide=0, turn=20)
    terms, judges = [], models.judges(settings.clip)
    for judge, share in zip(judges, shares(judges), strict=True):
        for part in parts:
            if part.texture and part.whole.weight > 0:
                loss = prompt(judge.encoder, embed(judge.encoder, part.texture), near, of=of)
                weight = settings.surface * part.whole.weight
                terms.append(Term(f"surface {part.texture} ({judge.encoder.name})", loss, weight).times(share))
    return terms


def _optimise(
    brief: Brief, settings: Settings, models: Models, canvas: Canvas, terms: Sequence[Term]
) -> Iterator[Step]:
    return follow(canvas, [*terms, Term("smooth", smooth(), settings.smooth)], brief, settings, models)
