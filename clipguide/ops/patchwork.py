"""Patchwork: something large done in tiles that fade into each other, so that memory follows the tile."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LEAST = 1e-3  # weight of a tile's rim, so that what no other tile covers is whole


def patchwork(
    draw: Callable[[Tensor, tuple[int, int]], Tensor], image: Tensor, *, tile: int, overlap: int, scale: int = 1,
    rim: int = 0,
) -> Tensor:  # fmt: skip
    """`draw` over tiles of (B, C, H, W), laid side by side -> (B, C', H * scale, W * scale).

    draw: (tile of the image, (top, left)) -> (B, C', h * scale, w * scale).  tile, overlap: px of the image; neighbours
    share at least `overlap`, through which one fades into the other.  rim: px within the overlap along a tile's edges
    that count for nothing, because `draw` sees too little around them; 2 * rim < overlap.
    """
    height, width = image.shape[-2:]
    drawn = weight = torch.zeros(())
    for top, tall in spans(height, tile, overlap):
        for left, wide in spans(width, tile, overlap):
            done = draw(image[..., top : top + tall, left : left + wide], (top, left))
            if not drawn.ndim:
                drawn = done.new_zeros(*done.shape[:2], height * scale, width * scale)
                weight = torch.zeros_like(drawn[:1, :1])
            share = _fade(tall * scale, overlap * scale, rim * scale)[:, None] * _fade(
                wide * scale, overlap * scale, rim * scale
            )
            window = (..., slice(top * scale, (top + tall) * scale), slice(left * scale, (left + wide) * scale))
            drawn[window] += done * share.to(done)
            weight[window] += share.to(done)
    return drawn / weight


def spans(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """(start, length) of equal tiles that cover `length` and share at least `overlap`."""
    size = min(tile, length)
    count = 1 if size == length else -(-(length - overlap) // max(1, size - overlap))
    return [(round(i * (length - size) / max(1, count - 1)), size) for i in range(count)]


def _fade(length: int, overlap: int, rim: int) -> Tensor:
    """Rises from `LEAST` at `rim` px inside the tile's edge to 1 at `overlap` - `rim` px."""
    distance = torch.arange(length) + 0.5
    return ((torch.minimum(distance, distance.flip(0)) - rim) / (overlap - 2 * rim)).clamp(LEAST, 1)
