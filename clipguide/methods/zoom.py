"""Zoom: a film in which a camera moves over a picture by a VQGAN, and CLIP goes on with it (after the zoom videos of
VQGAN+CLIP): between two frames the picture is moved, and followed for a step or a few.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor

from clipguide.brief import Brief
from clipguide.canvases.fourier import Fourier
from clipguide.core import Step
from clipguide.imagery import Imagery, Studio, studio
from clipguide.loop import run_leg
from clipguide.ops.contrast import contrasts, with_contrasts
from clipguide.ops.motion import moved
from clipguide.options import CLIPS
from clipguide.schedules import constant
from clipguide.stages import Leg, staged
from clipguide.weights import Models

DECAY = 1.5  # of the waves' rate with their frequency: steeper than a picture's, so that a step adds forms and no grain


class Settings(Imagery):
    clip: str = Field("clip-mini", description=CLIPS)  # a film has many steps
    frames: int = Field(240, ge=1, le=100_000, description="frames of the film after the first picture is made")
    between: int = Field(1, ge=1, le=1000, description="steps between two frames")
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

    The first frames show how the picture comes into being.  Unlike the scripts, which move by whole px and follow codes
    that are encoded anew for every frame, it moves by any share, mirrors what lies past the edge, follows waves, keeps
    the contrast, and tells a story on.
    """
    opened = studio(brief, settings, models)
    film = _Film(opened, settings)
    first = settings.steps - settings.steps % settings.between
    stages = [*opened.picture(first), *[(settings.between, film.frame)] * settings.frames]
    yield from staged(stages, seed=brief.seed, seconds=brief.seconds, resume=brief.resume)


class _Film:
    """What goes on from frame to frame.

    contrast: (B, LEVELS + 1), of the first picture, which all frames keep: without that it grew from frame to frame
    until all was strokes.  Every frame's state has it.
    """

    def __init__(self, opened: Studio, settings: Settings) -> None:
        self.opened, self.settings = opened, settings
        self.contrast: Tensor | None = None

    def frame(self, leg: Leg) -> Iterator[Step]:
        brief, settings, models = self.opened.brief, self.settings, self.opened.models
        rng = torch.Generator().manual_seed(leg.seed)
        waves = Fourier(brief.size, rng=rng, lr=settings.film_lr, batch=brief.batch, decay=DECAY).to(models.device)
        if leg.picture is None:
            self.contrast = leg.resume["canvas"]["contrast"].to(models.device)
        else:
            if self.contrast is None:
                self.contrast = contrasts(leg.picture)
            waves.load(with_contrasts(self._moved(leg.picture), self.contrast))
        waves.register_buffer("contrast", self.contrast)
        yield from run_leg(waves, self.opened.terms, leg, settings, models, lr_scale=constant)

    def _moved(self, picture: Tensor) -> Tensor:
        settings = self.settings
        return moved(picture, zoom=settings.zoom, turn=settings.turn, right=settings.right, down=settings.down)
