"""Trees, one by one and as a forest."""

from __future__ import annotations

import numpy as np

from pretrain.data.scenery.canvas import Canvas, Colour, Pen, vary

LEAVES = {
    "green": ((0.16, 0.36, 0.12), (0.24, 0.46, 0.15), (0.3, 0.5, 0.2)),
    "autumn": ((0.82, 0.42, 0.1), (0.75, 0.2, 0.1), (0.9, 0.65, 0.15)),
    "blossoming": ((0.95, 0.7, 0.78), (0.98, 0.85, 0.9), (0.9, 0.6, 0.72)),
}


def conifer(pen: Pen, x: float, foot: float, tall: float, colour: Colour, snow: bool = False) -> None:
    """A fir of four tiers."""
    pen.box(x - tall * 0.03, foot - tall * 0.12, x + tall * 0.03, foot, (0.24 * colour[1] + 0.1, 0.12, 0.08))
    for tier in range(4):
        half, top = tall * (0.24 - 0.045 * tier), foot - tall * (0.4 + 0.2 * tier)
        low = foot - tall * (0.1 + 0.2 * tier)
        pen.polygon([(x - half, low), (x, top), (x + half, low)], np.asarray(colour) * (0.85 + 0.08 * tier))
        if snow:
            pen.polygon(
                [(x - half * 0.6, low - tall * 0.07), (x, top), (x + half * 0.5, low - tall * 0.1)], (0.93, 0.96, 1)
            )


def tree(pen: Pen, rng: np.random.Generator, x: float, foot: float, tall: float, colour: Colour) -> None:
    """A trunk and a crown of many round tufts, lighter above."""
    pen.polygon(
        [
            (x - tall * 0.05, foot),
            (x - tall * 0.025, foot - tall * 0.5),
            (x + tall * 0.025, foot - tall * 0.5),
            (x + tall * 0.05, foot),
        ],
        np.asarray((0.34, 0.22, 0.14)) * (colour[1] + 0.4),
    )
    for at in np.linspace(0, 1, 22):
        angle, away = rng.uniform(0, 7), tall * 0.27 * np.sqrt(rng.random())
        y = foot - tall * 0.68 - np.sin(angle) * away * 0.9
        pen.ellipse(
            x + np.cos(angle) * away,
            y - tall * 0.1 * at,
            tall * 0.11,
            tall * 0.095,
            np.asarray(colour) * (0.7 + 0.5 * at),
        )


def palm(pen: Pen, rng: np.random.Generator, x: float, foot: float, tall: float, shade: float = 1) -> None:
    """A leaning trunk with hanging leaves."""
    lean = rng.uniform(-0.25, 0.25) * tall
    trunk = [(x + lean * s * s, foot - tall * s) for s in np.linspace(0, 1, 8)]
    pen.line(trunk, tall * 0.055, np.asarray((0.45, 0.32, 0.2)) * shade)
    top_x, top_y = trunk[-1]
    for angle in np.linspace(-0.5, np.pi + 0.5, 9):
        reach = tall * 0.42
        arc = [
            (top_x + np.cos(angle) * reach * s, top_y - np.sin(angle) * reach * 0.6 * s + 0.35 * reach * s * s)
            for s in np.linspace(0, 1, 6)
        ]
        pen.line(arc, tall * 0.05, np.asarray((0.15, 0.45, 0.14)) * shade * rng.uniform(0.8, 1.2))


def forest(canvas: Canvas, kind: str = "conifer", leaves: str = "green", snow: bool = False, rows: int = 4) -> None:
    """Rows of trees, the nearer the larger and darker."""
    rng = canvas.rng
    for row in range(rows):
        near = (row + 1) / rows
        foot = canvas.horizon + 0.01 + (1 - canvas.horizon) * 0.55 * near**1.5
        tall = 0.07 + 0.3 * near**1.3
        spots = np.sort(rng.uniform(-0.05, 1.05, int(26 / (1 + 3.2 * near))))
        shades = [
            canvas.tinted(
                vary(rng, LEAVES[leaves][rng.integers(3)], 0.15) * (0.62 if kind == "conifer" else 1), 0.7 * (1 - near)
            )
            for _ in spots
        ]

        def shapes(pen: Pen, spots=spots, shades=shades, foot=foot, tall=tall) -> None:
            for x, colour in zip(spots, shades, strict=True):
                size, at = tall * rng.uniform(0.7, 1.2), foot + rng.uniform(-0.012, 0.012)
                if kind == "conifer":
                    conifer(pen, x, at, size, colour, snow)
                else:
                    tree(pen, rng, x, at, size, colour)

        canvas.draw(shapes)
