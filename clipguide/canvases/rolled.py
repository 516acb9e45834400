"""Rolled: a canvas whose edges are judged as its middle is, so that the picture repeats without a seam."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clipguide.core import Canvas, Frame, Tick


class Rolled(nn.Module):
    """Shows `canvas` shifted round by random whole pixels at each step, so that no view knows where the edge is.

    A preview is not shifted.  Best with a Fourier canvas, which is periodic by its nature.
    """

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.canvas = canvas

    def param_groups(self) -> list[dict[str, Any]]:
        return self.canvas.param_groups()

    def render(self, tick: Tick) -> Frame:
        image = self.canvas.render(tick).image
        return Frame(image if tick.preview else self._shifted(image, tick))

    def _shifted(self, image: Tensor, tick: Tick) -> Tensor:
        height, width = image.shape[-2:]
        dice = torch.rand(2, generator=tick.rng)
        return image.roll((int(dice[0] * height), int(dice[1] * width)), (2, 3))

    def project(self) -> None:
        self.canvas.project()
