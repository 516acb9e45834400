"""People in a scene: a wedding couple, and a yeti."""

from __future__ import annotations

import numpy as np

from pretrain.data.scenery.canvas import Canvas, Pen

SKINS = ((0.97, 0.82, 0.7), (0.87, 0.66, 0.5), (0.62, 0.43, 0.3), (0.42, 0.28, 0.2))
HAIRS = ((0.1, 0.07, 0.06), (0.35, 0.2, 0.1), (0.85, 0.68, 0.35), (0.55, 0.25, 0.12))


def couple(canvas: Canvas, x: float, foot: float, tall: float) -> None:
    """A bride in white with a veil and flowers, and a groom in a dark suit, hand in hand."""
    rng = canvas.rng
    skin, hair = SKINS[rng.integers(4)], HAIRS[rng.integers(4)]
    suit, white = canvas.tinted((0.1, 0.11, 0.16)), canvas.tinted((0.98, 0.97, 0.95))
    gap, head = tall * 0.17, tall * 0.075
    side = int(rng.choice([-1, 1]))

    def groom(pen: Pen, at: float) -> None:
        pen.polygon(
            [
                (at - tall * 0.1, foot),
                (at - tall * 0.08, foot - tall * 0.5),
                (at + tall * 0.08, foot - tall * 0.5),
                (at + tall * 0.1, foot),
            ],
            suit,
        )
        pen.line([(at, foot), (at, foot - tall * 0.42)], tall * 0.012, suit * 0.4)
        pen.polygon(
            [
                (at - tall * 0.13, foot - tall * 0.42),
                (at - tall * 0.11, foot - tall * 0.8),
                (at + tall * 0.11, foot - tall * 0.8),
                (at + tall * 0.13, foot - tall * 0.42),
            ],
            suit * 1.25,
        )
        pen.polygon(
            [(at - tall * 0.035, foot - tall * 0.8), (at, foot - tall * 0.6), (at + tall * 0.035, foot - tall * 0.8)],
            white,
        )
        pen.ellipse(at, foot - tall * 0.9, head, head * 1.15, canvas.tinted(skin))
        pen.ellipse(at, foot - tall * 0.945, head * 1.05, head * 0.75, canvas.tinted(HAIRS[rng.integers(4)]))
        pen.line(
            [(at - side * tall * 0.12, foot - tall * 0.76), (at - side * gap, foot - tall * 0.45)],
            tall * 0.045,
            suit * 1.25,
        )

    def bride(pen: Pen, at: float) -> None:
        pen.polygon(
            [
                (at - tall * 0.2, foot),
                (at - tall * 0.1, foot - tall * 0.9),
                (at + tall * 0.1, foot - tall * 0.9),
                (at + tall * 0.2, foot),
            ],
            white,
            0.55,
        )
        pen.polygon(
            [
                (at - tall * 0.24, foot + 0.01),
                (at - tall * 0.055, foot - tall * 0.52),
                (at + tall * 0.055, foot - tall * 0.52),
                (at + tall * 0.24, foot + 0.01),
            ],
            white,
        )
        pen.polygon(
            [(at, foot + 0.01), (at + tall * 0.03, foot - tall * 0.5), (at + tall * 0.24, foot + 0.01)], white * 0.9
        )
        pen.polygon(
            [
                (at - tall * 0.055, foot - tall * 0.5),
                (at - tall * 0.075, foot - tall * 0.74),
                (at + tall * 0.075, foot - tall * 0.74),
                (at + tall * 0.055, foot - tall * 0.5),
            ],
            white,
        )
        pen.ellipse(at, foot - tall * 0.86, head * 1.25, head * 1.3, canvas.tinted(hair))
        pen.ellipse(at, foot - tall * 0.84, head * 0.9, head * 1.05, canvas.tinted(skin))
        pen.line(
            [(at + side * tall * 0.07, foot - tall * 0.72), (at + side * gap * 0.9, foot - tall * 0.46)],
            tall * 0.035,
            canvas.tinted(skin),
        )
        for _ in range(7):
            near = rng.normal(0, tall * 0.022, 2)
            pen.ellipse(
                at + near[0],
                foot - tall * 0.48 + near[1],
                tall * 0.02,
                tall * 0.02,
                canvas.tinted((0.92, 0.3 + 0.5 * rng.random(), 0.5)),
            )

    canvas.draw(lambda pen: (groom(pen, x + side * gap), bride(pen, x - side * gap)))


def yeti(canvas: Canvas, x: float, foot: float, tall: float, phone: bool) -> None:
    """A white-furred giant with a blue-grey face, one arm up, with a telephone in its hand where asked."""
    rng = canvas.rng
    side = int(rng.choice([-1, 1]))
    hand = x + side * tall * 0.42, foot - tall * rng.uniform(0.72, 0.9)
    limbs = [
        ((x, foot - tall * 0.42), tall * 0.24, tall * 0.3),
        ((x, foot - tall * 0.8), tall * 0.16, tall * 0.17),
        ((x - tall * 0.11, foot - tall * 0.1), tall * 0.1, tall * 0.12),
        ((x + tall * 0.11, foot - tall * 0.1), tall * 0.1, tall * 0.12),
        ((x - side * tall * 0.26, foot - tall * 0.4), tall * 0.075, tall * 0.2),
    ]
    limbs += [
        (
            (x + side * tall * (0.18 + 0.24 * s), foot - tall * 0.56 + (hand[1] - foot + tall * 0.56) * s),
            tall * 0.085,
            tall * 0.085,
        )
        for s in np.linspace(0, 1, 5)
    ]

    def fur(pen: Pen) -> None:
        for (at, y), across, down in limbs:
            pen.ellipse(at, y, across, down, canvas.tinted((0.84, 0.88, 0.95)))
            for _ in range(70):
                angle, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
                left, top = at + np.cos(angle) * across * away, y + np.sin(angle) * down * away
                shade = canvas.tinted(np.array([0.9, 0.93, 0.98]) * rng.uniform(0.8, 1.1))
                pen.line([(left, top), (left + rng.normal(0, 0.2) * 0.03, top + tall * 0.05)], tall * 0.012, shade)

    def face(pen: Pen) -> None:
        y, skin = foot - tall * 0.8, canvas.tinted((0.5, 0.6, 0.72))
        pen.ellipse(x, y + tall * 0.02, tall * 0.1, tall * 0.11, skin)
        for eye in (-1, 1):
            pen.ellipse(x + eye * tall * 0.04, y - tall * 0.015, tall * 0.025, tall * 0.028, (1, 1, 1))
            pen.ellipse(x + eye * tall * 0.04, y - tall * 0.012, tall * 0.012, tall * 0.014, (0.05, 0.05, 0.1))
        pen.ellipse(x, y + tall * 0.07, tall * 0.05, tall * 0.024, (0.25, 0.1, 0.12))
        pen.box(x - tall * 0.035, y + tall * 0.052, x + tall * 0.035, y + tall * 0.066, (1, 1, 1))
        if phone:
            pen.box(
                hand[0] - tall * 0.045,
                hand[1] - tall * 0.11,
                hand[0] + tall * 0.045,
                hand[1] + tall * 0.05,
                (0.08, 0.08, 0.1),
            )
            pen.box(
                hand[0] - tall * 0.035,
                hand[1] - tall * 0.095,
                hand[0] + tall * 0.035,
                hand[1] + tall * 0.035,
                (0.55, 0.78, 0.95),
            )

    canvas.draw(fur)
    canvas.draw(face)
