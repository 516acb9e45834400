"""Which cell of a grid each pixel belongs to: squares, bricks, hexagons, cross-stitches, tesserae; their symmetries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Shape = Literal["square", "brick", "hexagon", "stitch", "tessera"]
Symmetry = Literal["none", "left-right", "top-bottom", "both", "turn"]
PACKED = 3**0.5 / 2  # the rows of regular hexagons stand so much closer than their columns
STITCH = 0.24  # half the width of a thread, as a share of the cell
LOOSE = 0.3  # how far the middle of a mosaic's stone may lie off its place, in cells
JOINT = 0.07  # half the width of the mortar between two stones, in cells


@dataclass(frozen=True, slots=True)
class Cells:
    """A picture's pixels shared out to rows x columns cells.

    across: the cells side by side in a row; `columns` has one more where every second row begins half a cell earlier.
    index: (H, W) the cell of each pixel, numbered row by row.  thread: (H, W) in [0, 1], how much of the cell's colour
    the pixel has; the rest is the fabric's, (3,) sRGB in [0, 1].
    """

    rows: int
    columns: int
    across: int
    index: Tensor
    thread: Tensor
    fabric: Tensor

    def show(self, colours: Tensor) -> Tensor:
        """(B, C, rows, columns) -> (B, C, H, W): every pixel the colour of its cell."""
        index = self.index.to(colours.device)
        return colours.flatten(2).index_select(2, index.flatten()).unflatten(2, tuple(index.shape))

    def paint(self, colours: Tensor) -> Tensor:
        """(B, 3, rows, columns) -> (B, 3, H, W): `show`, with the fabric between the threads."""
        thread, fabric = self.thread.to(colours), self.fabric.to(colours)[:, None, None]
        return self.show(colours) * thread + fabric * (1 - thread)

    def mean(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, rows, columns): the mean over each cell's pixels; 0 for a cell without any."""
        flat = self.index.flatten().to(image.device)
        counts = torch.zeros(self.rows * self.columns).to(image).index_add(0, flat, torch.ones(len(flat)).to(image))
        sums = image.new_zeros(*image.shape[:2], len(counts)).index_add(2, flat, image.flatten(2))
        return (sums / counts.clamp(min=1)).unflatten(2, (self.rows, self.columns))

    def shrink(self, colours: Tensor) -> Tensor:
        """(B, C, rows, columns) -> (B, C, rows, across): the picture at one pixel a cell, its symmetry included."""
        height, width = self.index.shape
        down = ((torch.arange(self.rows) + 0.5) * height / self.rows).long()
        right = ((torch.arange(self.across) + 0.5) * width / self.across).long()
        index = self.index[down][:, right].to(colours.device)
        return colours.flatten(2).index_select(2, index.flatten()).unflatten(2, (self.rows, self.across))


def cells(
    shape: Shape,
    size: tuple[int, int],
    side: float,
    *,
    aspect: float = 1.0,
    symmetry: Symmetry = "none",
    fabric: Tensor | None = None,
) -> Cells:
    """size: (width, height) of the picture in px.  side: width of a cell in px.  aspect: its width over its height.
    fabric: (3,) the colour between stitches, or between a mosaic's stones; white where it is None.

    Where the picture is no whole number of cells wide or high, the cells are a little larger or smaller instead.
    """
    width, height = size
    across = max(1, round(width / side))
    high = side / aspect * (PACKED if shape == "hexagon" else 1)
    rows = max(1, round(height / high))
    x = (torch.arange(width) + 0.5) * across / width  # in cells
    y = (torch.arange(height) + 0.5) * rows / height
    columns = across + (shape in ("brick", "hexagon"))
    thread = torch.ones(height, width)
    if shape == "tessera":
        index, thread = _tesserae(x, y, rows, columns)
    elif shape == "hexagon":
        index = _hexagons(x, y, rows, columns)
    else:
        index = _boxes(x, y, columns, shift=shape == "brick")
        thread = _stitches(x, y) if shape == "stitch" else thread
    return Cells(rows, columns, across, fold(index, symmetry), thread, torch.ones(3) if fabric is None else fabric)


def _boxes(x: Tensor, y: Tensor, columns: int, *, shift: bool) -> Tensor:
    row = y.long()[:, None]
    column = (x[None] + 0.5 * (row % 2) * shift).long()
    return row * columns + column


def _hexagons(x: Tensor, y: Tensor, rows: int, columns: int) -> Tensor:
    """Each pixel to the nearest of the staggered centres: the cells come out as hexagons that stand on a corner."""
    best, index = torch.full((len(y), len(x)), torch.inf), torch.zeros(len(y), len(x), dtype=torch.long)
    for step in (-1, 0, 1):
        row = (y.floor() + step).clamp(0, rows - 1)[:, None]
        stagger = 0.5 * (row % 2)
        column = (x[None] + stagger).floor()
        distance = (x[None] - column - 0.5 + stagger).square() + (PACKED * (y[:, None] - row - 0.5)).square()
        index = torch.where(distance < best, (row * columns + column).long(), index)
        best = torch.minimum(best, distance)
    return index


def _tesserae(x: Tensor, y: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Each pixel to the nearest of loosely laid centres, and (H, W) in [0, 1] how much of it is stone, not mortar."""
    loose = torch.rand(2, rows, columns, generator=torch.Generator().manual_seed(0)) * 2 - 1
    distances, indices = [], []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            row = (y.long() + down).clamp(0, rows - 1)[:, None].expand(-1, len(x))
            column = (x.long() + right).clamp(0, columns - 1)[None].expand(len(y), -1)
            dy = y[:, None] - row - 0.5 - LOOSE * loose[0, row, column]
            dx = x[None] - column - 0.5 - LOOSE * loose[1, row, column]
            indices.append(row * columns + column)
            distances.append(torch.hypot(dx, dy))
    distance, index = torch.stack(distances), torch.stack(indices)
    nearest, first = distance.min(0)
    own = index.gather(0, first[None])[0]
    other = torch.where(index == own, torch.inf, distance).amin(0)  # at the border a centre was asked more than once
    return own, ((other - nearest) / 2 / JOINT - 0.5).clamp(0, 1)


def _stitches(x: Tensor, y: Tensor) -> Tensor:
    """Two crossed threads in each cell, the upper one with a shadow at its edges."""
    u, v = (x % 1 - 0.5)[None], (y % 1 - 0.5)[:, None]
    lower, upper = (u - v).abs() / 2**0.5, (u + v).abs() / 2**0.5
    ends = ((u.abs() < 0.47) & (v.abs() < 0.47)).float()
    covered = torch.maximum((lower < STITCH).float() * 0.85, (upper < STITCH).float())
    return covered * ends


def fold(index: Tensor, symmetry: Symmetry) -> Tensor:
    """(H, W) -> (H, W): one half of the picture takes the other half's cells, mirrored or turned."""
    index = index.clone()
    half_width, half_height = index.shape[1] // 2, index.shape[0] // 2
    if symmetry in ("left-right", "both"):
        index[:, -half_width:] = index[:, :half_width].flip(1)
    if symmetry in ("top-bottom", "both"):
        index[-half_height:] = index[:half_height].flip(0)
    if symmetry == "turn":
        index[-half_height:] = index[:half_height].flip(0, 1)
    return index
