"""Snap: cell colours to the nearest of a palette, which may learn."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from clipguide import images
from clipguide.ops.quantise import bayer, nearest, pick, spacing

Dither = Literal["none", "bayer", "diffusion"]


class Snap(nn.Module):
    """Colours (B, 3, rows, columns) -> colours of the palette, with the gradient of the colours themselves.

    palette: (B or 1, K, 3), sRGB in [0, 1].  learn: after each step every palette colour moves a tenth of the way to
    the mean of the cells that chose it, and one that nobody chose to the cell that fits worst: k-means as it goes.
    dither: "bayer" shifts the colours by Bayer's matrix first; "diffusion" does so too while it is optimised, and
    spreads the errors (Floyd-Steinberg) in what is shown at the end, where no gradient is wanted.
    strength: of the dither; 1 shifts by the mean distance between neighbouring palette colours.
    """

    PACE = 0.1

    def __init__(self, palette: Tensor, *, learn: bool = False, dither: Dither = "none", strength: float = 1.0) -> None:
        super().__init__()
        self.learn, self.dither, self.strength = learn, dither, strength
        self.register_buffer("palette", palette.clone())

    def forward(self, colours: Tensor, *, final: bool = False) -> Tensor:
        spread = final and self.dither == "diffusion"
        index = self._diffused(colours) if spread else nearest(self._shifted(colours), self.palette)
        snapped = pick(index, self.palette)
        return snapped + (colours - colours.detach())

    def _shifted(self, colours: Tensor) -> Tensor:
        if self.dither == "none":
            return colours
        matrix = bayer(*colours.shape[-2:]).to(colours)
        return (colours + self.strength * spacing(self.palette) * matrix).clamp(0, 1)

    def _diffused(self, colours: Tensor) -> Tensor:
        palettes = self.palette.expand(len(colours), -1, -1)
        return torch.stack([images.diffuse(c, p) for c, p in zip(colours, palettes, strict=True)]).to(colours.device)

    @torch.no_grad()
    def update(self, colours: Tensor) -> None:
        """Moves a learning palette towards these colours; a fixed one stays."""
        if not self.learn:
            return
        index = nearest(colours, self.palette).flatten(1)
        cells = colours.movedim(1, -1).flatten(1, 2)  # (B, N, 3)
        for picture, (number, wanted) in enumerate(zip(index, cells, strict=True)):
            self.palette[picture] = self._moved(self.palette[picture], number, wanted)

    def _moved(self, palette: Tensor, number: Tensor, wanted: Tensor) -> Tensor:
        counts = torch.zeros(len(palette)).to(wanted).index_add(0, number, torch.ones(len(number)).to(wanted))
        means = torch.zeros_like(palette).index_add(0, number, wanted) / counts.clamp(min=1)[:, None]
        moved = torch.where(counts[:, None] > 0, palette.lerp(means, self.PACE), palette)
        unused = (counts == 0).nonzero()[:, 0]
        if len(unused):
            misfits = (wanted - palette[number]).square().sum(-1).argmax()
            moved[unused[0]] = wanted[misfits]
        return moved
