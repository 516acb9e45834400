"""What a drawing begins with: random strokes, or strokes along the contours of a photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clipguide.canvases.looks import Look
from clipguide.canvases.tracing import contours, deal, follow, look_up
from clipguide.ops import curves
from clipguide.ops.strokes import Paths

REACH = 0.1  # of the shorter side: how far each point of a random stroke lies from the last, at most (CLIPDraw)
BLOB = 0.16  # of the shorter side: the largest radius of a random area


@dataclass(frozen=True, slots=True)
class Amount:
    """How many shapes: `count`, each of `segments` cubic curves, the first ones areas: a share `filled` in [0, 1]."""

    count: int
    segments: int = 2
    filled: float = 0.0

    @property
    def areas(self) -> int:
        return round(self.count * self.filled)


def random(amount: Amount, size: tuple[int, int], look: Look, rng: torch.Generator, *, batch: int = 1) -> Paths:
    """Short random walks all over the paper of (width, height) px, as CLIPDraw's; batched."""
    side = torch.tensor(size, dtype=torch.float32)
    start = torch.rand(batch, amount.count, 1, 2, generator=rng) * side
    length = 3 * amount.segments
    steps = (torch.rand(batch, amount.count, length, 2, generator=rng) - 0.5) * REACH * min(size)
    walks = torch.cat([start, start + steps.cumsum(2)], 2)
    radius = BLOB * min(size) * torch.rand(batch, amount.count, 1, 1, generator=rng)
    areas = torch.arange(amount.count) < amount.areas
    points = torch.where(areas[:, None, None], start + curves.circle(amount.segments) * radius, walks)
    return _inked(points, areas, size, look, rng)


def _inked(points: Tensor, areas: Tensor, size: tuple[int, int], look: Look, rng: torch.Generator) -> Paths:
    """Random widths, colours and opacity, as the look begins."""
    batch, count = points.shape[:2]

    def roll(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(batch, count, *shape, generator=rng)

    widths = roll(*look.start) * min(size) / 224
    colours = roll(look.darkest, look.lightest, 1 if look.grey else 3).expand(-1, -1, 3).clone()
    opacity = roll(max(look.opacity[0], 0.3 * look.opacity[1]), look.opacity[1])
    return Paths(points, torch.where(areas, 0.0, widths), colours, opacity, areas.expand(batch, -1).clone())


def along(
    photo: Tensor,
    amount: Amount,
    look: Look,
    rng: torch.Generator,
    *,
    saliency: Tensor | None = None,
    spread: float = 0.0,
    batch: int = 1,
) -> Paths:
    """Strokes along the contours of `photo` (1, 3, H, W), in its colours, and round areas under them; batched.

    Strokes are dealt out where edges are strong and `saliency` (1, 1, H, W) is high, each making its neighbourhood
    less likely, and follow the contour (a painterly stroke, as in Hertzmann 1998; CLIPasso places points so).
    spread: the share in [0, 1] of them that is dealt out evenly, for the ground.
    """
    height, width = photo.shape[-2:]
    edges, direction = contours(photo)
    dense = edges if saliency is None else edges * saliency
    dense = (1 - spread) * dense / dense.mean().clamp(min=1e-9) + spread + 1e-6
    length = math.sqrt(height * width / amount.count)
    centres = torch.stack([deal(dense[0, 0], amount.count, length / 2, rng) for _ in range(batch)])  # (B, S, 2)
    points = follow(centres, direction, 3 * amount.segments, length)
    areas = torch.arange(amount.count) < amount.areas
    blobs = centres[:, :, None] + curves.circle(amount.segments) * math.sqrt(height * width / max(1, amount.areas))
    points = torch.where(areas[:, None, None], blobs, points)
    paths = _inked(points, areas, (width, height), look, rng)
    colours = look_up(photo, centres).clamp(look.darkest, look.lightest)
    return Paths(points, paths.widths, colours, paths.opacity, paths.filled)
