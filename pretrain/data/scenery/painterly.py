"""Pictures laid again in brush strokes that follow a flow: straight, or swirling around lights as in Van Gogh's
nights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pretrain.data.scenery.canvas import COLUMNS, ROWS, SIDE, Rng, distance, noise


def flow_field(rng: Rng, eyes: Sequence[tuple[float, float, float]] = ()) -> NDArray:
    """Stroke directions (SIDE, SIDE) in radians: wavering, and turning around each eye (x, y, reach)."""
    angle = (noise(rng, 2, 2) - 0.5) * 2.6
    across, down = np.cos(angle), np.sin(angle)
    for x, y, reach in eyes:
        away = distance(x, y) / SIDE
        pull = np.exp(-((away / reach) ** 2)) * 3
        round_it = np.arctan2(ROWS / SIDE - y, COLUMNS / SIDE - x) + np.pi / 2 - 0.2
        across, down = across + pull * np.cos(round_it), down + pull * np.sin(round_it)
    return np.arctan2(down, across)


def paint(picture: Image.Image, angles: NDArray, rng: Rng, width: float = 2.0, contrast: float = 0.12) -> Image.Image:
    """The picture in two layers of strokes, the second finer, each of one colour that varies from its neighbours'."""
    board = picture.resize((2 * SIDE, 2 * SIDE))
    pen, colours = ImageDraw.Draw(board), np.asarray(picture, np.float32)
    for wide in (width * 1.7, width):
        count = int(SIDE * SIDE / (wide * wide * 2))
        row, column = rng.integers(0, SIDE, (2, count))
        lights = rng.normal(1, contrast, (count, 1))
        shades = np.clip(colours[row, column] * lights, 0, 255).astype(int).tolist()
        step, x, y, points = rng.uniform(0.7, 1.5, count) * wide, column.astype(float), row.astype(float), []
        for _ in range(4):
            points += [2 * x, 2 * y]
            at = angles[np.clip(y, 0, SIDE - 1).astype(int), np.clip(x, 0, SIDE - 1).astype(int)]
            x, y = x + np.cos(at) * step, y + np.sin(at) * step
        for line, shade in zip(np.stack(points, -1).tolist(), shades, strict=True):
            pen.line(line, fill=tuple(shade), width=round(2 * wide), joint="curve")
    return board.resize((SIDE, SIDE), Image.Resampling.BOX)


def rings(pixels: NDArray, x: float, y: float, reach: float, colour: Sequence[float], rng: Rng) -> None:
    """Bright rings around a star or a moon, as thick as strokes, fading outwards; changes `pixels`."""
    away = distance(x, y) / SIDE / reach
    wave = 0.6 + 0.4 * np.cos(away * rng.uniform(16, 24))
    light = np.clip(1.25 * np.exp(-((away * 1.7) ** 2)) * wave, 0, 1)[..., None]
    pixels += (np.asarray(colour, np.float32) - pixels) * light
