"""What lies beyond the land: space, planets, galaxies, the deep sea, fireworks, glowing buildings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretrain.data.scenery.canvas import COLUMNS, ROWS, SIDE, Canvas, Colour, Pen, disc, halo, noise, ramp, vary
from pretrain.data.scenery.skies import stars

NEBULAE = {
    "purple": (0.55, 0.2, 0.75),
    "red": (0.85, 0.2, 0.2),
    "blue": (0.2, 0.4, 0.9),
    "green": (0.15, 0.65, 0.45),
    "orange": (0.9, 0.5, 0.2),
    "pink": (0.9, 0.4, 0.65),
}
PLANETS = {
    "red": ((0.45, 0.16, 0.1), (0.85, 0.42, 0.25)),
    "blue": ((0.06, 0.2, 0.55), (0.4, 0.68, 0.95)),
    "green": ((0.1, 0.3, 0.16), (0.5, 0.75, 0.4)),
    "yellow": ((0.6, 0.45, 0.2), (0.98, 0.88, 0.6)),
    "grey": ((0.3, 0.3, 0.32), (0.75, 0.75, 0.76)),
    "purple": ((0.25, 0.12, 0.4), (0.7, 0.5, 0.85)),
}


def space(canvas: Canvas, nebula: str | None = None) -> None:
    """Black space with stars, and clouds of glowing gas where asked."""
    rng = canvas.rng
    canvas.pixels = np.zeros_like(canvas.pixels) + np.array([0.01, 0.01, 0.03], np.float32)
    if nebula:
        gas = np.clip(noise(rng, 3, 6) * 1.7 - 0.65, 0, 1)
        other = np.clip(noise(rng, 4, 6) * 1.7 - 0.8, 0, 1)
        canvas.glow(NEBULAE[nebula], gas)
        canvas.glow(vary(rng, NEBULAE[str(rng.choice(list(NEBULAE)))]) * 0.7, other)
        canvas.glow((0.5, 0.45, 0.4), np.clip(gas * 2.2 - 1.3, 0, 1))
        canvas.pixels *= (1 - 0.7 * np.clip((noise(rng, 5, 6) - 0.6) * 5, 0, 1))[..., None]
    stars(canvas, int(rng.integers(200, 600)), 1.2)


def planet(
    canvas: Canvas, x: float, y: float, radius: float, colour: str, rings: bool = False, earth: bool = False
) -> None:
    """A lit ball with bands or blotches; with rings, or with seas, lands and clouds like the Earth."""
    rng = canvas.rng
    across, down = (COLUMNS / SIDE - x) / radius, (ROWS / SIDE - y) / radius
    up = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
    angle = rng.uniform(0, 2 * np.pi)
    light = np.clip(0.55 * (across * np.cos(angle) + down * np.sin(angle)) + 0.75 * up, 0.03, 1)
    surface = noise(rng, 7, 6, 1 if earth or not rings and rng.random() < 0.5 else 6)
    colours = ramp(PLANETS[colour], surface)
    if earth:
        land = np.clip((surface - 0.52) * 14, 0, 1)[..., None]
        colours = (
            np.array([0.05, 0.2, 0.55]) * (1 - land) + ramp([(0.16, 0.42, 0.15), (0.7, 0.6, 0.38)], surface) * land
        )
        white = np.clip((noise(rng, 6, 6, 2.5) - 0.55) * 6, 0, 1)[..., None]
        colours = colours + (0.97 - colours) * white
        canvas.glow((0.15, 0.3, 0.6), halo(x, y, radius * 0.5) * 3 * np.clip(1.25 - np.hypot(across, down), 0, 1))
    ring = ringed(canvas, x, y, radius) if rings else None
    if ring is not None:
        canvas.blend(np.asarray(PLANETS[colour][1]) * 0.85, ring)
    canvas.blend((colours * light[..., None]).astype(np.float32), disc(x, y, radius, 1.5))
    if ring is not None:
        canvas.blend(np.asarray(PLANETS[colour][1]) * 0.95, ring * (down > 0.28 * across))


def ringed(canvas: Canvas, x: float, y: float, radius: float) -> NDArray:
    """The mask of slanting rings with gaps."""
    tilt = np.arctan(0.28)
    across, down = (COLUMNS / SIDE - x) / radius, (ROWS / SIDE - y) / radius
    along, off = across * np.cos(tilt) + down * np.sin(tilt), down * np.cos(tilt) - across * np.sin(tilt)
    away = np.hypot(along, off / 0.28)
    return np.clip((away - 1.3) * 30, 0, 1) * np.clip((2.1 - away) * 30, 0, 1) * (0.6 + 0.4 * np.sin(away * 34))


def galaxy(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    """A spiral of two arms around a bright core, tilted."""
    rng = canvas.rng
    turn, flat, twist = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1), rng.uniform(2.5, 4.5)
    across, down = COLUMNS / SIDE - x, ROWS / SIDE - y
    along = (across * np.cos(turn) + down * np.sin(turn)) / radius
    off = (down * np.cos(turn) - across * np.sin(turn)) / radius / flat
    away, angle = np.hypot(along, off) + 1e-4, np.arctan2(off, along)
    arms = np.clip(np.cos(2 * (angle - twist * np.log(away + 0.15))), 0, 1) ** 1.5
    dust = 0.35 + 0.65 * noise(rng, 9, 5)
    canvas.glow(colour, arms * np.exp(-away * 1.6) * dust * 1.5)
    canvas.glow((1, 0.9, 0.7), np.exp(-away * 5) * 1.2 + np.exp(-away * 1.8) * 0.16)


def deep_sea(canvas: Canvas, colours: tuple[Colour, Colour]) -> None:
    """Water from light to deep, rays from above, bubbles, sand and corals below."""
    rng = canvas.rng
    canvas.pixels = ramp(
        [np.asarray(colours[0]), (np.asarray(colours[0]) + colours[1]) / 2, np.asarray(colours[1])], ROWS / SIDE
    )
    rays = noise(rng, 2, 4, 0.14)
    slanted = np.roll(rays[0][None].repeat(SIDE, 0), 0)
    shift = (COLUMNS + ROWS * rng.uniform(-0.5, 0.5)).astype(int) % SIDE
    slanted = slanted[ROWS.astype(int), shift]
    canvas.glow((0.35, 0.5, 0.5), np.clip(slanted - 0.5, 0, 1) * np.clip(0.8 - ROWS / SIDE, 0, 1) * 1.6)
    bottom = 0.86 + 0.03 * np.sin(COLUMNS / SIDE * rng.uniform(5, 11) + rng.uniform(0, 7))
    sand = np.clip((ROWS / SIDE - bottom) * 60, 0, 1)
    canvas.blend(ramp([(0.3, 0.42, 0.42), (0.75, 0.75, 0.58)], noise(rng, 20, 4, 2)), sand)
    corals = [
        (
            rng.uniform(0, 1),
            rng.uniform(0.06, 0.2),
            vary(rng, [(0.9, 0.35, 0.4), (0.95, 0.6, 0.25), (0.6, 0.3, 0.7), (0.2, 0.55, 0.3)][rng.integers(4)], 0.15),
        )
        for _ in range(int(rng.integers(5, 12)))
    ]
    bubbles = rng.random((25, 3))

    def shapes(pen: Pen) -> None:
        for at, tall, colour in corals:
            branch(pen, rng, (at, 0.93), -np.pi / 2, tall * 0.45, colour, 4)
        for x, y, size in bubbles:
            pen.ellipse(x, y * 0.85, 0.003 + 0.008 * size, 0.003 + 0.008 * size, (0.8, 0.95, 1), 0.55)

    canvas.draw(shapes)


def branch(
    pen: Pen,
    rng: np.random.Generator,
    start: tuple[float, float],
    angle: float,
    length: float,
    colour: Colour,
    left: int,
) -> None:
    """A coral: each branch forks into two shorter ones."""
    end = start[0] + np.cos(angle) * length, start[1] + np.sin(angle) * length
    pen.line([start, end], 0.005 * left, colour)
    if left > 1:
        for turn in (-0.5, 0.45):
            branch(pen, rng, end, angle + turn + rng.normal(0, 0.15), length * rng.uniform(0.6, 0.85), colour, left - 1)


def firework(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    """One burst of falling sparks."""
    rng = canvas.rng
    rays = [(np.cos(a), np.sin(a), rng.uniform(0.7, 1)) for a in np.linspace(0, 2 * np.pi, int(rng.integers(22, 44)))]

    def shapes(pen: Pen) -> None:
        for across, down, reach in rays:
            arc = [
                (x + across * radius * reach * s, y + down * radius * reach * s + 0.18 * radius * s * s)
                for s in np.linspace(0.12, 1, 6)
            ]
            pen.line(arc, 0.006, colour)
            pen.ellipse(*arc[-1], 0.006, 0.006, np.asarray(colour) * 0.4 + 0.6)

    canvas.draw(shapes, blur=2.5, glow=True)
    canvas.draw(shapes)


def glowing(
    canvas: Canvas, picture: Image.Image, x: float, y: float, wide: float, colours: tuple[Colour, Colour], fill: str
) -> None:
    """An RGBA picture as a shape of light: "glow" keeps its drawing, "starry" fills it with stars, "ghost" makes it
    pale mist.
    """
    rng, mask = canvas.rng, placed(picture, x, y, wide)
    body, alpha = mask[..., :3], mask[..., 3]
    soft = (
        np.asarray(
            Image.fromarray((alpha * 255).astype(np.uint8))
            .resize((16, 16), Image.Resampling.BOX)
            .resize((SIDE, SIDE), Image.Resampling.BICUBIC),
            np.float32,
        )
        / 255
    )
    hues = ramp(colours, noise(rng, 2, 3))
    canvas.pixels += hues * soft[..., None] * 0.9
    if fill == "glow":
        canvas.blend(np.clip(body * 0.55 + hues * 0.6, 0, 1), alpha)
        edge = np.clip(np.abs(alpha - np.roll(alpha, 2, 1)) + np.abs(alpha - np.roll(alpha, 2, 0)), 0, 1)
        canvas.glow(np.minimum(np.asarray(colours[1]) + 0.3, 1), edge * 0.8)
    elif fill == "starry":
        inside = Canvas(rng, canvas.light, canvas.sky)
        space(inside, str(rng.choice(["purple", "blue", "pink"])))
        canvas.blend(
            np.clip(inside.pixels + np.asarray(colours[0]) * 0.12 + (body.mean(-1, keepdims=True) - 0.5) * 0.35, 0, 1),
            alpha,
        )
    else:
        grey = body.mean(-1, keepdims=True)
        canvas.blend(
            np.clip(0.5 + 0.5 * grey * np.array([0.9, 1, 1]), 0, 1),
            alpha * np.clip(1.05 - ROWS / SIDE * 0.8, 0.2, 0.85),
        )


def placed(picture: Image.Image, x: float, y: float, wide: float) -> NDArray:
    """(SIDE, SIDE, 4) in [0, 1]: an RGBA picture centred at (x, y) on nothing."""
    scale = wide * SIDE / max(picture.size)
    small = picture.convert("RGBA").resize(
        tuple(max(1, round(s * scale)) for s in picture.size), Image.Resampling.LANCZOS
    )
    layer = Image.new("RGBA", (SIDE, SIDE))
    layer.paste(small, (round(x * SIDE - small.width / 2), round(y * SIDE - small.height / 2)))
    return np.asarray(layer, np.float32) / 255
