"""Skies: the lights of the day, clouds, sun, moon, stars, the Milky Way, rainbows, rain, snow, lightning, northern
lights.
"""

from __future__ import annotations

import numpy as np

from pretrain.data.scenery.canvas import (
    COLUMNS,
    ROWS,
    SIDE,
    Canvas,
    Colour,
    Pen,
    disc,
    distance,
    halo,
    noise,
    ramp,
)


def sky(canvas: Canvas) -> None:
    """The gradient from the zenith to the horizon, a little uneven."""
    along = ROWS / SIDE / max(canvas.horizon, 0.2) + (noise(canvas.rng, 2, 3, 2) - 0.5) * 0.18
    canvas.pixels = ramp(canvas.sky, np.clip(along, 0, 1))


def clouds(canvas: Canvas, amount: float = 0.5, colour: Colour | None = None) -> None:
    """Clouds from noise: lit from above, darker below; `amount` of the sky is covered. Their colour follows the
    light.
    """
    rng = canvas.rng
    body = noise(rng, int(rng.integers(2, 5)), 6, rng.uniform(1.6, 3.2))
    edge = np.quantile(body, 1 - amount)
    cover = np.clip((body - edge) / rng.uniform(0.1, 0.28), 0, 1)
    cover = cover * cover * (3 - 2 * cover) * np.clip(1.15 - ROWS / SIDE / canvas.horizon, 0, 1)
    light = np.clip(0.5 + (body - np.roll(body, -7, 0)) * 4, 0, 1)
    bright = np.asarray(colour if colour is not None else cloud_colour(canvas), np.float32)
    shades = ramp([bright * 0.62 + np.asarray(canvas.sky[1]) * 0.15, np.minimum(bright * 1.12, 1)], light)
    canvas.blend(shades, cover * 0.94)


def cloud_colour(canvas: Canvas) -> np.ndarray:
    """White by day, else between the sky's lowest colour and white."""
    share = 0.85 if canvas.light.tint[0] > 0.85 else 0.12
    return np.asarray(canvas.sky[-1]) * (1 - share) + share


def sun(canvas: Canvas, x: float, y: float, radius: float = 0.05) -> None:
    """A bright disc with a warm glow; low suns are redder."""
    low = np.clip(y / canvas.horizon, 0, 1) if canvas.light.tint[0] < 0.9 else 0
    warm = np.array([1, 0.95 - 0.35 * low, 0.75 - 0.5 * low])
    canvas.glow(warm * 0.55, halo(x, y, 0.16))
    canvas.glow(warm * 0.25, halo(x, y, 0.5))
    canvas.blend(np.minimum(warm * 1.05 + 0.1, 1), disc(x, y, radius, 2))


def moon(canvas: Canvas, x: float, y: float, radius: float, crescent: bool) -> None:
    """A full moon with grey seas, or a crescent, in a pale glow."""
    canvas.glow((0.22, 0.24, 0.26), halo(x, y, radius * 2.2))
    body = disc(x, y, radius, 1.5)
    if crescent:
        body = body * (1 - disc(x + radius * 0.55, y - radius * 0.2, radius * 0.95, 1.5))
    seas = noise(canvas.rng, 12, 3)
    shade = 1 - np.clip((seas - 0.5) * 1.2, 0, 0.28)[..., None]
    canvas.blend(np.array([0.98, 0.96, 0.86], np.float32) * shade, body)


def stars(canvas: Canvas, count: int = 250, size: float = 1.0) -> None:
    """Points of unequal brightness, white, bluish and yellowish; the brightest have a small glow."""
    rng = canvas.rng
    field = np.zeros((SIDE, SIDE, 3), np.float32)
    bright = rng.pareto(2.2, count) * 0.28 + 0.25
    across, down = rng.integers(0, SIDE, count), (rng.random(count) * SIDE).astype(int)
    tints = 1 - rng.uniform(0, 0.35, (count, 1)) * np.array([[0, 0.3, 1], [1, 0.4, 0]])[rng.integers(0, 2, count)]
    field[down, across] = np.minimum(bright, 1.3)[:, None] * tints
    canvas.pixels += field
    for x, y, level in sorted(zip(across, down, bright, strict=True), key=lambda star: -star[2])[: int(9 * size) + 3]:
        window = slice(max(0, y - 6), y + 7), slice(max(0, x - 6), x + 7)
        away = (COLUMNS[window] - x) ** 2 + (ROWS[window] - y) ** 2
        near = np.exp(-away / (2 * (rng.uniform(0.6, 1.2) * size) ** 2)) * min(level, 1.0)
        canvas.pixels[window] += near[..., None] * np.array([0.9, 0.95, 1], np.float32)


def milky_way(canvas: Canvas, tone: Colour = (0.55, 0.55, 0.75)) -> None:
    """A slanting band of light with dark lanes and a haze of faint stars."""
    rng = canvas.rng
    angle, x, y = rng.uniform(-1.3, 1.3), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.5)
    across = (COLUMNS / SIDE - x) * np.cos(angle) + (ROWS / SIDE - y) * np.sin(angle)
    cloud = noise(rng, 4, 6)
    band = np.exp(-((across + (cloud - 0.5) * 0.12) ** 2) / (2 * rng.uniform(0.07, 0.12) ** 2))
    lanes = np.clip((noise(rng, 5, 6) - 0.55) * 5, 0, 1) * np.exp(-(across**2) / 0.004)
    canvas.glow(tone, band * (0.35 + 0.65 * cloud) * 0.75)
    canvas.glow((0.5, 0.32, 0.3), band**3 * noise(rng, 5, 5) * 0.4)
    canvas.pixels *= 1 - 0.65 * (lanes * band)[..., None]
    dust = (rng.random((SIDE, SIDE)) < 0.06 * band + 0.004) * rng.uniform(0.1, 0.7, (SIDE, SIDE))
    canvas.glow((1, 1, 1), dust.astype(np.float32))


def aurora(canvas: Canvas, colour: Colour) -> None:
    """Curtains of light that hang from a wavering line."""
    rng = canvas.rng
    for _ in range(int(rng.integers(2, 4))):
        at = COLUMNS / SIDE
        line = (
            rng.uniform(0.25, 0.5) + 0.1 * np.sin(at * rng.uniform(3, 9) + rng.uniform(0, 7)) + 0.03 * np.sin(at * 23)
        )
        up = (line - ROWS / SIDE) / rng.uniform(0.15, 0.3)
        folds = 0.45 + 0.55 * noise(rng, 2, 5, 0.12)
        curtain = np.where(up > 0, np.exp(-up * 2), np.exp(up * 14)) * folds
        canvas.glow(np.asarray(colour), curtain * 0.75)


def rainbow(canvas: Canvas) -> None:
    """A bow of seven colours, red outside."""
    rng = canvas.rng
    x, y, radius = rng.uniform(0.3, 0.7), canvas.horizon + rng.uniform(0, 0.15), rng.uniform(0.42, 0.6)
    width = rng.uniform(0.06, 0.1)
    along = (distance(x, y) / SIDE - radius + width / 2) / width
    hues = [
        (0.5, 0.2, 0.8),
        (0.25, 0.3, 0.95),
        (0.2, 0.7, 0.9),
        (0.25, 0.8, 0.3),
        (1, 0.95, 0.2),
        (1, 0.6, 0.1),
        (0.95, 0.2, 0.2),
    ]
    cover = np.clip(along * 6, 0, 1) * np.clip((1 - along) * 6, 0, 1) * (1 - np.clip((ROWS / SIDE - y) * 40, 0, 1))
    canvas.blend(ramp(hues, np.clip(along, 0, 1)), cover * rng.uniform(0.55, 0.85))


def rain(canvas: Canvas) -> None:
    """Slanting streaks over everything."""
    rng = canvas.rng
    lean = rng.uniform(-0.02, 0.02)
    drops = rng.random((260, 3))

    def shapes(pen: Pen) -> None:
        for x, y, length in drops:
            drop = 0.02 + 0.05 * length
            pen.line([(x, y), (x + lean * length * 2, y + drop)], 0.002, (0.85, 0.9, 0.95), 0.5)

    canvas.pixels *= 0.88
    canvas.draw(shapes)


def snowfall(canvas: Canvas) -> None:
    """Flakes, near ones large and soft."""
    rng = canvas.rng
    flakes = rng.random((int(rng.integers(120, 320)), 3))

    def shapes(pen: Pen) -> None:
        for x, y, size in flakes:
            radius = 0.002 + 0.007 * size**3
            pen.ellipse(x, y, radius, radius, (1, 1, 1), 0.9)

    canvas.draw(shapes, blur=0.5)


def lightning(canvas: Canvas) -> None:
    """A forked bolt from the clouds to the horizon."""
    rng = canvas.rng
    x, points = rng.uniform(0.2, 0.8), []
    for y in np.linspace(0.02, canvas.horizon, 12):
        x += rng.uniform(-0.05, 0.05)
        points.append((x, y))
    fork = [points[5]] + [(points[5][0] + step * 0.05, points[5][1] + step * 0.06) for step in (1, 2, 3)]

    def shapes(pen: Pen) -> None:
        pen.line(points, 0.007, (0.95, 0.95, 1))
        pen.line(fork, 0.004, (0.9, 0.9, 1))

    canvas.draw(shapes, blur=5, glow=True)
    canvas.draw(shapes)
