"""Pyramid: pixels at several scales at once, so that coarse and fine move together."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.core import Frame, Tick


class Pyramid(nn.Module):
    """`batch` pictures of (width, height) px as the sum of `levels` pictures, each of half the size of the one before.

    One step then changes a broad patch as easily as a pixel: the multi-scale ladder of style transfer (Crowson's
    style-transfer-pytorch climbs it scale by scale) in one run, with one optimiser.  Starts as faint noise on grey.
    """

    def __init__(
        self, size: tuple[int, int], *, rng: torch.Generator, lr: float = 0.01, batch: int = 1, levels: int = 5
    ) -> None:
        super().__init__()
        self.lr = lr
        width, height = size
        shapes = [(-(-height // 2**k), -(-width // 2**k)) for k in range(levels)]
        self.levels = nn.ParameterList(nn.Parameter(torch.zeros(batch, 3, *shape)) for shape in shapes)
        self.load(0.5 + 0.05 * torch.randn(batch, 3, height, width, generator=rng))

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.levels), "lr": self.lr}]

    def render(self, tick: Tick) -> Frame:
        return Frame(self._sum())

    def _sum(self) -> Tensor:
        image = self.levels[-1]
        for level in reversed(self.levels[:-1]):
            image = level + F.interpolate(image, level.shape[-2:], mode="bilinear", align_corners=False)
        return image

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        """Splits the picture into bands (a Laplacian pyramid)."""
        image = image.expand(len(self.levels[0]), -1, -1, -1)
        for level, smaller in zip(self.levels, [*self.levels[1:], None], strict=True):
            if smaller is None:
                level.copy_(image)
                return
            coarse = F.interpolate(image, smaller.shape[-2:], mode="area")
            level.copy_(image - F.interpolate(coarse, image.shape[-2:], mode="bilinear", align_corners=False))
            image = coarse

    @torch.no_grad()
    def project(self) -> None:
        """Back into [0, 1]: the finest level takes up what is too much."""
        image = self._sum()
        self.levels[0].add_(image.clamp(0, 1) - image)
