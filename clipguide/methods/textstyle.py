"""Text style: the photo's pixels, or its spectrum, follow the words directly, without a network between.

The nearest public form is Zasder3's CLIP-Style-Transfer: the whole picture against the text, VGG content, smoothness.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clipguide import schedules
from clipguide.brief import Brief
from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import Fourier
from clipguide.canvases.pyramid import Pyramid
from clipguide.core import Canvas, Step, Term, optimise
from clipguide.cutouts import crops
from clipguide.losses.content import content
from clipguide.losses.prompt import prompt_terms
from clipguide.losses.smooth import smooth
from clipguide.styling import Photo, Styling, finished, open_photo
from clipguide.weights import Models


class Settings(Styling):
    canvas: Literal["pixels", "fourier"] = Field("pixels", description="what is optimised: pixels, or the spectrum")
    scales: int = Field(5, ge=1, le=8, description="scales of the pixels, each half the one before")
    lr: float = Field(0.01, gt=0, le=1, description="learning rate")
    content: float = Field(0.05, ge=0, le=100, description="weight of the photo's things; higher keeps more")
    smooth: float = Field(0.5, ge=0, le=100, description="weight of total variation; higher is calmer")
    average: float = Field(0.9, ge=0, lt=1, description="moving average of the picture; 0 shows the last step")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.

    Leaves the peer in: many views with augmentations instead of one clean one, which drew ghost faces; all scales at
    once; a moving average; learning rate 0.01 for 0.1.
    """
    photo = open_photo(brief, settings, models, "textstyle")
    views = crops(settings.cutouts, wide=0.6, zoom=(0.5, 0.95))
    judges = models.judges(settings.clip)
    terms = prompt_terms(brief.prompts, judges, views, templates=settings.templates, margin=settings.negative_margin)
    canvas = Averaged(_canvas(brief, settings, photo), settings.average)
    steps = optimise(
        photo.confined(canvas, always=True).to(models.device),
        [
            *terms,
            Term("content", content(models.features(settings.features)), settings.content),
            Term("smooth", smooth(), settings.smooth),
        ],
        steps=settings.steps,
        seconds=brief.seconds,
        seed=brief.seed,
        chunks=settings.chunks,
        lr_scale=schedules.cosine(0.1, warm_up=0.05),
        resume=brief.resume,
    )
    yield from finished(steps, photo)


def _canvas(brief: Brief, settings: Settings, photo: Photo) -> Canvas:
    if settings.canvas == "fourier":
        canvas = Fourier(photo.size, rng=brief.rng(), lr=settings.lr, batch=brief.batch)
    else:
        canvas = Pyramid(photo.size, rng=brief.rng(), lr=settings.lr, batch=brief.batch, levels=settings.scales)
    canvas.load(photo.small.cpu())
    return canvas
