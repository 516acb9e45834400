"""Zoom: a film by a VQGAN, in which a camera moves over a picture that CLIP goes on with (after the zoom videos of
VQGAN+CLIP): between two frames the picture is moved, encoded anew, and followed for a few steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field

from clipguide.brief import Brief
from clipguide.core import Step
from clipguide.imagery import Imagery, Studio, studio
from clipguide.ops.motion import moved
from clipguide.schedules import constant
from clipguide.stages import Leg, staged
from clipguide.weights import Models


class Settings(Imagery):
    frames: int = Field(240, ge=1, le=100_000, description="frames of the film after the first picture is made")
    between: int = Field(3, ge=1, le=1000, description="steps between two frames")
    zoom: float = Field(1.015, ge=0.5, le=2, description="how many times larger the picture gets from frame to frame")
    turn: float = Field(0.0, ge=-180, le=180, description="degrees that it turns clockwise from frame to frame")
    right: float = Field(0.0, ge=-1, le=1, description="share of the width that the camera goes right in a frame")
    down: float = Field(0.0, ge=-1, le=1, description="share of the height that the camera goes down in a frame")
    film_lr: float = Field(0.05, gt=0, le=10, description="learning rate between frames; lower is steadier")

    @property
    def frame_every(self) -> int:
        """Steps between two kept frames."""
        return self.between


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps, see `core.optimise`; every `frame_every`-th is a frame of the film.

    The first frames show how the picture comes into being.  Unlike the scripts, which move by whole px and start from
    a moved latent or picture alike, it moves by any share, mirrors what lies past the edge, and tells a story on.
    """
    opened = studio(brief, settings, models)
    first = settings.steps - settings.steps % settings.between
    stages = opened.picture(first)
    stages += [(settings.between, lambda leg: _frame(opened, settings, leg))] * settings.frames
    yield from staged(stages, seed=brief.seed, seconds=brief.seconds, resume=brief.resume)


def _frame(opened: Studio, settings: Settings, leg: Leg) -> Iterator[Step]:
    latent = opened.latent(torch.Generator().manual_seed(leg.seed))
    latent.lr *= settings.film_lr / settings.lr
    if leg.picture is not None:
        motion = {"zoom": settings.zoom, "turn": settings.turn, "right": settings.right, "down": settings.down}
        latent.load(moved(leg.picture, **motion))
    yield from opened.optimise(latent, leg, constant)

