"""Layer: a thing with a shape of its own and a surface, laid on a plain ground."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.core import Canvas, Frame, Tick

CELL = 8  # px of the shape's grid: coarse, so that outlines are calm


class Layer(nn.Module):
    """The picture of `surface`, (B, 3, H, W), cut out by an opacity that is optimised with it.

    At each step the ground has another plain colour, so that nothing of the thing can be left to the ground; a preview
    has a white one.  extras: "surface", the sheet before the cut, and "shape", the opacity as dark grey on white.
    The shape starts as a soft disc.  (An edit layer with opacity, as in Text2LIVE, Bar-Tal et al. 2022.)
    """

    def __init__(self, surface: Canvas, size: tuple[int, int], *, lr: float = 0.1, batch: int = 1) -> None:
        super().__init__()
        self.surface, self.size, self.lr = surface, size, lr
        rows, columns = max(4, size[1] // CELL), max(4, size[0] // CELL)
        y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
        disc = 2 - 4 * (x.square() + y.square())
        self.shape = nn.Parameter(disc.expand(batch, 1, -1, -1).clone())

    def param_groups(self) -> list[dict[str, Any]]:
        return [*self.surface.param_groups(), {"params": [self.shape], "lr": self.lr}]

    def opacity(self) -> Tensor:
        """(B, 1, H, W) in (0, 1)."""
        large = F.interpolate(self.shape, (self.size[1], self.size[0]), mode="bicubic", align_corners=False)
        return torch.sigmoid(2 * large)

    def render(self, tick: Tick) -> Frame:
        sheet, opacity = self.surface.render(tick).image, self.opacity()
        ground = torch.ones(1, 3, 1, 1) if tick.preview else torch.rand(1, 3, 1, 1, generator=tick.rng)
        image = opacity * sheet + (1 - opacity) * ground.to(sheet)
        return Frame(image, extras={"surface": sheet, "shape": (1 - 0.75 * opacity).expand_as(sheet)})

    def project(self) -> None:
        self.surface.project()
        self.shape.clamp_(-4, 4)
