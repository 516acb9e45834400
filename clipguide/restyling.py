"""What the methods share that train a restyler: their settings, and what guides it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from clipguide.brief import Brief
from clipguide.canvases.restyled import Restyled
from clipguide.core import Term
from clipguide.cutouts import crops, patches
from clipguide.losses.content import content
from clipguide.losses.direction import direction_terms, style_aim
from clipguide.losses.smooth import smooth
from clipguide.models.restyler import redraw
from clipguide.styling import Photo, Styling
from clipguide.weights import Models


class Restyling(Styling):
    group: ClassVar = "The style"

    lr: float = Field(4e-3, gt=0, le=1, description="learning rate of the network")
    width: int = Field(16, ge=4, le=64, description="channels of the network at full size")
    direction: float = Field(1.0, ge=0, le=100, description="weight of the whole picture's direction")
    patches: float = Field(4.0, ge=0, le=100, description="weight of the patches' direction: the texture")
    content: float = Field(0.2, ge=0, le=100, description="weight of the photo's things; higher keeps more")
    smooth: float = Field(0.3, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    threshold: float = Field(0.7, ge=0, le=2, description="a patch below this loss is good enough and pulls no more")
    extent: float = Field(0.3, gt=0, le=1, description="side of a patch, as a share of the photo's shorter side")
    tile: int = Field(0, ge=0, le=4096, description="px of the tiles in which the photo's own size is redrawn; 0: not")


def guidance(brief: Brief, settings: Restyling, models: Models, photos: Tensor) -> list[Term]:
    """CLIPstyler's terms: direction of the whole and of patches, content, smoothness.

    photos: (N, 3, h, w), from which the direction to an image as the style runs.
    """
    judges = models.judges(settings.clip)
    aims = [style_aim(judge.encoder, brief.prompts, photos, settings.source, settings.templates) for judge in judges]
    overview = crops(1, wide=1.0, turn=5, perspective=0.1, jitter=0, noise=0.05, erase=0)
    near = patches(settings.cutouts, extent=settings.extent)
    weights = settings.direction, settings.patches
    return [
        *direction_terms(judges, aims, overview, near, weights, settings.threshold),
        Term("content", content(models.features(settings.features)), settings.content),
        Term("smooth", smooth(), settings.smooth),
    ]


def large(canvas: Restyled, photo: Photo, tile: int) -> Tensor:
    """The photo redrawn at its own size, in tiles: (B, 3, H, W), for as many networks as the canvas has."""
    canvas.restyler.remember(canvas.photos)
    original = photo.original.expand(canvas.restyler.copies, -1, -1, -1)
    return redraw(canvas.restyler.eval(), original, tile).clamp(0, 1)
