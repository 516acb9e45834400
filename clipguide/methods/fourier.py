"""Fourier: a spectrum under CLIP's gradient; needs no generator (after Lucid and aphantasia)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from clipguide import images
from clipguide.beginning import Begun, first_picture, held
from clipguide.brief import Brief
from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import MARGIN, Fourier
from clipguide.core import Step
from clipguide.cutouts import MIRROR, crops
from clipguide.loop import follow
from clipguide.losses.guidance import guidance
from clipguide.weights import Models


class Settings(Begun):
    cutouts: int = Field(9, ge=1, le=1024, description="views of the picture that CLIP judges in a step")
    lr: float = Field(0.1, gt=0, le=10, description="learning rate of the spectrum")
    decay: float = Field(1.0, ge=0, le=3, description="power of 1/frequency; higher is smoother")
    contrast: float = Field(0.05, ge=0, le=2, description="strength of the random start")
    smooth: float = Field(0.5, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    wide: float = Field(0.8, ge=0, le=1, description="share of the views that show all of the picture; the others zoom")
    coarse: float = Field(0.25, gt=0, le=1, description="share of the frequencies that the picture starts with")
    fine_at: float = Field(0.6, ge=0, le=1, description="part of the run after which all frequencies are drawn")
    average: float = Field(0.9, ge=0, lt=1, description="decay of the moving average (EMA) of the picture; 0: none")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`."""
    judges, cutouts = models.judges(settings.clip), crops(settings.cutouts, wide=settings.wide, mirror=MIRROR)
    spectrum = Fourier(
        brief.size,
        rng=brief.rng(),
        lr=settings.lr,
        batch=brief.batch,
        decay=settings.decay,
        contrast=settings.contrast,
        margin=MARGIN,
        detail=(settings.coarse, 0.0 if brief.init else settings.fine_at),  # a photo shows whole at once
    )
    first = first_picture(brief, settings, models)
    if brief.init is not None:
        spectrum.load(images.read(brief.init, brief.size))
    elif first is not None:
        spectrum.load(first)
    terms = [*guidance(brief, settings, judges, cutouts), *held(first, brief, settings)]
    yield from follow(Averaged(spectrum, settings.average), terms, brief, settings, models)
