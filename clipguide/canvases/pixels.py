"""Pixels: the picture itself is optimised."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clipguide.core import Frame, Tick


class Pixels(nn.Module):
    """`batch` pictures of (width, height) px, stored as sRGB; starts as faint noise on grey."""

    def __init__(self, size: tuple[int, int], *, rng: torch.Generator, lr: float = 0.03, batch: int = 1) -> None:
        super().__init__()
        self.lr = lr
        noise = torch.randn(batch, 3, size[1], size[0], generator=rng)
        self.pixels = nn.Parameter((0.5 + 0.05 * noise).clamp(0, 1))

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.pixels], "lr": self.lr}]

    def render(self, tick: Tick) -> Frame:
        return Frame(self.pixels)

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        self.pixels.copy_(image.expand_as(self.pixels))

    def project(self) -> None:
        self.pixels.clamp_(0, 1)
