"""Through which windows the picture is judged.

A `Cutouts` is a function (tick, side) -> `Crop`: it rolls the dice once, and the crop then shows any image through the
same windows.  All views come out of one batched warp; where a view shrinks the picture, it is halved first, so that
nothing aliases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from clipguide.core import Cutouts, Tick
from clipguide.ops.colour import jitter_matrices
from clipguide.ops.warp import outside, sample, window_points

SQUARE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])  # corners as (x, y)
OVERHANG = 0.1  # of a close window's side may lie outside the picture, so that edges are seen as often as the middle
MIRROR = 0.5  # share of mirrored views for a picture from nothing: none frames scenes, all unshapes things (by eye)
NOISE_MARGIN = 64  # px: one sheet of noise serves all views, each through its own window


@dataclass(frozen=True, slots=True)
class Windows:
    """Dice already rolled: n windows of `side` px, each with its own colours, noise and holes.  A `core.Crop`.

    place: (n, 2) in [0, 1], from one edge of the picture to the other.  extent: (n,) the window's side as a share of
    the picture's longer side where `far` (n,) holds, of its shorter side elsewhere.  shape: (n, 4, 2) the corners
    about 0 of a window of side 1.  fill: (n, 3) what lies outside, and in the hole.
    """

    side: int
    place: Tensor
    extent: Tensor
    far: Tensor
    shape: Tensor
    mirror: Tensor | None = None  # (n,) 1 where its mirror image lies outside the picture, 0 where the fill does
    fill: Tensor = field(default_factory=lambda: torch.empty(0))
    colour: Tensor | None = None  # (n, 3, 3)
    noise: tuple[Tensor, Tensor, Tensor] | None = None  # sheet (3, S + margin, S + margin), offsets (n, 2), scales (n,)
    holes: Tensor | None = None  # (n, 4) as x0, y0, x1, y1 in the view's unit square

    @property
    def count(self) -> int:
        return len(self.extent)

    def part(self, chunk: int, chunks: int) -> Windows:
        """Every chunks-th view, so that each share has near and far ones."""
        take = slice(chunk, None, chunks)
        noise = self.noise and (self.noise[0], self.noise[1][take], self.noise[2][take])
        return replace(
            self,
            place=self.place[take],
            extent=self.extent[take],
            far=self.far[take],
            shape=self.shape[take],
            mirror=None if self.mirror is None else self.mirror[take],
            fill=self.fill[take],
            colour=None if self.colour is None else self.colour[take],
            noise=noise,
            holes=None if self.holes is None else self.holes[take],
        )

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (n * B, 3, side, side), view after view."""
        height, width = image.shape[-2:]
        pixels = self.extent * torch.where(self.far, max(height, width), min(height, width))  # (n,)
        extent = pixels[:, None] / torch.tensor([width, height])  # (n, 2)
        inside, spare = (extent * (0.5 - OVERHANG)).clamp(max=0.5), (1 - extent / 2).clamp(max=0.5)
        reach = torch.where(self.far[:, None], spare, inside)  # the centre's least distance from an edge
        centre = reach + self.place * (1 - 2 * reach)
        corners = centre[:, None] + self.shape * extent[:, None]
        levels = (pixels / self.side).clamp(min=1).log2().round().long()
        points = window_points(corners.to(image), self.side)
        ground, hidden = self._ground(points)
        colour = None if self.colour is None else self.colour.to(image)
        folded = self.mirror is not None
        views = sample(image, points, levels, mirror=folded, hidden=hidden, colour=colour, ground=ground)
        return views.flatten(0, 1)

    def _ground(self, points: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What lies over the picture and around it, (n, 3, S, S), and 1 where it hides it, (n, S, S)."""
        ground = None if self.noise is None else self._noise(points)
        hidden = self._hidden(points)
        if hidden is not None:
            past, fill = hidden[:, None], self._coloured_fill().to(points)
            ground = past * fill if ground is None else ground.addcmul_(past, fill)
        return ground, hidden

    def _hidden(self, points: Tensor) -> Tensor | None:
        """(n, S, S), 1 past the picture's edges and in the hole, 0 elsewhere."""
        hole = None if self.holes is None else self._hole().to(points)
        if self.mirror is not None and self.mirror.all():
            return hole
        past = outside(points)
        if self.mirror is not None:
            past *= 1 - self.mirror.to(points)[:, None, None]
        return past if hole is None else torch.maximum(past, hole)

    def _coloured_fill(self) -> Tensor:
        """(n, 3, 1, 1)."""
        fill = self.fill[..., None]
        return (fill if self.colour is None else self.colour @ fill)[..., None]

    def _noise(self, like: Tensor) -> Tensor:
        """(n, 3, S, S)."""
        sheet, offsets, scales = self.noise
        sheet, side = sheet.to(like), self.side
        noise = like.new_empty(self.count, 3, side, side)
        for view, (x, y), scale in zip(noise, offsets.tolist(), scales.tolist(), strict=True):
            torch.mul(sheet[:, y : y + side, x : x + side], scale, out=view)  # in one pass, which gathering is not
        return noise

    def _hole(self) -> Tensor:
        """(n, S, S), 1 in the hole and 0 elsewhere."""
        ticks = (torch.arange(self.side) + 0.5) / self.side
        x0, y0, x1, y1 = self.holes[:, :, None].unbind(1)
        column, row = ((ticks >= x0) & (ticks < x1)).float(), ((ticks >= y0) & (ticks < y1)).float()  # (n, S)
        return row[:, :, None] * column[:, None, :]


def whole() -> Cutouts:
    """One clean view of all of the picture at its true aspect, on mid grey.  For scores."""

    def cut(tick: Tick, side: int) -> Windows:
        middle, grey = torch.full((1, 2), 0.5), torch.full((1, 3), 0.5)
        return Windows(side, middle, torch.ones(1), torch.ones(1, dtype=torch.bool), (SQUARE - 0.5)[None], fill=grey)

    return cut


def crops(
    count: int,
    *,
    zoom: tuple[float, float] = (0.4, 0.95),
    wide: float = 0.4,
    turn: float = 12.0,
    perspective: float = 0.2,
    jitter: float = 0.1,
    noise: float = 0.1,
    erase: float = 0.3,
    late: tuple[float, float] | None = None,
    mirror: float = 0.0,
) -> Cutouts:
    """`count` random views: a share `wide` shows the whole picture at its true aspect, the others zoom in.

    zoom: range of a close view's side, as a share of the picture's shorter side; it moves to `late` by the end of the
    run.  turn: degrees either way.  perspective: shift of the corners, as a share of the side.  jitter: largest change
    of hue (in half turns) and brightness, and twice that of saturation.  noise: largest standard deviation.  erase: the
    share of views with a hole.  mirror: the share of views to which its mirror image lies outside the picture, instead
    of a random grey.  The mix is pixray's; affine, perspective, jitter and holes are VQGAN+CLIP's.
    """

    def cut(tick: Tick, side: int) -> Windows:
        roll = partial(torch.rand, generator=tick.rng)
        low, high = _between(zoom, late or zoom, tick.progress)
        is_far, size = torch.arange(count) < max(round(count * wide), int(wide > 0)), roll(count)
        return Windows(
            side,
            place=roll(count, 2),
            extent=torch.where(is_far, 1 + 0.15 * size, low + (high - low) * size),
            far=is_far,
            shape=_shapes(roll(count, 10), turn, perspective),
            mirror=_mirrored(tick, count, mirror),
            fill=roll(count, 1).expand(-1, 3),
            colour=_colours(roll(3, count), jitter),
            noise=_noise(tick, side, roll(count, 3), noise),
            holes=_holes(roll(count, 5), erase),
        )

    return cut


def patches(count: int, *, extent: float = 0.25, perspective: float = 0.5) -> Cutouts:
    """`count` close views, each `extent` of the shorter side, bent in perspective: CLIPstyler's patches, which however
    see black where they bend out of the picture; here they see its mirror image."""
    clean = {"turn": 0.0, "jitter": 0.0, "noise": 0.0, "erase": 0.0}
    return crops(count, zoom=(extent, extent), wide=0.0, perspective=perspective, mirror=1.0, **clean)


def on(colour: Tensor, cutouts: Cutouts) -> Cutouts:
    """The same windows, with `colour` (3,) in [0, 1] around the picture: a drawing goes on as paper."""

    def cut(tick: Tick, side: int) -> Windows:
        windows = cutouts(tick, side)
        return replace(windows, fill=colour.expand(windows.count, 3))

    return cut


def _between(start: tuple[float, float], end: tuple[float, float], progress: float) -> tuple[float, float]:
    low, high = (a + (b - a) * progress for a, b in zip(start, end, strict=True))
    return low, high


def _shapes(dice: Tensor, turn: float, perspective: float) -> Tensor:
    """(n, 4, 2): bent, turned and mirrored squares."""
    corners = SQUARE - 0.5 + (dice[:, :8].unflatten(1, (4, 2)) - 0.5) * perspective
    angle = (dice[:, 8] * 2 - 1) * math.radians(turn)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (n, 2, 2)
    flip = torch.where(dice[:, 9] < 0.5, -1.0, 1.0)
    return (corners @ matrix.mT) * torch.stack([flip, torch.ones_like(flip)], -1)[:, None]


def _colours(dice: Tensor, jitter: float) -> Tensor | None:
    if not jitter:
        return None
    hue, saturation, gain = (dice * 2 - 1) * jitter
    return jitter_matrices(hue * math.pi, 1 + 2 * saturation, 1 + gain)


def _mirrored(tick: Tick, count: int, share: float) -> Tensor | None:
    if not share:
        return None
    return (torch.rand(count, generator=tick.rng) < share).float() if share < 1 else torch.ones(count)


def _noise(tick: Tick, side: int, dice: Tensor, noise: float) -> tuple[Tensor, Tensor, Tensor] | None:
    if not noise:
        return None
    sheet = torch.randn(3, side + NOISE_MARGIN, side + NOISE_MARGIN, generator=tick.rng)
    return sheet, (dice[:, :2] * NOISE_MARGIN).long(), dice[:, 2] * noise


def _holes(dice: Tensor, erase: float) -> Tensor | None:
    if not erase:
        return None
    size = 0.15 + 0.3 * dice[:, :2]
    corner = dice[:, 2:4] * (1 - size)
    return torch.cat([corner, corner + size], 1) * (dice[:, 4:] < erase)
