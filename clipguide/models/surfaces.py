"""Surfaces: fixed patterns that a restyler sees beside the photo, to draw its textures with.

A small network under a small CLIP's gradient finds no stones and no strokes in a flat sky: it finds grain.  Where the
patterns lie ready it need only choose.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PERIOD = 256  # px, after which each pattern repeats without a seam
GRAIN, STONE, STROKE = 2, 8, 10  # px: of a grain and a stone; steps of a stroke along the diagonal
UNEVEN = 0.6  # of a stone's side, by which the stones' middles stray
JOINT = 3.0  # px from the middle of a joint to where a stone is whole


def surfaces() -> Tensor:
    """(3, PERIOD, PERIOD) in [-0.5, 0.5], always the same: grain, stones with joints, hatching."""
    rng = torch.Generator().manual_seed(0)
    return torch.stack([_grain(rng), _stones(rng), _hatching(rng)]) - 0.5


def _grain(rng: torch.Generator) -> Tensor:
    coarse = torch.rand(1, 1, PERIOD // GRAIN, PERIOD // GRAIN, generator=rng)
    return F.interpolate(coarse, scale_factor=float(GRAIN), mode="nearest")[0, 0]


def _stones(rng: torch.Generator) -> Tensor:
    """0 in the joints, 1 inside: how much nearer the nearest stone's middle is than the second nearest's."""
    count = PERIOD // STONE
    middles = 0.5 + UNEVEN * (torch.rand(2, count, count, generator=rng) - 0.5)  # (y, x) in each stone's own square
    place = (torch.arange(PERIOD) % STONE + 0.5) / STONE  # of a pixel in the square in which it lies
    distances = []
    for down in range(-2, 3):
        for right in range(-2, 3):
            y, x = middles.roll((-down, -right), (1, 2)).repeat_interleave(STONE, 1).repeat_interleave(STONE, 2)
            distances.append(torch.hypot(y + down - place[:, None], x + right - place))
    nearest, second = torch.stack(distances).topk(2, dim=0, largest=False).values
    return ((second - nearest) * STONE / JOINT).clamp(max=1)


def _hatching(rng: torch.Generator) -> Tensor:
    """Grains drawn out along one diagonal."""
    grain = torch.rand(PERIOD, PERIOD, generator=rng)
    drawn = torch.stack([grain.roll((-step, step), (0, 1)) for step in range(STROKE)]).mean(0)
    return (0.5 + (drawn - drawn.mean()) / (4 * drawn.std())).clamp(0, 1)
