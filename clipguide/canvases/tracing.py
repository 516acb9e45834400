"""Tracing: where the contours of a picture are, where strokes are wanted, and the way that one takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.ops.colour import luminance

CRAWL = 0.15  # of a stroke's pace where it should end: its points must not coincide


def blur(image: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W), Gaussian, sigma in px; the border goes on as it is."""
    from kornia.filters import gaussian_blur2d

    size = 2 * math.ceil(2 * sigma) + 1
    return gaussian_blur2d(image, (size, size), (sigma, sigma), "replicate")


def contours(photo: Tensor) -> tuple[Tensor, Tensor]:
    """(1, 3, H, W) -> how strong an edge is (1, 1, H, W), at most 1, and the unit direction along it (1, 2, H, W)."""
    from kornia.filters import spatial_gradient

    sigma = 1.5 * min(photo.shape[-2:]) / 224 + 0.3
    dx, dy = spatial_gradient(blur(luminance(photo), sigma)).unbind(2)  # (1, 1, H, W) each
    strength = (dx.square() + dy.square()).sqrt()
    # the direction in which brightness changes least: the minor axis of the averaged structure tensor
    angle = torch.atan2(blur(2 * dx * dy, 2 * sigma), blur(dx.square() - dy.square(), 2 * sigma)) / 2 + math.pi / 2
    return strength / strength.amax().clamp(min=1e-9), torch.cat([angle.cos(), angle.sin()], 1)


def deal(dense: Tensor, count: int, radius: float, rng: torch.Generator) -> Tensor:
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


def follow(
    centres: Tensor,
    direction: Tensor,
    steps: int,
    length: float,
    *,
    welcome: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Walks along the field both ways: (B, S, 2) -> (B, S, steps + 1, 2), `length` px in all.

    welcome: says of places (B, S, 2) which strokes may go there (B, S, 1); one that may not goes on at a crawl.
    """

    def walk(sign: float, count: int) -> list[Tensor]:
        place, heading, way = centres, sign * look_up(direction, centres), []
        pace = torch.ones_like(place[..., :1])
        for _ in range(count):
            stride = heading * length / steps
            if welcome is not None:
                pace = torch.where(welcome(place + stride), pace, CRAWL)
            place = place + pace * stride
            way.append(place)
            ahead = F.normalize(look_up(direction, place), dim=-1)
            heading = ahead * torch.where((ahead * heading).sum(-1, keepdim=True) < 0, -1.0, 1.0)  # it has no sign
        return way

    back = walk(-1.0, steps // 2)
    return torch.stack([*reversed(back), centres, *walk(1.0, steps - steps // 2)], 2)


def look_up(image: Tensor, places: Tensor) -> Tensor:
    """(1, C, H, W) at (B, S, 2) px -> (B, S, C)."""
    size = torch.tensor([image.shape[-1], image.shape[-2]], dtype=places.dtype)
    grid = (places / size * 2 - 1).flatten(0, 1)[None, None]  # (1, 1, B*S, 2)
    seen = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return seen[0, :, 0].T.unflatten(0, places.shape[:2])
