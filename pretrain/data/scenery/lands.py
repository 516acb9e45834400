"""Lands and waters, drawn from the horizon towards the viewer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pretrain.data.scenery.canvas import (
    COLUMNS,
    ROWS,
    SIDE,
    Canvas,
    Colour,
    Pen,
    below,
    noise,
    ramp,
    ridge,
    smooth_ridge,
    vary,
)

GREENS = ((0.28, 0.5, 0.16), (0.36, 0.58, 0.2), (0.2, 0.42, 0.16), (0.45, 0.6, 0.25))
FLOWERS = {
    "red": (0.88, 0.1, 0.12),
    "yellow": (0.98, 0.85, 0.12),
    "purple": (0.55, 0.3, 0.75),
    "white": (0.97, 0.97, 0.95),
    "pink": (0.95, 0.5, 0.7),
    "blue": (0.3, 0.4, 0.9),
}


def depth_below(canvas: Canvas) -> NDArray:
    """0 at the horizon, 1 at the lower edge."""
    return np.clip((ROWS / SIDE - canvas.horizon) / (1 - canvas.horizon), 0, 1)


def mountains(canvas: Canvas, snow: bool = True, rock: Colour = (0.36, 0.36, 0.4), height: float = 0.42) -> None:
    """Two or three ranges, lit from one side, with snow above a wavering line where there is some."""
    rng, count = canvas.rng, int(canvas.rng.integers(2, 4))
    lean = int(rng.choice([-3, 3]))
    for layer in range(count):
        far = 1 - (layer + 1) / count
        level = canvas.horizon + 0.02 - 0.02 * far
        tops = ridge(rng, level, height * (0.65 + 0.35 * far) * rng.uniform(0.8, 1.2), int(rng.integers(2, 5)), 6, 0.44)
        folds = noise(rng, 5, 5, 0.75)
        shift = noise(rng, 3, 3) * 0.25  # the folds of a face run down and aside, not straight
        slope = (tops - np.roll(tops, lean))[None] / 14 * np.exp(-(ROWS - tops[None]) / SIDE * 6)
        light = np.clip(0.42 + (folds - np.roll(folds, (lean, lean), (0, 1))) * 3.2 + slope + shift - 0.12, 0, 1)
        stone = ramp([np.asarray(vary(rng, rock)) * 0.5, np.minimum(np.asarray(rock) * 1.45, 1)], light)
        if snow:
            line = (ROWS - tops[None]) / SIDE - height * (0.3 + 0.4 * noise(rng, 6, 5)) * (0.6 + 0.4 * rng.random())
            white = ramp([(0.6, 0.68, 0.82), (1, 1, 1)], np.clip(light * 1.3 + 0.1, 0, 1))
            cover = np.clip(-line * SIDE / 3, 0, 1)[..., None]
            stone = stone * (1 - cover) + white * cover
        canvas.blend(canvas.tinted(stone, 0.25 + 0.65 * far), below(tops))


def hills(canvas: Canvas, colour: Colour | None = None, layers: int = 3, height: float = 0.2) -> None:
    """Rolling hills, one behind the other, down to the lower edge."""
    rng = canvas.rng
    for layer in range(layers):
        near = (layer + 1) / layers
        level = canvas.horizon + (1 - canvas.horizon) * 0.75 * layer / layers + 0.03
        tops = smooth_ridge(rng, level, height * (0.5 + 0.5 * near) * rng.uniform(0.6, 1), int(rng.integers(2, 6)))
        green = np.asarray(vary(rng, colour if colour is not None else GREENS[rng.integers(len(GREENS))]))
        shade = np.clip(1.12 - (ROWS - tops[None]) / SIDE * 1.3, 0.55, 1.12) * (0.86 + 0.28 * noise(rng, 14, 4, 3))
        canvas.blend(canvas.tinted(green * shade[..., None], (1 - near) * 0.8), below(tops))


def ground(canvas: Canvas, colour: Colour, grain: float = 0.35) -> None:
    """A plain to the horizon with a grain that grows towards the viewer."""
    near = depth_below(canvas)
    texture = noise(canvas.rng, 26, 4, 4) * (1 - near) + noise(canvas.rng, 9, 5, 2.5) * near
    shade = 1 - grain / 2 + grain * texture + 0.12 * near
    canvas.blend(canvas.tinted(np.asarray(colour) * shade[..., None], 0), below(canvas.horizon * SIDE))
    canvas.blend(canvas.sky[-1], below(canvas.horizon * SIDE) * (1 - near) ** 8 * canvas.light.haze * 0.7)


def meadow(canvas: Canvas, flowers: str | None = None) -> None:
    """Grass, with many flowers of one colour where asked, smaller and denser towards the horizon."""
    rng = canvas.rng
    ground(canvas, vary(rng, GREENS[rng.integers(len(GREENS))]), 0.5)
    blades = rng.random((500, 3))
    green = canvas.tinted((0.2, 0.4, 0.12))
    dots = rng.random((int(rng.integers(250, 800)) if flowers else 0, 3))
    petal = FLOWERS.get(flowers or "", (1, 1, 1))

    def shapes(pen: Pen) -> None:
        for x, at, lean in blades:
            y = canvas.horizon + (1 - canvas.horizon) * at**0.7
            tall = 0.004 + 0.035 * at
            pen.line([(x, y), (x + (lean - 0.5) * tall, y - tall)], 0.002 + 0.002 * at, green * (0.8 + 0.5 * lean))
        for x, at, shade in sorted(dots.tolist(), key=lambda dot: dot[1]):
            y = canvas.horizon + 0.01 + (1 - canvas.horizon) * at**1.4
            size = 0.0025 + 0.014 * at**1.4
            pen.ellipse(x, y, size, size * 0.8, canvas.tinted(np.asarray(petal) * (0.75 + 0.35 * shade)))
            if at > 0.5:
                pen.ellipse(x, y, size * 0.3, size * 0.25, canvas.tinted((0.95, 0.75, 0.1)))

    canvas.draw(shapes)


def sea(canvas: Canvas, waves: float = 0.5, colour: Colour = (0.08, 0.32, 0.5)) -> None:
    """Water to the lower edge that mirrors the sky, rougher with `waves` in [0, 1], and with white crests above
    0.6.
    """
    rng, near = canvas.rng, depth_below(canvas)
    row = np.clip(2 * canvas.horizon * SIDE - ROWS, 0, SIDE - 1).astype(int)
    mirrored = canvas.pixels[row, COLUMNS.astype(int)].mean(1, keepdims=True) * np.ones((1, SIDE, 1))
    own = canvas.tinted(colour)
    water = own * (0.35 + 0.3 * near[..., None]) + mirrored * (0.62 - 0.34 * near[..., None])
    far, close = noise(rng, 60, 3, 7), noise(rng, 18, 4, 4.5)
    swell = far * (1 - near) + close * near
    light = (swell - 0.5) * (0.25 + 0.9 * waves) * (0.5 + near)
    water = water * (1 + light[..., None] * 1.3)
    if waves > 0.6:
        crest = np.clip((swell - 0.72) * 9, 0, 1) * np.clip(near * 3, 0, 1)
        water = water + (canvas.tinted((0.95, 0.97, 1)) - water) * crest[..., None] * 0.9
    canvas.blend(water.astype(np.float32), below(canvas.horizon * SIDE))


def glitter(canvas: Canvas, x: float, colour: Colour) -> None:
    """The path of the sun or the moon on the water below it."""
    near = depth_below(canvas)
    sparks = np.clip((noise(canvas.rng, 46, 3, 7) - 0.48) * 6, 0, 1)
    width = 0.025 + 0.11 * near
    path = np.exp(-((COLUMNS / SIDE - x) ** 2) / (2 * width**2)) * (near > 0)
    canvas.glow(colour, path * sparks * 0.75)


def reflection(canvas: Canvas) -> None:
    """A still lake: everything above the horizon upside down, darker and rippled."""
    rng, near = canvas.rng, depth_below(canvas)
    shift = ((noise(rng, 50, 2, 8) - 0.5) * 14 * near).astype(int)
    row = np.clip(2 * canvas.horizon * SIDE - ROWS, 0, SIDE - 1).astype(int)
    mirrored = canvas.pixels[row, np.clip(COLUMNS.astype(int) + shift, 0, SIDE - 1)]
    blue = canvas.tinted((0.12, 0.3, 0.42))
    canvas.blend(mirrored * 0.72 + blue * 0.24, below(canvas.horizon * SIDE))


def beach(canvas: Canvas, level: float = 0.8) -> None:
    """Sand in front of the water, with a line of foam and wet sand."""
    rng = canvas.rng
    edge = smooth_ridge(rng, level, 0.07, 3)
    sand = canvas.tinted(np.asarray(vary(rng, (0.93, 0.82, 0.6))) * (0.88 + 0.2 * noise(rng, 30, 4, 2))[..., None])
    canvas.blend(sand, below(edge))
    wet = np.exp(-np.abs(ROWS - edge - 5) / 5)
    canvas.blend(canvas.tinted((0.62, 0.52, 0.38)), wet * 0.6)
    foam = np.clip(1.4 - np.abs(ROWS - edge + (noise(rng, 20, 3) - 0.5) * 9) / 2.5, 0, 1)
    canvas.blend(canvas.tinted((1, 1, 1)), foam)


def dunes(canvas: Canvas, colour: Colour = (0.9, 0.68, 0.38)) -> None:
    """Dunes with a lit and a shaded side, and ripples on the nearest."""
    rng = canvas.rng
    for layer in range(4):
        near = (layer + 1) / 4
        level = canvas.horizon + 0.04 + (1 - canvas.horizon) * 0.2 * layer
        tops = smooth_ridge(rng, level, 0.06 + 0.12 * near * rng.random(), int(rng.integers(2, 6)))
        drop = (ROWS - tops[None]) / SIDE
        slope = np.gradient(tops)[None] * 0.6
        side = np.clip(0.5 + slope * rng.choice([-1, 1]) * np.exp(-drop * 9) * 2, 0, 1)
        ripples = 0.05 * near * np.sin(drop * SIDE * 0.9 + noise(rng, 4, 3) * 14)
        sand = ramp([np.asarray(colour) * 0.58, np.minimum(np.asarray(vary(rng, colour)) * 1.08, 1)], side + ripples)
        canvas.blend(canvas.tinted(sand, (1 - near) * 0.6), below(tops))


def snow_ground(canvas: Canvas) -> None:
    """Snow with bluish hollows."""
    rng = canvas.rng
    for layer in range(3):
        tops = smooth_ridge(rng, canvas.horizon + 0.03 + 0.13 * layer, 0.06, int(rng.integers(2, 5)))
        shade = np.clip(0.75 + 0.35 * (noise(rng, 7, 4, 3) - 0.4), 0, 1)
        canvas.blend(canvas.tinted(ramp([(0.62, 0.72, 0.88), (1, 1, 1)], shade), 0.3 - 0.1 * layer), below(tops))


def road(canvas: Canvas, colour: Colour = (0.3, 0.3, 0.32), lines: bool = True) -> None:
    """A road to a point on the horizon, straight or winding."""
    rng = canvas.rng
    near = depth_below(canvas)
    goal, start, bend = rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.7), rng.uniform(-0.25, 0.25) * rng.integers(0, 2)
    middle = goal + (start - goal) * near + bend * np.sin(near * np.pi * 1.5) * (1 - near)
    half = 0.006 + 0.27 * near**1.25
    off = np.abs(COLUMNS / SIDE - middle)
    on = np.clip((half - off) * SIDE / 1.5 + 0.5, 0, 1) * (near > 0)
    grain = (0.85 + 0.3 * noise(rng, 60, 2))[..., None]
    canvas.blend(canvas.tinted(np.asarray(colour) * grain), on)
    if lines:
        dash = (np.sin(14 / (near + 0.12)) > 0) * np.clip((half * 0.06 - off) * SIDE + 0.5, 0, 1)
        canvas.blend(canvas.tinted((0.95, 0.92, 0.8)), dash * on)
        rim = np.clip((half * 0.05 - np.abs(off - half * 0.9)) * SIDE + 0.5, 0, 1)
        canvas.blend(canvas.tinted((0.92, 0.92, 0.9)), rim * on)


def river(canvas: Canvas) -> None:
    """A winding river from the horizon, in the sky's colours."""
    rng, near = canvas.rng, depth_below(canvas)
    middle = rng.uniform(0.35, 0.65) + rng.choice([-1, 1]) * 0.22 * np.sin(near * rng.uniform(3.5, 6)) * near**0.6
    half = 0.01 + 0.16 * near**1.2
    inside = np.clip((half - np.abs(COLUMNS / SIDE - middle)) * SIDE / 2 + 0.5, 0, 1) * (near > 0)
    water = ramp([np.asarray(canvas.sky[-1]) * 0.8, np.asarray(canvas.sky[0]) * 0.7 + 0.03], near)
    canvas.blend(water * (0.85 + 0.3 * noise(rng, 40, 3, 5))[..., None], inside)


def volcano(canvas: Canvas, erupting: bool = True) -> None:
    """A cone with a crater; erupting, with streams of lava, a fountain of sparks and smoke."""
    rng = canvas.rng
    x, top = rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.36)
    foot = canvas.horizon + 0.14
    away = np.abs(COLUMNS[0] / SIDE - x)
    tops = (np.minimum(top + np.maximum(away - 0.05, 0) ** 0.8 * 1.15, foot) + 0.012 * rng.normal(0, 0.5, SIDE)) * SIDE
    folds = noise(rng, 6, 6, 0.5)
    rock = ramp([(0.12, 0.09, 0.09), (0.42, 0.34, 0.3)], np.clip(0.5 + (folds - np.roll(folds, 4, 1)) * 5, 0, 1))
    if erupting:
        smoke = noise(rng, 4, 6)
        rise = top - ROWS / SIDE
        plume = np.exp(
            -((COLUMNS / SIDE - x - rise * rng.uniform(-0.4, 0.4)) ** 2)
            / (2 * (0.05 + 0.35 * np.maximum(rise, 0)) ** 2)
        )
        canvas.blend(
            ramp([(0.12, 0.1, 0.1), (0.5, 0.46, 0.45)], smoke), plume * np.clip(smoke * 1.7 - 0.2, 0, 1) * (rise > 0)
        )
    canvas.blend(canvas.tinted(rock, 0.1), below(tops.astype(np.float32)))
    if erupting:
        streams = [(x + rng.uniform(-0.04, 0.04), rng.uniform(-0.28, 0.28), rng.uniform(0.12, 0.36)) for _ in range(4)]
        sparks = rng.normal(0, 1, (140, 2))

        def lava(pen: Pen) -> None:
            for start, slant, length in streams:
                steps = np.linspace(0, 1, 9)
                bends = np.cumsum(rng.normal(0, 0.008, 9))
                points = [
                    (start + slant * s * length * 2 + b, top + 0.01 + s * length)
                    for s, b in zip(steps, bends, strict=True)
                ]
                pen.line(points, 0.014, (1, 0.32, 0.05))
                pen.line(points, 0.006, (1, 0.75, 0.2))
            for dx, dy in sparks:
                pen.ellipse(x + dx * 0.05, top - abs(dy) * 0.1, 0.004, 0.004, (1, 0.55, 0.12))

        canvas.draw(lava, blur=4, glow=True)
        canvas.draw(lava)
