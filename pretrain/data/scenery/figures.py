"""Figures in a scene: boats, balloons, saucers and what they do, and pictures of emoji set into the land."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pretrain.data.scenery.buildings import LAMP
from pretrain.data.scenery.canvas import SIDE, Canvas, Colour, Pen, halo


def saucer(canvas: Canvas, x: float, y: float, wide: float) -> None:
    """A flying saucer: a grey disc with a glass dome and a row of lights."""

    def shapes(pen: Pen) -> None:
        pen.ellipse(x, y - wide * 0.1, wide * 0.24, wide * 0.2, (0.6, 0.9, 0.85))
        pen.ellipse(x - wide * 0.06, y - wide * 0.16, wide * 0.07, wide * 0.06, (0.9, 1, 0.98))
        pen.ellipse(x, y, wide * 0.5, wide * 0.14, (0.36, 0.38, 0.44))
        pen.ellipse(x, y - wide * 0.03, wide * 0.48, wide * 0.1, (0.66, 0.68, 0.74))
        for at in np.linspace(-0.38, 0.38, 6):
            pen.ellipse(x + at * wide, y + wide * 0.05, wide * 0.03, wide * 0.025, (1, 0.9, 0.3))

    canvas.glow((0.1, 0.25, 0.22), halo(x, y, wide * 0.5))
    canvas.draw(shapes)


def laser(canvas: Canvas, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
    """A beam with a white core."""
    canvas.draw(lambda pen: pen.line([start, end], 0.022, colour), blur=3.5, glow=True)
    canvas.draw(lambda pen: pen.line([start, end], 0.008, np.asarray(colour) * 0.5 + 0.5))


def explosion(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """A fireball of overlapping blobs, yellow in the middle, with smoke above."""
    rng = canvas.rng
    spots = rng.normal(0, 0.4, (40, 2))

    def fire(pen: Pen) -> None:
        for dx, dy in spots[:14]:
            pen.ellipse(x + dx * radius, y - abs(dy) * radius * 1.8, radius * 0.4, radius * 0.4, (0.2, 0.18, 0.18), 0.8)
        for (dx, dy), heat in zip(spots, np.linspace(0, 1, 40), strict=True):
            size = radius * (0.45 - 0.3 * heat)
            at = x + dx * radius * (1.2 - heat), y + dy * radius * (1.2 - heat)
            pen.ellipse(*at, size, size, (1, 0.25 + 0.7 * heat, 0.05 + 0.55 * heat**3))

    canvas.glow((0.7, 0.35, 0.1), halo(x, y, radius))
    canvas.draw(fire, blur=0.8)


def boat(canvas: Canvas, x: float, foot: float, wide: float, sail: Colour) -> None:
    """A sailing boat with two sails."""
    hull, cloth = canvas.tinted((0.42, 0.24, 0.14)), canvas.tinted(sail)

    def shapes(pen: Pen) -> None:
        pen.polygon(
            [
                (x - wide / 2, foot - wide * 0.14),
                (x + wide / 2, foot - wide * 0.14),
                (x + wide * 0.36, foot),
                (x - wide * 0.36, foot),
            ],
            hull,
        )
        pen.line([(x, foot - wide * 0.1), (x, foot - wide * 1.15)], wide * 0.03, hull * 0.7)
        pen.polygon(
            [
                (x + wide * 0.03, foot - wide * 1.12),
                (x + wide * 0.03, foot - wide * 0.2),
                (x + wide * 0.5, foot - wide * 0.22),
            ],
            cloth,
        )
        pen.polygon(
            [
                (x - wide * 0.04, foot - wide),
                (x - wide * 0.04, foot - wide * 0.2),
                (x - wide * 0.38, foot - wide * 0.22),
            ],
            cloth * 0.86,
        )

    canvas.draw(shapes)


def lighthouse(canvas: Canvas, x: float, foot: float, tall: float) -> None:
    """A tower striped red and white, with its lamp on in the dark."""
    wide = tall * 0.2

    def shapes(pen: Pen) -> None:
        for band in range(6):
            low, high = foot - tall * 0.8 * band / 6, foot - tall * 0.8 * (band + 1) / 6
            near, far = (wide * (0.5 - 0.17 * step / 6) for step in (band, band + 1))
            colour = canvas.tinted((0.85, 0.14, 0.12) if band % 2 else (0.97, 0.96, 0.94))
            pen.polygon([(x - near, low), (x - far, high), (x + far, high), (x + near, low)], colour)
        pen.box(
            x - wide * 0.24,
            foot - tall * 0.93,
            x + wide * 0.24,
            foot - tall * 0.8,
            LAMP if canvas.light.lit else (0.7, 0.8, 0.85),
        )
        pen.polygon(
            [(x - wide * 0.34, foot - tall * 0.93), (x, foot - tall * 1.04), (x + wide * 0.34, foot - tall * 0.93)],
            canvas.tinted((0.6, 0.1, 0.1)),
        )

    if canvas.light.lit:
        beams = [(x, foot - tall * 0.87), (x - 1, foot - tall * 1.1), (x - 1, foot - tall * 0.75)]
        canvas.draw(lambda pen: pen.polygon(beams, (0.9, 0.85, 0.5), 0.35), blur=3)
    canvas.draw(shapes)


def balloon(canvas: Canvas, x: float, y: float, wide: float, first: Colour, second: Colour) -> None:
    """A hot-air balloon with stripes and a basket."""

    def shapes(pen: Pen) -> None:
        for at in (-0.2, 0.2):
            pen.line(
                [(x + at * wide, y + wide * 0.4), (x + at * wide * 0.4, y + wide * 0.8)], wide * 0.02, (0.3, 0.2, 0.15)
            )
        pen.polygon(
            [
                (x - wide * 0.4, y + wide * 0.28),
                (x + wide * 0.4, y + wide * 0.28),
                (x + wide * 0.12, y + wide * 0.6),
                (x - wide * 0.12, y + wide * 0.6),
            ],
            canvas.tinted(first),
        )
        for number, share in enumerate((1, 0.72, 0.42, 0.14)):
            pen.ellipse(x, y, wide * 0.5 * share, wide * 0.52, canvas.tinted(second if number % 2 else first))
        pen.box(x - wide * 0.1, y + wide * 0.72, x + wide * 0.1, y + wide * 0.88, canvas.tinted((0.5, 0.32, 0.18)))

    canvas.draw(shapes)


def birds(canvas: Canvas, count: int) -> None:
    """A flock far away, as small wings."""
    spots = canvas.rng.uniform((0.1, 0.08, 0.01), (0.9, canvas.horizon * 0.7, 0.025), (count, 3))

    def shapes(pen: Pen) -> None:
        for x, y, size in spots:
            pen.line([(x - size, y - size * 0.5), (x, y), (x + size, y - size * 0.5)], 0.004, (0.1, 0.1, 0.13))

    canvas.draw(shapes)


def sprite(canvas: Canvas, picture: Image.Image, x: float, foot: float, wide: float, shadow: bool = True) -> None:
    """An RGBA picture standing at (x, foot), tinted by the light, on a soft shadow."""
    scale = wide * SIDE / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    small = picture.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    if shadow:
        canvas.draw(lambda pen: pen.ellipse(x, foot, wide * 0.42, wide * 0.07, (0.03, 0.03, 0.06), 0.5), blur=2)
    layer = Image.new("RGBA", (SIDE, SIDE))
    layer.paste(small, (round(x * SIDE - size[0] / 2), round(foot * SIDE - size[1])))
    values = np.asarray(layer, np.float32) / 255
    tint = np.asarray(canvas.light.tint) * 0.7 + 0.3
    canvas.blend(values[..., :3] * tint, values[..., 3])
