"""Chains of cubic Bezier curves, and the lines, polygons and ellipses that are special cases of them.

A chain of n cubics is (..., 3 n + 1, 2): start, two handles, joint, two handles, joint, ...; x to the right, y down.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def segments(chain: Tensor) -> Tensor:
    """(..., 3 n + 1, 2) -> (..., n, 4, 2): the control points of each cubic."""
    return chain.unfold(-2, 4, 3).transpose(-1, -2)


def bernstein(pieces: int, like: Tensor) -> Tensor:
    """(pieces + 1, 4): weights of the four control points at equal steps of the parameter."""
    u = torch.linspace(0.0, 1.0, pieces + 1, dtype=like.dtype, device=like.device)
    v = 1.0 - u
    return torch.stack([v**3, 3 * u * v**2, 3 * u**2 * v, u**3], dim=1)


def flatten(chain: Tensor, pieces: int) -> Tensor:
    """Each cubic as `pieces` straight pieces: (..., 3 n + 1, 2) -> (..., n * pieces + 1, 2)."""
    points = bernstein(pieces, chain) @ segments(chain)  # (..., n, pieces + 1, 2)
    return torch.cat([points[..., :-1, :].flatten(-3, -2), points[..., -1:, -1, :]], dim=-2)


def pieces_for(chain: Tensor, *, tolerance: float, longest: float, most: int = 64) -> int:
    """How many straight pieces a cubic needs: none farther than `tolerance` from the curve, none longer than
    `longest` (both in the unit of the points), and never more than `most`.

    The distance of a chord follows from the second differences of the control points (Wang's bound).
    """
    points = segments(chain.detach())
    length = (points[..., 1:, :] - points[..., :-1, :]).norm(dim=-1).sum(-1).max()
    pieces = max(math.sqrt(0.75 * bend(chain) / tolerance), float(length) / longest, 1.0)
    return min(most, math.ceil(pieces))


def bend(chain: Tensor) -> float:
    """The largest second difference of control points, in their unit: 0 if all cubics are evenly divided lines."""
    points = segments(chain.detach())
    return float((points[..., :-2, :] - 2 * points[..., 1:-1, :] + points[..., 2:, :]).norm(dim=-1).max())


def lines(start: Tensor, end: Tensor) -> Tensor:
    """Straight lines as cubics: two (..., 2) -> (..., 4, 2)."""
    return torch.stack([start, (2 * start + end) / 3, (start + 2 * end) / 3, end], dim=-2)


def polygons(corners: Tensor) -> Tensor:
    """Closed polygons: (..., C, 2) -> (..., 3 C + 1, 2)."""
    sides = lines(corners, corners.roll(-1, dims=-2))  # (..., C, 4, 2)
    return torch.cat([sides[..., :-1, :].flatten(-3, -2), corners[..., :1, :]], dim=-2)


def circle(count: int) -> Tensor:
    """The closed chain of `count` cubics nearest to the unit circle: (3 count + 1, 2); a single cubic makes a drop."""
    if count == 1:
        return torch.tensor([[1.0, 0.0], [-1.67, 2.0], [-1.67, -2.0], [1.0, 0.0]])
    angle = torch.arange(count + 1) * (math.tau / count)
    at = torch.stack([angle.cos(), angle.sin()], -1)
    reach = 4 / 3 * math.tan(math.tau / 4 / count) * torch.stack([-angle.sin(), angle.cos()], -1)
    joints = torch.stack([at[:-1], at[:-1] + reach[:-1], at[1:] - reach[1:]], 1)  # (count, 3, 2)
    return torch.cat([joints.flatten(0, 1), at[:1]])


def ellipses(centre: Tensor, radii: Tensor, angle: Tensor) -> Tensor:
    """Closed ellipses: centre (..., 2), radii (..., 2), angle (...) in radians, clockwise -> (..., 13, 2)."""
    unit = circle(4).to(centre)  # (13, 2)
    x, y = (unit * radii[..., None, :]).unbind(-1)  # (..., 13)
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    return centre[..., None, :] + torch.stack([x * cos - y * sin, x * sin + y * cos], dim=-1)


def halve(cubic: Tensor) -> Tensor:
    """The same curve as two cubics (de Casteljau): (..., 4, 2) -> (..., 7, 2)."""
    a, b, c, d = cubic.unbind(-2)
    ab, bc, cd = (a + b) / 2, (b + c) / 2, (c + d) / 2
    abc, bcd = (ab + bc) / 2, (bc + cd) / 2
    return torch.stack([a, ab, abc, (abc + bcd) / 2, bcd, cd, d], dim=-2)
