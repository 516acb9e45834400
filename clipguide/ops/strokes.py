"""Draws Bezier strokes and filled shapes so that gradients reach their points, widths, colours and opacity.

Which pixel lies near which piece of which shape is found without a gradient (`tiles`).  The distance from a pixel to a
fixed place on the outline then carries the gradient: moving that place along the outline changes the distance only to
second order, so this is the true derivative (the envelope theorem).  Only pixels on an edge take part in it.

A differentiable vector renderer is diffvg's idea (Li et al. 2020); the method here is another one, in plain torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from clipguide.ops import curves, tiles

SOFT = 0.75  # px, half the width of an edge's ramp: the best fit to 256-fold supersampling among 0.5 ... 1.0
FARTHEST = 1e5  # px: what lies farther out is not drawn
STRAIGHT = 1e-3  # px: a chain that bends less is a polygon
OPAQUE = 1.0 - 1e-6  # the logarithm of what shines through stays finite


@dataclass(frozen=True, slots=True)
class Paths:
    """S shapes from back to front, or B pictures of S shapes each (every tensor with a leading B).

    A shape with `filled` False is a stroke with round ends and joints; True is the area inside (even-odd), grown by
    half its width.  Strokes narrower than a pixel fade in proportion.  Width 0 and areas thinner than a pixel fade to
    nothing; a stroke whose points coincide is a dot, as in SVG.  Shapes with a number that is not finite, a negative
    width or a point farther out than 1e5 px are not drawn and get zero gradients.
    """

    points: Tensor  # (S, 3 n + 1, 2) px, x to the right, y down, (0, 0) the upper left corner: chains as in `curves`
    widths: Tensor  # (S,) px
    colours: Tensor  # (S, 3) sRGB in [0, 1]
    opacity: Tensor  # (S,) in [0, 1]
    filled: Tensor  # (S,) bool

    def scaled(self, factor: float) -> Paths:
        """The same drawing for a picture `factor` times as large."""
        return Paths(self.points * factor, self.widths * factor, self.colours, self.opacity, self.filled)

    def map(self, change: Callable[[Tensor], Tensor]) -> Paths:
        """Every tensor changed alike: `paths.map(lambda part: part[:10])` are the ten shapes at the back."""
        return Paths(*map(change, (self.points, self.widths, self.colours, self.opacity, self.filled)))


def joined(parts: Sequence[Paths], dim: int) -> Paths:
    """Several drawings as one, along a dimension that all their tensors have: later shapes in front, or a batch."""
    return Paths(*(torch.cat([getattr(part, field.name) for part in parts], dim) for field in fields(Paths)))


def draw(paths: Paths, size: tuple[int, int], *, soft: float = SOFT, tolerance: float = 0.1) -> Tensor:
    """Draws on a transparent ground, each shape over those behind it.

    size: (height, width) in px.  soft: half the width of an edge's ramp, px.  tolerance: how far, in px, a curve's
    straight pieces may lie off it.
    -> (B, 4, H, W): red, green, blue multiplied by alpha, and alpha.  B is 1 for unbatched paths.
    """
    return _composite(*_shown(paths, size, soft, tolerance))


def glaze(paths: Paths, size: tuple[int, int], *, soft: float = SOFT, tolerance: float = 0.1) -> Tensor:
    """Draws with transparent inks that darken each other, in whatever order (SVG's blend mode "multiply").

    Arguments as `draw`.  -> (B, 3, H, W) in [0, 1]: the factor by which each pixel of the paper is multiplied.
    """
    return _multiply(*_shown(paths, size, soft, tolerance))


def _shown(paths: Paths, size: tuple[int, int], soft: float, tolerance: float):
    """What `_composite` and `_multiply` mix: alpha (R, P), colours (N, 3), the rows, the grid."""
    batch = len(paths.points) if paths.points.dim() == 4 else 1
    paths = paths.map(lambda part: part.flatten(0, 1)) if paths.points.dim() == 4 else paths
    paths, drawn = _sound(paths)
    side = _tile_side(size)
    grid = tiles.Grid(*size, side, batch)
    per_cubic = curves.pieces_for(paths.points, tolerance=tolerance, longest=8.0 * side) if len(paths.points) else 1
    lines = _closed(curves.flatten(paths.points, per_cubic), paths.filled)
    reach = torch.where(drawn, paths.widths.detach() / 2 + soft, -1.0)
    # polygons need no short pieces to tell what is in them, which is most of the work for large ones
    bent = not len(paths.points) or curves.bend(paths.points) > STRAIGHT
    outline = lines if bent else _closed(paths.points[:, ::3], paths.filled)
    rows = tiles.find(lines.detach(), outline.detach(), reach, paths.filled, grid)
    opacity = paths.opacity * torch.where(paths.filled, _thickness(lines), 1.0)
    alpha = _coverage(lines, paths.widths, paths.filled, rows, grid, soft) * opacity[rows.shape, None]
    return alpha, paths.colours, rows, grid


def over(layer: Tensor, background: Tensor) -> Tensor:
    """Lays a drawing (B, 4, H, W) over a background that broadcasts to (B, 3, H, W) -> (B, 3, H, W)."""
    return layer[:, :3] + (1 - layer[:, 3:]) * background


def _sound(paths: Paths) -> tuple[Paths, Tensor]:
    """Takes out what cannot be drawn: its numbers become zeros that no gradient leaves."""
    parts = (paths.points.flatten(1), paths.colours, paths.widths[:, None], paths.opacity[:, None])
    finite = torch.stack([part.detach().isfinite().all(1) for part in parts]).all(0)
    near = paths.points.detach().abs().flatten(1).amax(1) <= FARTHEST  # False for NaN
    drawn = finite & near & (paths.filled | (paths.widths.detach() > 0)) & (paths.widths.detach() >= 0)
    points = torch.where(drawn[:, None, None], paths.points, 0.0)
    colours = torch.where(drawn[:, None], paths.colours, 0.0)
    widths, opacity = torch.where(drawn, paths.widths, 0.0), torch.where(drawn, paths.opacity, 0.0)
    return Paths(points, widths, colours, opacity, paths.filled), drawn


def _tile_side(size: tuple[int, int]) -> int:
    """4 px up to 384 px, then growing with the picture: the number of tiles stays about the same."""
    side = 4
    while side * 96 < min(size):
        side *= 2
    return side


def _closed(lines: Tensor, filled: Tensor) -> Tensor:
    """Adds the straight piece that closes a filled outline; strokes get an empty one at their end."""
    if not bool(filled.any()):
        return lines
    last = torch.where(filled[:, None, None], lines[:, :1], lines[:, -1:])
    return torch.cat([lines, last], dim=1)


def _thickness(lines: Tensor) -> Tensor:
    """1 for areas thicker than about a pixel, falling to 0 as the outline collapses into a line: (N,)."""
    x, y = (lines - lines.mean(1, keepdim=True)).unbind(-1)
    xx, yy, xy = (x * x).mean(1), (y * y).mean(1), (x * y).mean(1)
    variance = (xx * yy - xy * xy) / (xx + yy + 1e-6)  # across the outline's long axis, px squared
    return (10.0 * variance).clamp(0.0, 1.0)


def _ramp(x: Tensor, soft: float) -> Tensor:
    """Smooth step from 0 at -soft to 1 at soft."""
    t = (x / (2 * soft) + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _coverage(lines: Tensor, widths: Tensor, filled: Tensor, rows: tiles.Rows, grid: tiles.Grid, soft: float) -> Tensor:
    """(R, P): the part of each pixel that its shape covers."""
    sign = 1.0 - 2.0 * rows.inside.to(lines.dtype)
    depth = widths.detach()[rows.shape, None] / 2 - sign * rows.distance
    edge = (depth.abs() < soft).flatten().nonzero()[:, 0]
    row, pixel = edge // grid.side**2, edge % grid.side**2
    piece, along = rows.piece.flatten()[edge], rows.along.flatten()[edge, None]
    start = piece + piece // (lines.shape[1] - 1)  # a shape has one point more than pieces
    points = lines.flatten(0, 1)
    place = points.index_select(0, start) * (1 - along) + points.index_select(0, start + 1) * along
    offset = grid.centres(rows.tile, lines)[row] + grid.offsets(lines)[pixel] - place
    distance = (offset.square().sum(1) + tiles.TINY).sqrt() * sign.flatten()[edge]
    shape = rows.shape[row]
    half = widths.index_select(0, shape) / 2
    far_side = _ramp(-half - distance, soft) * ~filled[shape]  # an area has none
    cover = _ramp(half - distance, soft) - far_side
    return (depth >= soft).to(lines.dtype).flatten().index_put((edge,), cover).view_as(depth)


def _composite(alpha: Tensor, colours: Tensor, rows: tiles.Rows, grid: tiles.Grid) -> Tensor:
    """Each shape over those behind it: alpha (R, P) -> (B, 4, H, W)."""
    exact = alpha.cpu() if alpha.device.type == "mps" else alpha  # Apple's GPU has no float64
    through = torch.log1p(-exact.double() * OPAQUE).cumsum(0)  # of this row and all rows before it
    ends = torch.searchsorted(rows.tile, rows.tile, right=True) - 1  # the front row of each row's tile
    weight = alpha * (through[ends.to(through.device)] - through).exp().to(alpha)
    colour = torch.cat([colours, torch.ones_like(colours[:, :1])], dim=1)[rows.shape]  # (R, 4)
    count = grid.count * grid.down * grid.across
    seen = alpha.new_zeros(count, 4, alpha.shape[1])
    seen = seen.index_add(0, rows.tile, colour[:, :, None] * weight[:, None])
    return grid.assemble(seen.transpose(0, 1))


def _multiply(alpha: Tensor, colours: Tensor, rows: tiles.Rows, grid: tiles.Grid) -> Tensor:
    """All inks on top of each other: alpha (R, P) -> (B, 3, H, W)."""
    held_back = 1 - colours[rows.shape]  # (R, 3)
    passes = torch.log1p(-OPAQUE * held_back[:, :, None] * alpha[:, None])  # (R, 3, P)
    count = grid.count * grid.down * grid.across
    seen = alpha.new_zeros(count, 3, alpha.shape[1]).index_add(0, rows.tile, passes)
    return grid.assemble(seen.exp().transpose(0, 1))
