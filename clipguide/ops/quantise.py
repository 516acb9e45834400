"""Colours to a palette: the nearest one, and ordered dither.

Palettes are (B or 1, K, 3), sRGB in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from clipguide.ops.colour import oklab


@torch.no_grad()
def nearest(image: Tensor, palette: Tensor) -> Tensor:
    """The number of the palette colour that looks most like each pixel, nearest in OKLab: (B, 3, H, W) -> (B, H, W)."""
    wanted = oklab(image).movedim(1, -1).flatten(1, 2)  # (B, H * W, 3)
    offered = oklab(palette.to(image).movedim(-1, 1)[..., None])[..., 0].movedim(1, -1)  # (B or 1, K, 3)
    closeness = 2 * wanted @ offered.mT - offered.square().sum(-1)[:, None]  # -distance^2, but for a constant
    return closeness.argmax(-1).unflatten(1, tuple(image.shape[-2:]))


def pick(index: Tensor, palette: Tensor) -> Tensor:
    """Palette colours by number: (B, H, W) with (B or 1, K, 3) -> (B, 3, H, W).  Gradients reach the palette."""
    palette = palette.expand(len(index), -1, -1)
    colours = palette.gather(1, index.flatten(1)[..., None].expand(-1, -1, 3))  # (B, H * W, 3)
    return colours.mT.unflatten(2, tuple(index.shape[1:]))


def bayer(rows: int, columns: int, *, order: int = 2) -> Tensor:
    """Bayer's threshold matrix of side 2^order, repeated over (rows, columns); mean 0, within (-0.5, 0.5)."""
    matrix = torch.zeros(1, 1)
    for _ in range(order):
        matrix = torch.cat([torch.cat([4 * matrix, 4 * matrix + 2], 1), torch.cat([4 * matrix + 3, 4 * matrix + 1], 1)])
    side = len(matrix)
    matrix = (matrix + 0.5) / side**2 - 0.5
    return matrix.repeat(-(-rows // side), -(-columns // side))[:rows, :columns]


def spacing(palette: Tensor) -> Tensor:
    """How far apart a palette's colours lie, () : the mean distance of each to its nearest neighbour, in sRGB.

    The strength of an ordered dither: less leaves bands, more adds grain.
    """
    count = palette.shape[1]
    if count < 2:
        return palette.new_zeros(())
    gaps = torch.cdist(palette, palette) + 9 * torch.eye(count).to(palette)
    return gaps.amin(-1).mean()
