"""Pixels: the picture itself under CLIP's gradient, the plainest of all canvases."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from clipguide import images
from clipguide.brief import Brief
from clipguide.canvases.averaged import Averaged
from clipguide.canvases.pixels import Pixels
from clipguide.core import Step
from clipguide.cutouts import crops
from clipguide.loop import follow
from clipguide.losses.guidance import Composed, guidance
from clipguide.weights import Models


class Settings(Composed):
    lr: float = Field(0.02, gt=0, le=1, description="learning rate of the pixels")
    smooth: float = Field(2.0, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    average: float = Field(0.9, ge=0, lt=1, description="decay of the moving average (EMA) of the picture; 0: none")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`."""
    judges, cutouts = models.judges(settings.clip), crops(settings.cutouts)
    pixels = Pixels(brief.size, rng=brief.rng(), lr=settings.lr, batch=brief.batch)
    if brief.init is not None:
        pixels.load(images.read(brief.init, brief.size))
    terms = guidance(brief, settings, judges, cutouts)
    yield from follow(Averaged(pixels, settings.average), terms, brief, settings, models)
