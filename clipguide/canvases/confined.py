"""Confined: any canvas, shown as a change of a photo that is held to a mask, to lightness or to colours."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from clipguide.core import Canvas, Frame, Tick
from clipguide.ops.confine import confine


class Confined(nn.Module):
    """Optimises `canvas`, whose picture is seen only where, and in what, `ops.confine` lets it differ from the photo.

    photo: (1, 3, H, W) of the canvas's size; it becomes the frame's source where the canvas names none.
    mask, keep: see `ops.confine.confine`.
    """

    def __init__(self, canvas: Canvas, photo: Tensor, mask: Tensor | None = None, keep: str = "none") -> None:
        super().__init__()
        self.canvas, self.keep = canvas, keep
        self.register_buffer("photo", photo, persistent=False)
        self.register_buffer("mask", mask, persistent=False)

    def param_groups(self) -> list[dict[str, Any]]:
        return self.canvas.param_groups()

    def render(self, tick: Tick) -> Frame:
        frame = self.canvas.render(tick)
        source = self.photo.expand_as(frame.image) if frame.source is None else frame.source
        return Frame(confine(frame.image, source, self.mask, self.keep), source, frame.extras)

    def project(self) -> None:
        self.canvas.project()
