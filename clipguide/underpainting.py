"""Underpainting: a soft picture is made first, and strokes or cells are then laid on it.

CLIP's gradient finds large shapes in a spectrum that grows from coarse to fine sooner, and sets them better, than in
many small things that each move a little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import Field
from torch import Tensor

from clipguide.beginning import Begun, first_picture, held
from clipguide.brief import Brief
from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import MARGIN, Fourier
from clipguide.core import Step
from clipguide.cutouts import crops
from clipguide.loop import run_leg
from clipguide.losses.guidance import guidance
from clipguide.stages import Leg, staged
from clipguide.weights import Models

# the defaults of the method `fourier`
SPECTRUM = {"lr": 0.1, "contrast": 0.05}
COARSE, FINE_AT, AVERAGE, WIDE, SMOOTH = 0.25, 0.6, 0.9, 0.8, 0.5


class Underpainted(Begun):
    underpainting: float = Field(
        0.4, ge=0, le=1, description="share of the steps for a soft picture to begin with; 0: a random start"
    )


def underpainted(
    brief: Brief,
    settings: Underpainted,
    models: Models,
    draw: Callable[[Leg], Iterator[Step]],
    *,
    skip: bool = False,
    mirror: float = 1.0,
) -> Iterator[Step]:
    """The underpainting, then what `draw` makes of it; only the latter where `skip`, or the brief has an image.

    mirror: the share of the views that see the picture's mirror image around it, see `cutouts.crops`.
    """
    soft = 0 if skip or brief.init is not None else round(settings.steps * settings.underpainting)

    def paint(leg: Leg) -> Iterator[Step]:
        calm = settings.model_copy(update={"smooth": SMOOTH})
        first = first_picture(brief, settings, models)
        cutouts = crops(settings.cutouts, wide=WIDE, mirror=mirror)
        terms = guidance(brief, calm, models.judges(settings.clip), cutouts) + held(first, brief, settings)
        return run_leg(Averaged(waves(brief, leg, first), AVERAGE), terms, leg, settings, models)

    stages = [(soft, paint), (settings.steps - soft, draw)] if soft else [(settings.steps, draw)]
    return staged(stages, seed=brief.seed, seconds=brief.seconds, resume=brief.resume)


def waves(brief: Brief, leg: Leg, picture: Tensor | None = None) -> Fourier:
    """A spectrum that grows from coarse to fine within this leg, from a picture (B, 3, H, W) or from noise."""
    start, end = leg.span
    detail = (COARSE, start + FINE_AT * (end - start))
    made = Fourier(brief.size, rng=brief.rng(), batch=brief.batch, detail=detail, margin=MARGIN, **SPECTRUM)
    if picture is not None:
        made.load(picture)
    return made


def picture_of(leg: Leg) -> Tensor | None:
    """(B, 3, H, W), the underpainting: what the stage before came to, or what the resumed state remembers of it.

    A canvas remembers it in a buffer `underpainting`.
    """
    return leg.picture if leg.resume is None else leg.resume["canvas"].get("underpainting")
