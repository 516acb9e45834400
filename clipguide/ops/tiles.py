"""Which pixel is near which line: the part of the renderer that needs no gradient.

The picture is cut into square tiles.  Every straight piece of every shape puts its name down in the tiles it may touch,
so cost follows the area that is covered and not shapes x pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of `side` px over `count` pictures of height x width px; tiles are numbered row by row, then by picture."""

    height: int
    width: int
    side: int
    count: int

    @property
    def down(self) -> int:
        return -(-self.height // self.side)

    @property
    def across(self) -> int:
        return -(-self.width // self.side)

    @property
    def half_diagonal(self) -> float:
        """Distance from a tile's centre to its farthest pixel centre."""
        return (self.side - 1) / 2 * 2**0.5

    def centres(self, tile: Tensor, like: Tensor) -> Tensor:
        """(R,) tile numbers -> (R, 2) x, y."""
        inner = tile % (self.down * self.across)
        xy = torch.stack([inner % self.across, inner // self.across], dim=1)
        return (xy.to(like.dtype) + 0.5) * self.side

    def offsets(self, like: Tensor) -> Tensor:
        """(P, 2): pixel centres of a tile, row by row, measured from the tile's centre."""
        line = torch.arange(self.side, dtype=like.dtype, device=like.device) - (self.side - 1) / 2
        return torch.cartesian_prod(line, line).flip(1)

    def assemble(self, tiles: Tensor) -> Tensor:
        """(C, tiles, P) -> (count, C, height, width)."""
        channels = tiles.shape[0]
        image = tiles.reshape(channels, self.count, self.down, self.across, self.side, self.side)
        image = image.permute(1, 0, 2, 4, 3, 5)
        image = image.reshape(self.count, channels, self.down * self.side, self.across * self.side)
        return image[..., : self.height, : self.width]


@dataclass(frozen=True, slots=True)
class Rows:
    """R pairs (tile, shape), tile after tile and, in a tile, from back to front; for each of a tile's P pixels the
    nearest place on the shape's outline."""

    tile: Tensor  # (R,)
    shape: Tensor  # (R,)
    distance: Tensor  # (R, P)
    piece: Tensor  # (R, P) which straight piece, counted over all shapes
    along: Tensor  # (R, P) where on that piece, 0 at its start, 1 at its end
    inside: Tensor  # (R, P) bool, False wherever the shape is not filled


@torch.no_grad()
def find(lines: Tensor, outline: Tensor, reach: Tensor, filled: Tensor, grid: Grid) -> Rows:
    """Which tiles each shape touches, and the nearest point of its outline for each pixel there.

    lines: (N, K + 1, 2) px, the shapes of picture 0 first, then of picture 1, ...; filled ones end where they start.
    outline: (N, J + 1, 2) px, the same in as few pieces as there may be; what is inside is found by these.
    reach: (N,) px, how far from its outline a shape still shows; negative: it shows nowhere.
    """
    start, end = lines[:, :-1].reshape(-1, 2), lines[:, 1:].reshape(-1, 2)  # (N * K, 2)
    pieces = lines.shape[1] - 1
    tile, piece = _touched(start, end, reach.repeat_interleave(pieces), grid, len(lines))
    if bool(filled.any()):
        tile_in, shape_in = _interior(outline, reach, filled, grid)
        tile, piece = torch.cat([tile, tile_in]), torch.cat([piece, shape_in * pieces])  # any piece will do there
    key = tile * len(lines) + piece // pieces
    key, order = key.sort(stable=True)
    piece = piece[order]
    row_key, row, count = key.unique_consecutive(return_inverse=True, return_counts=True)
    tile, shape = row_key // len(lines), row_key % len(lines)
    centre = grid.centres(tile, lines)
    piece, count, best = _prune(centre, start, end, piece, row, count, grid)
    distance, piece, along = _nearest(centre, start, end, piece, count, grid)
    inside = torch.zeros_like(distance, dtype=torch.bool)
    if bool(filled.any()):
        rows = filled[shape].nonzero()[:, 0]
        inside[rows] = _inside_tile(outline, shape[rows], centre[rows], best[rows], grid)
    return Rows(tile, shape, distance, piece, along, inside)


def _boxes(low: Tensor, high: Tensor, picture: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """The tiles in each of n boxes: low, high (n, 2) px -> (tile, box), both (m,)."""
    last = torch.tensor([grid.across - 1, grid.down - 1], device=low.device)
    first = (low / grid.side).floor().clamp(-1, 1e9).long().clamp_min(0)
    span = ((high / grid.side).floor().clamp(-1, 1e9).long().minimum(last) - first + 1).clamp_min(0)
    count = span.prod(1)
    box = torch.repeat_interleave(count)
    place = torch.arange(len(box), device=low.device) - (count.cumsum(0) - count)[box]
    wide = span[box, 0]
    x, y = first[box, 0] + place % wide, first[box, 1] + place // wide
    return (picture[box] * grid.down + y) * grid.across + x, box


def _touched(start: Tensor, end: Tensor, reach: Tensor, grid: Grid, shapes: int) -> tuple[Tensor, Tensor]:
    """(tile, piece) of every straight piece and every tile that it may show in."""
    shows = (reach >= 0).nonzero()[:, 0]
    per_picture = max(1, len(start) // grid.count)
    a, b, r = start[shows], end[shows], reach[shows]
    low, high = torch.minimum(a, b) - r[:, None], torch.maximum(a, b) + r[:, None]
    tile, box = _boxes(low, high, shows // per_picture, grid)
    distance, _ = _to_piece(grid.centres(tile, start) - a[box], (b - a)[box])
    near = (distance <= r[box] + grid.half_diagonal).nonzero()[:, 0]
    return tile[near], shows[box[near]]


def _to_piece(offset: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
    """Distance from points to straight pieces; offset: point minus start (n, 2), along: end minus start (n, 2)."""
    x, y = offset.unbind(1)
    dx, dy = along.unbind(1)
    t = ((x * dx + y * dy) / (dx * dx + dy * dy + TINY)).clamp(0, 1)
    return torch.hypot(x - t * dx, y - t * dy), t


def _interior(lines: Tensor, reach: Tensor, filled: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """(tile, shape) of the tiles whose centre lies in a filled shape."""
    shows = (filled & (reach >= 0)).nonzero()[:, 0]
    picture = shows // max(1, len(lines) // grid.count)
    tile, box = _boxes(lines[shows].amin(1), lines[shows].amax(1), picture, grid)
    inside = _inside(lines, shows[box], grid.centres(tile, lines)[:, None])[:, 0]
    return tile[inside], shows[box[inside]]


def _inside(lines: Tensor, shape: Tensor, points: Tensor) -> Tensor:
    """Even-odd rule: points (n, P, 2), shape (n,) -> (n, P) bool.  A ray to the right crosses the outline oddly."""
    odd = torch.zeros(points.shape[:2], dtype=torch.bool, device=points.device)
    x, y = points.unbind(-1)
    for k in range(lines.shape[1] - 1):
        (ax, ay), (bx, by) = lines[shape, k].unbind(1), lines[shape, k + 1].unbind(1)
        slope = (bx - ax) / torch.where(by == ay, torch.ones_like(ay), by - ay)
        crosses = (ay[:, None] > y) != (by[:, None] > y)
        odd ^= crosses & (x < (y - ay[:, None]) * slope[:, None] + ax[:, None])
    return odd


def _inside_tile(lines: Tensor, shape: Tensor, centre: Tensor, distance: Tensor, grid: Grid) -> Tensor:
    """(n, P) bool; a tile whose centre is far from the outline has one answer for all its pixels."""
    inside = _inside(lines, shape, centre[:, None]).expand(-1, grid.side**2).clone()
    mixed = (distance <= grid.half_diagonal + 1e-3).nonzero()[:, 0]
    points = centre[mixed, None] + grid.offsets(lines)
    inside[mixed] = _inside(lines, shape[mixed], points)
    return inside


def _prune(centre, start, end, piece, row, count, grid) -> tuple[Tensor, Tensor, Tensor]:
    """Drops the pieces of a row that are nearest to none of its pixels -> (piece, count per row, least distance)."""
    distance, _ = _to_piece(centre[row] - start[piece], (end - start)[piece])
    best = torch.full_like(centre[:, 0], torch.inf).scatter_reduce(0, row, distance, "amin")
    keep = (distance <= best[row] + 2 * grid.half_diagonal + 1e-3).nonzero()[:, 0]
    return piece[keep], torch.bincount(row[keep], minlength=len(count)), best


def _nearest(centre: Tensor, start: Tensor, end: Tensor, piece: Tensor, count: Tensor, grid: Grid):
    """For each pixel of each row: distance to the nearest of the row's pieces, that piece, and where on it.

    Rows with most pieces come first, so that round j works on a slice: the rows that have more than j.
    """
    first = count.cumsum(0) - count
    count, order = count.sort(descending=True, stable=True)
    first, centre, offsets = first[order], centre[order], grid.offsets(centre)
    best = centre.new_full((len(count), len(offsets)), torch.inf)
    which, along = torch.zeros_like(best, dtype=torch.long), torch.zeros_like(best)
    square = (offsets**2).sum(1)  # (P,)
    for j in range(int(count[0]) if len(count) else 0):
        n = int((count > j).sum())
        name = piece[first[:n] + j]
        base, step = centre[:n] - start[name], end[name] - start[name]
        length = (step**2).sum(1, keepdim=True)
        scaled = step / (length + TINY)
        u = torch.addmm((base * scaled).sum(1, keepdim=True), scaled, offsets.T)  # (n, P)
        t = u.clamp(0, 1)
        far = torch.addmm((base**2).sum(1, keepdim=True) + square, base, offsets.T, alpha=2)
        far -= length * t * (2 * u - t)  # squared distance
        better = far < best[:n]
        best[:n] = torch.where(better, far, best[:n])
        which[:n] = torch.where(better, name[:, None], which[:n])
        along[:n] = torch.where(better, t, along[:n])
    back = torch.empty_like(order).scatter(0, order, torch.arange(len(order), device=order.device))
    return best.clamp_min(0).sqrt()[back], which[back], along[back]
