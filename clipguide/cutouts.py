"""Through which windows the picture is judged.

A `Cutouts` is a function (tick, side) -> `Crop`: it rolls the dice once, and the crop then shows any image through the
same windows.  All views come out of one batched warp; where a view shrinks the picture, it is halved first, so that
nothing aliases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache, partial

import torch
from torch import Tensor

from clipguide.core import Cutouts, Tick
from clipguide.ops.colour import jitter_matrices
from clipguide.ops.warp import outside, sample, window_points

SQUARE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])  # corners as (x, y)
OVERHANG = 0.1  # of a close window's side may lie outside the picture, so that edges are seen as often as the middle
MIRROR = 0.5  # share of mirrored views for a picture from nothing: none frames scenes, all unshapes things (by eye)
NOISE_SHIFT = 1009  # numbers on the tape from where one view's noise begins to where the next one's does
NOISE_STARTS = 1 << 17  # places where the first may begin


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
    mirror: int = 0  # to so many of them, the first, its mirror image lies outside the picture; to the others the fill
    fill: Tensor = field(default_factory=lambda: torch.empty(0))
    colour: Tensor | None = None  # (n, 3, 3)
    noise: tuple[Tensor, Tensor] | None = None  # (n, 3, S, S) and its standard deviations (n, 1, 1, 1)
    holes: Tensor | None = None  # (n, 4) as x0, y0, x1, y1 in px of the view, integers

    @property
    def count(self) -> int:
        return len(self.extent)

    def part(self, chunk: int, chunks: int) -> Windows:
        """Every chunks-th view, so that each share has near and far ones."""
        take = slice(chunk, None, chunks)
        return replace(
            self,
            place=self.place[take],
            extent=self.extent[take],
            far=self.far[take],
            shape=self.shape[take],
            mirror=len(range(chunk, self.mirror, chunks)),
            fill=self.fill[take],
            colour=None if self.colour is None else self.colour[take],
            noise=self.noise and (self.noise[0][take], self.noise[1][take]),
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
        views = sample(image, points, levels, mirror=self.mirror, hidden=hidden, colour=colour, ground=ground)
        return views.flatten(0, 1)

    def _ground(self, points: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What lies over the picture and around it, (n, 3, S, S), and 1 where it hides it, (n, S, S)."""
        ground = None if self.noise is None else self.noise[0].to(points) * self.noise[1].to(points)
        hidden = self._hidden(points)
        if hidden is not None:
            past, fill = hidden[:, None], self._coloured_fill().to(points)
            ground = past * fill if ground is None else ground.addcmul_(past, fill)
        return ground, hidden

    def _hidden(self, points: Tensor) -> Tensor | None:
        """(n, S, S), 1 past the picture's edges and in the hole, 0 elsewhere."""
        if self.mirror == self.count and self.holes is None:
            return None
        hidden = points.new_zeros(points.shape[1:])
        hidden[self.mirror :] = outside(points[:, self.mirror :])
        for view, (x0, y0, x1, y1) in zip(hidden, [] if self.holes is None else self.holes.tolist(), strict=False):
            view[y0:y1, x0:x1] = 1
        return hidden

    def _coloured_fill(self) -> Tensor:
        """(n, 3, 1, 1)."""
        fill = self.fill[..., None]
        return (fill if self.colour is None else self.colour @ fill)[..., None]


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
        is_far, size = _spread(count, max(round(count * wide), int(wide > 0))), roll(count)
        return Windows(
            side,
            place=roll(count, 2),
            extent=torch.where(is_far, 1 + 0.15 * size, low + (high - low) * size),
            far=is_far,
            shape=_shapes(roll(count, 10), turn, perspective),
            mirror=round(count * mirror),
            fill=roll(count, 1).expand(-1, 3),
            colour=_colours(roll(3, count), jitter),
            noise=_noise(tick, side, roll(count), noise),
            holes=_holes(side, roll(count, 5), erase),
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


def _spread(count: int, chosen: int) -> Tensor:
    """(count,) `chosen` of them true, at even distances: among the first as many as among the last."""
    return (torch.arange(1, count + 1) * chosen) // count > (torch.arange(count) * chosen) // count


def _shapes(dice: Tensor, turn: float, perspective: float) -> Tensor:
    """(n, 4, 2): bent, turned and mirrored squares."""
    corners = SQUARE - 0.5 + (dice[:, :8].unflatten(1, (4, 2)) - 0.5) * perspective
    turns = torch.polar(torch.ones(len(dice), 1), (dice[:, 8:9] * 2 - 1) * math.radians(turn))
    shapes = torch.view_as_real(torch.view_as_complex(corners) * turns)
    shapes[..., 0] *= torch.where(dice[:, 9:] < 0.5, -1.0, 1.0)
    return shapes


def _colours(dice: Tensor, jitter: float) -> Tensor | None:
    if not jitter:
        return None
    hue, saturation, gain = (dice * 2 - 1) * jitter
    return jitter_matrices(hue * math.pi, 1 + 2 * saturation, 1 + gain)


def _noise(tick: Tick, side: int, dice: Tensor, noise: float) -> tuple[Tensor, Tensor] | None:
    """Each view's noise is a stretch of one long tape, which begins anywhere and goes on in the next view's."""
    if not noise:
        return None
    begin = int(torch.randint(NOISE_STARTS, (), generator=tick.rng))
    tape = _tape(3 * side * side + NOISE_STARTS + NOISE_SHIFT * len(dice))
    views = tape.as_strided((len(dice), 3, side, side), (NOISE_SHIFT, side * side, side, 1), begin)
    return views, ((dice * 2 - 1) * noise)[:, None, None, None]


@cache
def _tape(length: int) -> Tensor:
    """Normal numbers, the same in all runs: rolling them at each step would take as long as all other dice."""
    return torch.randn(length, generator=torch.Generator().manual_seed(0))


def _holes(side: int, dice: Tensor, erase: float) -> Tensor | None:
    if not erase:
        return None
    size = 0.15 + 0.3 * dice[:, :2]
    corner = dice[:, 2:4] * (1 - size)
    return (torch.cat([corner, corner + size], 1) * (dice[:, 4:] < erase) * side).round().int()
