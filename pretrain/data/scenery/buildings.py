"""Buildings that stand in a land: houses, villages, castles, skylines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pretrain.data.scenery import trees
from pretrain.data.scenery.canvas import SIDE, Canvas, Colour, Pen, vary

ROOFS = {"red": (0.68, 0.22, 0.16), "brown": (0.42, 0.27, 0.18), "blue": (0.22, 0.32, 0.52), "grey": (0.36, 0.37, 0.4)}
WALLS = {
    "white": (0.95, 0.94, 0.9),
    "yellow": (0.93, 0.8, 0.5),
    "red": (0.72, 0.26, 0.2),
    "blue": (0.5, 0.66, 0.82),
    "pink": (0.92, 0.68, 0.68),
    "wooden": (0.55, 0.38, 0.24),
}
LAMP = (1, 0.83, 0.4)


def house(
    canvas: Canvas, x: float, foot: float, wide: float, wall: str = "white", roof: str = "red", snow: bool = False
) -> None:
    """A house with a gable roof, a door, windows (lit in the dark) and a chimney."""
    rng = canvas.rng
    tall, side = wide * rng.uniform(0.55, 0.85), canvas.tinted(WALLS[wall])
    top = canvas.tinted((0.95, 0.97, 1) if snow else ROOFS[roof])
    pane = LAMP if canvas.light.lit else canvas.tinted((0.45, 0.6, 0.72))
    peak, over = foot - tall - wide * rng.uniform(0.3, 0.5), wide * 0.06
    columns = max(2, int(rng.integers(2, 4)))

    def shapes(pen: Pen) -> None:
        pen.box(x + wide * 0.2, peak + wide * 0.02, x + wide * 0.32, foot - tall, canvas.tinted((0.5, 0.25, 0.2)))
        pen.box(x - wide / 2, foot - tall, x + wide / 2, foot, side)
        pen.box(x + wide * 0.3, foot - tall, x + wide / 2, foot, side * 0.86)
        pen.polygon([(x - wide / 2 - over, foot - tall), (x, peak), (x + wide / 2 + over, foot - tall)], top)
        pen.polygon([(x, peak), (x + wide / 2 + over, foot - tall), (x + wide * 0.2, foot - tall)], top * 0.85)
        pen.box(x - wide * 0.08, foot - tall * 0.5, x + wide * 0.08, foot, canvas.tinted((0.4, 0.24, 0.14)))
        for column in range(columns):
            at = x - wide / 2 + wide * (column + 0.5) / columns
            if abs(at - x) > wide * 0.12:
                pen.box(
                    at - wide * 0.08,
                    foot - tall * 0.75,
                    at + wide * 0.08,
                    foot - tall * 0.4,
                    canvas.tinted((0.9, 0.9, 0.88)),
                )
                pen.box(at - wide * 0.065, foot - tall * 0.72, at + wide * 0.065, foot - tall * 0.43, pane)
                pen.box(at - wide * 0.006, foot - tall * 0.72, at + wide * 0.006, foot - tall * 0.43, side)

    canvas.draw(shapes)


def village(canvas: Canvas, church: bool = True, snow: bool = False) -> None:
    """A dozen houses around a church, the nearer the larger, with trees between."""
    rng = canvas.rng
    spots = sorted((rng.uniform(0.55, 0.95), rng.uniform(0.05, 0.95)) for _ in range(int(rng.integers(8, 15))))
    if church:
        spire(canvas, rng.uniform(0.3, 0.7), canvas.horizon + 0.07, rng.uniform(0.2, 0.3), snow)
    for near, x in spots:
        foot = canvas.horizon + 0.04 + (near - 0.55) * (1 - canvas.horizon) * 1.6
        green = canvas.tinted(trees.LEAVES["green"][rng.integers(3)])
        canvas.draw(lambda pen, x=x, foot=foot, green=green: trees.tree(pen, rng, x + 0.08, foot, 0.09, green))
        house(
            canvas,
            x,
            foot,
            0.05 + 0.14 * (near - 0.5),
            str(rng.choice(list(WALLS))),
            str(rng.choice(list(ROOFS))),
            snow,
        )


def spire(canvas: Canvas, x: float, foot: float, tall: float, snow: bool = False) -> None:
    """A church tower with a pointed roof."""
    wide, stone = tall * 0.22, canvas.tinted((0.8, 0.77, 0.7))
    pane = LAMP if canvas.light.lit else canvas.tinted((0.3, 0.34, 0.42))

    def shapes(pen: Pen) -> None:
        pen.box(x - wide / 2, foot - tall * 0.6, x + wide / 2, foot, stone)
        pen.box(x, foot - tall * 0.6, x + wide / 2, foot, stone * 0.82)
        top = canvas.tinted((0.93, 0.95, 1) if snow else (0.3, 0.32, 0.38))
        pen.polygon(
            [(x - wide * 0.6, foot - tall * 0.6), (x, foot - tall * 1.15), (x + wide * 0.6, foot - tall * 0.6)], top
        )
        pen.ellipse(x, foot - tall * 0.45, wide * 0.14, wide * 0.22, pane)

    canvas.draw(shapes)


def castle(canvas: Canvas, x: float, foot: float, wide: float, stone: Colour, roof: Colour) -> None:
    """Walls with battlements between towers with pointed roofs and flags, a keep behind, a gate in front."""
    rng = canvas.rng
    pane = LAMP if canvas.light.lit else (0.12, 0.13, 0.2)
    wall, top = canvas.tinted(stone), canvas.tinted(roof)
    towers = [(0, 0.19, 0.95 + 0.2 * rng.random())]
    towers += [(side * at, 0.13, 0.5 + 0.35 * rng.random()) for at in (0.24, 0.44) for side in (-1, 1)]
    flag = canvas.tinted(vary(rng, (0.85, 0.15, 0.15)))

    def shapes(pen: Pen) -> None:
        for at, across, tall in sorted(towers, key=lambda each: -each[2]):
            tower(pen.at(x + at * wide, foot, across * wide), tall * 0.8 / across, wall, top, flag, pane)
        high = foot - wide * 0.28
        pen.box(x - wide * 0.46, high, x + wide * 0.46, foot, wall * 0.95)
        for tooth in np.arange(-0.46, 0.45, 0.06):
            pen.box(x + tooth * wide, high - wide * 0.03, x + (tooth + 0.035) * wide, high, wall * 0.95)
        pen.box(x - wide * 0.07, foot - wide * 0.12, x + wide * 0.07, foot, (0.16, 0.1, 0.07))
        pen.ellipse(x, foot - wide * 0.12, wide * 0.07, wide * 0.07, (0.16, 0.1, 0.07))

    canvas.draw(shapes)


def tower(pen: Pen, tall: float, wall: NDArray, roof: NDArray, flag: NDArray, pane: Colour) -> None:
    """A tower of width 1 standing at the origin, with windows, a pointed roof and a flag."""
    pen.box(-0.5, -tall, 0.5, 0, wall)
    pen.box(0.12, -tall, 0.5, 0, wall * 0.8)
    pen.box(-0.62, -tall, 0.62, 0.25 - tall, wall * 0.92)
    pen.taper(-tall, 0.7, -1.6 - tall, 0, roof)
    pen.polygon([(0, -1.6 - tall), (0.7, -tall), (0.15, -tall)], roof * 0.78)
    pen.line([(0, -1.55 - tall), (0, -2.1 - tall)], 0.04, wall * 0.4)
    pen.polygon([(0, -2.1 - tall), (0.6, -1.95 - tall), (0, -1.8 - tall)], flag)
    for y in (0.55 - tall, 1.5 - tall, *((2.45 - tall,) if tall > 4 else ())):
        if y < -0.4:
            pen.ellipse(0, y, 0.1, 0.2, pane)


def skyline(canvas: Canvas, foot: float, tall: float = 0.42, famous: bool = False) -> None:
    """Rows of towers, the farther the paler, with windows, lit in the dark; `famous` adds stepped towers with
    needles.
    """
    rng = canvas.rng
    for layer in range(3):
        near = (layer + 1) / 3
        blocks, x = [], -0.05
        while x < 1.05:
            wide = rng.uniform(0.05, 0.12)
            blocks.append((x, wide, tall * rng.uniform(0.3, 1.05) * (1.12 - 0.3 * near), bool(rng.random() < 0.25)))
            x += wide * rng.uniform(0.85, 1.15)
        if famous and layer == 1:
            blocks += [(at, 0.085, tall * rng.uniform(1.2, 1.45), True) for at in rng.uniform(0.1, 0.85, 2)]
        canvas.draw(lambda pen, blocks=blocks, near=near: towers(pen, canvas, foot, blocks, near))
    canvas.blend(
        canvas.tinted((0.2, 0.2, 0.22)), np.clip(np.arange(SIDE) - foot * SIDE + 0.5, 0, 1)[:, None] * np.ones(SIDE)
    )


def towers(pen: Pen, canvas: Canvas, foot: float, blocks: list, near: float) -> None:
    """One row of a skyline: (left, width, height, stepped) for each block."""
    rng = canvas.rng
    for left, wide, tall, stepped in blocks:
        base = vary(rng, [(0.5, 0.5, 0.55), (0.62, 0.55, 0.48), (0.4, 0.48, 0.58), (0.7, 0.68, 0.66)][rng.integers(4)])
        colour = canvas.tinted(base * 0.9, 0.75 * (1 - near))
        pen.box(left, foot - tall, left + wide, foot, colour)
        pen.box(left + wide * 0.75, foot - tall, left + wide, foot, colour * 0.82)
        if stepped:
            pen.box(left + wide * 0.2, foot - tall * 1.12, left + wide * 0.8, foot - tall, colour)
            pen.polygon(
                [
                    (left + wide * 0.35, foot - tall * 1.12),
                    (left + wide / 2, foot - tall * 1.4),
                    (left + wide * 0.65, foot - tall * 1.12),
                ],
                colour,
            )
        step = 0.017
        for y in np.arange(foot - tall + 0.012, foot - 0.01, step):
            for x in np.arange(left + 0.009, left + wide - 0.009, step * 0.85):
                lit = canvas.light.lit and rng.random() < 0.45
                if lit or not canvas.light.lit:
                    pen.box(
                        x, y, x + 0.007, y + 0.009, np.asarray(LAMP) * (0.55 + 0.45 * near) if lit else colour * 0.72
                    )
