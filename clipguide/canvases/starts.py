"""What a drawing begins with: random strokes, or strokes along the contours of a photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.canvases.looks import Look
from clipguide.ops import curves
from clipguide.ops.colour import luminance
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
    centres = torch.stack([_deal(dense[0, 0], amount.count, length / 2, rng) for _ in range(batch)])  # (B, S, 2)
    points = _follow(centres, direction, 3 * amount.segments, length)
    areas = torch.arange(amount.count) < amount.areas
    blobs = centres[:, :, None] + curves.circle(amount.segments) * math.sqrt(height * width / max(1, amount.areas))
    points = torch.where(areas[:, None, None], blobs, points)
    paths = _inked(points, areas, (width, height), look, rng)
    colours = _look_up(photo, centres).clamp(look.darkest, look.lightest)
    return Paths(points, paths.widths, colours, paths.opacity, paths.filled)


def contours(photo: Tensor) -> tuple[Tensor, Tensor]:
    """(1, 3, H, W) -> how strong an edge is (1, 1, H, W), at most 1, and the unit direction along it (1, 2, H, W)."""
    from kornia.filters import gaussian_blur2d, spatial_gradient

    sigma = 1.5 * min(photo.shape[-2:]) / 224 + 0.3

    def blur(image: Tensor, sigma: float) -> Tensor:
        size = 2 * math.ceil(2 * sigma) + 1
        return gaussian_blur2d(image, (size, size), (sigma, sigma), "replicate")

    dx, dy = spatial_gradient(blur(luminance(photo), sigma)).unbind(2)  # (1, 1, H, W) each
    strength = (dx.square() + dy.square()).sqrt()
    # the direction in which brightness changes least: the minor axis of the averaged structure tensor
    angle = torch.atan2(blur(2 * dx * dy, 2 * sigma), blur(dx.square() - dy.square(), 2 * sigma)) / 2 + math.pi / 2
    return strength / strength.amax().clamp(min=1e-9), torch.cat([angle.cos(), angle.sin()], 1)


def _deal(dense: Tensor, count: int, radius: float, rng: torch.Generator) -> Tensor:
    """`count` places (x, y), likelier where `dense` (H, W) is high, rarely within `radius` px of each other."""
    height, width = dense.shape
    ys, xs = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    dense, places = dense.clone().cpu(), []
    for _ in range(count):
        place = int(torch.multinomial(dense.flatten() + 1e-12, 1, generator=rng))
        x, y = place % width + 0.5, place // width + 0.5
        places.append((x, y))
        dense *= 1 - torch.exp(-((xs - x).square() + (ys - y).square()) / (2 * radius**2))
    return torch.tensor(places)


def _follow(centres: Tensor, direction: Tensor, steps: int, length: float) -> Tensor:
    """Walks along the field both ways: (B, S, 2) -> (B, S, steps + 1, 2), `length` px in all."""

    def walk(sign: float, count: int) -> list[Tensor]:
        place, heading, way = centres, sign * _look_up(direction, centres), []
        for _ in range(count):
            place = place + heading * length / steps
            way.append(place)
            ahead = F.normalize(_look_up(direction, place), dim=-1)
            heading = ahead * torch.where((ahead * heading).sum(-1, keepdim=True) < 0, -1.0, 1.0)  # it has no sign
        return way

    back = walk(-1.0, steps // 2)
    return torch.stack([*reversed(back), centres, *walk(1.0, steps - steps // 2)], 2)


def _look_up(image: Tensor, places: Tensor) -> Tensor:
    """(1, C, H, W) at (B, S, 2) px -> (B, S, C)."""
    size = torch.tensor([image.shape[-1], image.shape[-2]], dtype=places.dtype)
    grid = (places / size * 2 - 1).flatten(0, 1)[None, None]  # (1, 1, B*S, 2)
    seen = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return seen[0, :, 0].T.unflatten(0, places.shape[:2])
