"""The canvas that a scene is drawn on, and the few means that everything is drawn with: noise, ridges, masks, a
pen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Rng = np.random.Generator
Colour = Sequence[float]  # red, green, blue in [0, 1]

SIDE = 160
ROWS, COLUMNS = (axis.astype(np.float32) for axis in np.mgrid[:SIDE, :SIDE])


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day or a weather: sky colours from the zenith down, the tint of all things, and what the sky holds."""

    skies: Sequence[tuple[str, Sequence[Colour]]]  # a word for the sky's colour, and the colours
    tint: Colour
    haze: float = 0.6  # how far the farthest layer fades into the sky's lowest colour
    lit: bool = False  # whether windows and lamps are on


@dataclass(slots=True)
class Canvas:
    """(SIDE, SIDE, 3) pixels in [0, 1], the dice, the light, the row of the horizon and the chosen sky's colours."""

    rng: Rng
    light: Light
    sky: Sequence[Colour]
    horizon: float = 0.6
    pixels: NDArray = field(default_factory=lambda: np.zeros((SIDE, SIDE, 3), np.float32))

    def tinted(self, colour: Colour, depth: float = 0.0) -> NDArray:
        """A thing's colour in this light; `depth` 0 is near, 1 lies at the horizon and fades into the sky."""
        shaded = np.asarray(colour, np.float32) * np.asarray(self.light.tint, np.float32)
        return shaded + (np.asarray(self.sky[-1], np.float32) - shaded) * depth * self.light.haze

    def blend(self, colour: Colour | NDArray, mask: NDArray) -> None:
        """Lay a colour, or (SIDE, SIDE, 3) colours, over the pixels through a mask (SIDE, SIDE) in [0, 1]."""
        self.pixels += (np.asarray(colour, np.float32) - self.pixels) * mask[..., None]

    def glow(self, colour: Colour, mask: NDArray) -> None:
        """Add light."""
        self.pixels += np.asarray(colour, np.float32) * mask[..., None]

    def draw(self, shapes: Callable[[Pen], None], blur: float = 0.0, glow: bool = False) -> None:
        """Let `shapes(pen)` draw in units of the canvas' side, smooth-edged; blurred, or added as light, where
        asked.
        """
        layer = Image.new("RGBA", (2 * SIDE, 2 * SIDE), (0, 0, 0, 0))
        shapes(Pen(ImageDraw.Draw(layer), 2 * SIDE))
        layer = layer.filter(ImageFilter.GaussianBlur(2 * blur)) if blur else layer
        values = np.asarray(layer.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
        cover = values[..., 3:]
        colours = values[..., :3] / np.maximum(cover, 1 / 255) if blur else values[..., :3]
        self.pixels = self.pixels + colours * cover if glow else self.pixels + (colours - self.pixels) * cover

    def picture(self) -> Image.Image:
        """The finished RGB picture."""
        return Image.fromarray((np.clip(self.pixels, 0, 1) * 255).astype(np.uint8))


class Pen:
    """PIL's drawing with coordinates in [0, 1] and colours in [0, 1]."""

    def __init__(self, pen: ImageDraw.ImageDraw, scale: float, left: float = 0.0, top: float = 0.0) -> None:
        self.pen, self.scale, self.left, self.top = pen, scale, left, top

    def at(self, x: float, y: float, size: float) -> Pen:
        """A pen whose coordinates count from (x, y), in units of `size`: for a figure that stands there."""
        return Pen(self.pen, self.scale * size, self.left + x * self.scale, self.top + y * self.scale)

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour, alpha: float = 1.0) -> None:
        self.pen.polygon(self._places(points), fill=ink(colour, alpha))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, alpha: float = 1.0) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour, alpha)

    def taper(self, low: float, wide: float, high: float, narrow: float, colour: Colour, alpha: float = 1.0) -> None:
        """A symmetric trapezium around x = 0, from `low` with half a width of `wide` to `high` with `narrow`."""
        self.polygon([(-wide, low), (-narrow, high), (narrow, high), (wide, low)], colour, alpha)

    def ellipse(self, x: float, y: float, across: float, down: float, colour: Colour, alpha: float = 1.0) -> None:
        """An ellipse around (x, y) with two radii."""
        self.pen.ellipse(self._places([(x - across, y - down), (x + across, y + down)]), fill=ink(colour, alpha))

    def line(self, points: Sequence[tuple[float, float]], width: float, colour: Colour, alpha: float = 1.0) -> None:
        thick = max(1, round(width * self.scale))
        self.pen.line(self._places(points), fill=ink(colour, alpha), width=thick, joint="curve")

    def _places(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(self.left + x * self.scale, self.top + y * self.scale) for x, y in points]


def ink(colour: Colour, alpha: float) -> tuple[int, ...]:
    """A colour in [0, 1] as PIL takes it."""
    return tuple(max(0, min(255, int(value * 255))) for value in (*colour, alpha))


def noise(rng: Rng, cells: int, octaves: int = 4, stretch: float = 1.0) -> NDArray:
    """Fractal noise (SIDE, SIDE) spanning [0, 1]; `cells` bumps down the side, `stretch` times wider than high."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(octaves):
        shape = cells * 2**octave + 1, max(2, round(cells * 2**octave / stretch) + 1)
        grid = Image.fromarray(rng.normal(0, 1, shape).astype(np.float32))
        total += np.asarray(grid.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) * 0.5**octave
    return (total - total.min()) / np.ptp(total)


def ridge(rng: Rng, level: float, height: float, cells: int, octaves: int = 5, rough: float = 0.5) -> NDArray:
    """A skyline (SIDE,) in rows: at most `height` of the side above `level` (0 top, 1 bottom)."""
    at = np.linspace(0, 1, SIDE)
    total = np.zeros(SIDE)
    for octave in range(octaves):
        count = cells * 2**octave + 1
        total += np.interp(at, np.linspace(0, 1, count), rng.uniform(-1, 1, count)) * rough**octave
    total = (total - total.min()) / np.ptp(total)
    return ((level - height * total) * SIDE).astype(np.float32)


def smooth_ridge(rng: Rng, level: float, height: float, cells: int) -> NDArray:
    """As `ridge`, rolling like hills."""
    at = np.linspace(0, 2 * np.pi, SIDE)
    total = sum(
        rng.uniform(0.3, 1) / number * np.sin(at * number * cells / 4 + rng.uniform(0, 7)) for number in (1, 1.6, 2.7)
    )
    total = (total - total.min()) / np.ptp(total)
    return ((level - height * total) * SIDE).astype(np.float32)


def below(profile: NDArray | float) -> NDArray:
    """The mask of what lies below a skyline in rows."""
    return np.clip(ROWS - profile + 0.5, 0, 1)


def disc(x: float, y: float, radius: float, soft: float = 1.0) -> NDArray:
    """The mask of a disc; all in units of the side, `soft` in pixels."""
    return np.clip((radius * SIDE - distance(x, y)) / soft + 0.5, 0, 1)


def halo(x: float, y: float, radius: float) -> NDArray:
    """Light falling off around a point: 1 at the point, about a third at `radius`."""
    return np.exp(-distance(x, y) / (radius * SIDE))


def distance(x: float, y: float) -> NDArray:
    """Pixels from a point in units of the side."""
    return np.hypot(COLUMNS - x * SIDE, ROWS - y * SIDE)


def ramp(colours: Sequence[Colour], along: NDArray) -> NDArray:
    """Colours run along values in [0, 1]: (..., 3)."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(along, stops, [c[band] for c in colours]) for band in range(3)], -1).astype(np.float32)


def vary(rng: Rng, colour: Colour, amount: float = 0.08) -> NDArray:
    """A shade near a colour."""
    return np.clip(np.asarray(colour) * rng.uniform(1 - amount, 1 + amount) + rng.normal(0, amount / 3, 3), 0, 1)
