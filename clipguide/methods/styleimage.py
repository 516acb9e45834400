"""Style image: a picture as the style, by the way CLIP sees it and by the statistics of its surface; words may mix in.

    clipguide stylise photo.jpg "@painting.jpg" --method styleimage
    clipguide stylise photo.jpg "watercolour:0.5" --method styleimage --style painting.jpg
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from clipguide import images
from clipguide.brief import Brief, Prompt
from clipguide.canvases.restyled import Restyled
from clipguide.core import Step, Term
from clipguide.errors import UserError
from clipguide.loop import follow
from clipguide.losses.texture import texture
from clipguide.models.restyler import Restyler
from clipguide.restyling import Restyling, guidance, large
from clipguide.styling import finished, fitted, open_photo
from clipguide.weights import Models


class Settings(Restyling):
    style: Path | None = Field(None, description="a picture as the style, beside those given as @FILE")
    texture: float = Field(1.0, ge=0, le=100, description="weight of the style picture's surface statistics")


def check(brief: Brief, settings: Settings) -> None:
    """UserError where no picture is the style."""
    if not _styles(brief, settings):
        raise UserError("styleimage takes a picture as the style; give @FILE or --style FILE, or use clipstyler")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.

    The statistics are those of Gatys et al. (2016), with the features named in the settings; the direction, from the
    photo to the style picture, is CLIPstyler's with an image in place of the words.
    """
    styles = _styles(brief, settings)
    brief = replace(brief, prompts=_prompts(brief, settings))
    photo = open_photo(brief, settings, models, "styleimage")
    restyler = Restyler(settings.width, copies=brief.batch, rng=brief.rng())
    canvas = Restyled(photo.small.expand(brief.batch, -1, -1, -1), restyler, lr=settings.lr)
    pictures = [fitted(images.read(style.image).to(models.device), brief.size) for style in styles]
    surface = texture(models.features(settings.features), pictures, [style.weight for style in styles])
    terms = [*guidance(brief, settings, models, photo.small), Term("texture", surface, settings.texture)]
    steps = follow(photo.confined(canvas), terms, brief, settings, models)
    yield from finished(steps, photo, (lambda: large(canvas, photo, settings.tile)) if settings.tile else None)


def _prompts(brief: Brief, settings: Settings) -> tuple[Prompt, ...]:
    return brief.prompts if settings.style is None else (*brief.prompts, Prompt(image=settings.style))


def _styles(brief: Brief, settings: Settings) -> list[Prompt]:
    return [prompt for prompt in _prompts(brief, settings) if prompt.image is not None and prompt.weight > 0]
