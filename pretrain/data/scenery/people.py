"""People in a scene: a wedding couple, and a yeti."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pretrain.data.scenery.canvas import Canvas, Pen

SKINS = ((0.97, 0.82, 0.7), (0.87, 0.66, 0.5), (0.62, 0.43, 0.3), (0.42, 0.28, 0.2))
HAIRS = ((0.1, 0.07, 0.06), (0.35, 0.2, 0.1), (0.85, 0.68, 0.35), (0.55, 0.25, 0.12))


def couple(canvas: Canvas, x: float, foot: float, tall: float) -> None:
    """A bride in white with a veil and flowers, and a groom in a dark suit, hand in hand."""
    rng, side = canvas.rng, int(canvas.rng.choice([-1, 1]))  # the groom stands on this side
    skin = canvas.tinted(SKINS[rng.integers(4)])
    hairs = [canvas.tinted(HAIRS[rng.integers(4)]) for _ in range(2)]
    suit, white = canvas.tinted((0.1, 0.11, 0.16)), canvas.tinted((0.98, 0.97, 0.95))
    flowers = [(*rng.normal(0, 0.022, 2), canvas.tinted((0.92, 0.3 + 0.5 * rng.random(), 0.5))) for _ in range(7)]

    def shapes(pen: Pen) -> None:
        groom(pen.at(x + side * 0.17 * tall, foot, tall), side, suit, white, skin, hairs[0])
        other = pen.at(x - side * 0.17 * tall, foot, tall)
        bride(other, side, white, skin, hairs[1])
        for across, down, colour in flowers:
            other.ellipse(across, down - 0.48, 0.02, 0.02, colour)

    canvas.draw(shapes)


def groom(pen: Pen, side: int, suit: NDArray, white: NDArray, skin: NDArray, hair: NDArray) -> None:
    """A man of height 1 standing at the origin, his hand out towards -`side`."""
    pen.taper(0, 0.1, -0.5, 0.08, suit)
    pen.line([(0, 0), (0, -0.42)], 0.012, suit * 0.4)
    pen.taper(-0.42, 0.13, -0.8, 0.11, suit * 1.25)
    pen.polygon([(-0.035, -0.8), (0, -0.6), (0.035, -0.8)], white)
    pen.ellipse(0, -0.9, 0.075, 0.086, skin)
    pen.ellipse(0, -0.945, 0.079, 0.056, hair)
    pen.line([(-side * 0.12, -0.76), (-side * 0.17, -0.45)], 0.045, suit * 1.25)


def bride(pen: Pen, side: int, white: NDArray, skin: NDArray, hair: NDArray) -> None:
    """A woman of height 0.95 standing at the origin, her hand out towards `side`."""
    pen.taper(0, 0.2, -0.9, 0.1, white, 0.55)
    pen.taper(0.01, 0.24, -0.52, 0.055, white)
    pen.polygon([(0, 0.01), (0.03, -0.5), (0.24, 0.01)], white * 0.9)
    pen.taper(-0.5, 0.055, -0.74, 0.075, white)
    pen.ellipse(0, -0.86, 0.094, 0.098, hair)
    pen.ellipse(0, -0.84, 0.068, 0.079, skin)
    pen.line([(side * 0.07, -0.72), (side * 0.153, -0.46)], 0.035, skin)


def yeti(canvas: Canvas, x: float, foot: float, tall: float, phone: bool) -> None:
    """A white-furred giant with a blue-grey face, one arm up, with a telephone in its hand where asked."""
    rng, side = canvas.rng, int(canvas.rng.choice([-1, 1]))
    hand = side * 0.42, -rng.uniform(0.72, 0.9)
    limbs = [(0, -0.42, 0.24, 0.3), (0, -0.8, 0.16, 0.17), (-side * 0.26, -0.4, 0.075, 0.2)]
    limbs += [(leg, -0.1, 0.1, 0.12) for leg in (-0.11, 0.11)]
    limbs += [(side * (0.18 + 0.24 * s), -0.56 + (hand[1] + 0.56) * s, 0.085, 0.085) for s in np.linspace(0, 1, 5)]

    def fur(pen: Pen) -> None:
        body = pen.at(x, foot, tall)
        for at, y, across, down in limbs:
            body.ellipse(at, y, across, down, canvas.tinted((0.84, 0.88, 0.95)))
            for _ in range(70):
                angle, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
                left, top = at + np.cos(angle) * across * away, y + np.sin(angle) * down * away
                shade = canvas.tinted(np.array([0.9, 0.93, 0.98]) * rng.uniform(0.8, 1.1))
                body.line([(left, top), (left + rng.normal(0, 0.008), top + 0.05)], 0.012, shade)

    canvas.draw(fur)
    canvas.draw(lambda pen: face(pen.at(x, foot - 0.8 * tall, tall), canvas.tinted((0.5, 0.6, 0.72))))
    if phone:
        canvas.draw(lambda pen: telephone(pen.at(x + hand[0] * tall, foot + hand[1] * tall, tall)))


def face(pen: Pen, skin: NDArray) -> None:
    """A yeti's face around the origin, with round eyes and an open mouth."""
    pen.ellipse(0, 0.02, 0.1, 0.11, skin)
    for eye in (-0.04, 0.04):
        pen.ellipse(eye, -0.015, 0.025, 0.028, (1, 1, 1))
        pen.ellipse(eye, -0.012, 0.012, 0.014, (0.05, 0.05, 0.1))
    pen.ellipse(0, 0.07, 0.05, 0.024, (0.25, 0.1, 0.12))
    pen.box(-0.035, 0.052, 0.035, 0.066, (1, 1, 1))


def telephone(pen: Pen) -> None:
    """A telephone held upright at the origin."""
    pen.box(-0.045, -0.11, 0.045, 0.05, (0.08, 0.08, 0.1))
    pen.box(-0.035, -0.095, 0.035, 0.035, (0.55, 0.78, 0.95))
