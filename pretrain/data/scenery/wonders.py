"""Kinds of scenes beyond the everyday: space, painted nights, and any scene again as a painting."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pretrain.data.pair import with_article
from pretrain.data.scenery import buildings, cosmos, lands, painterly
from pretrain.data.scenery.canvas import Canvas, Rng, vary
from pretrain.data.scenery.setting import Layer, Scene, choose

FLAME = ((-0.09, 0), (-0.06, -0.4), (0, -0.8), (0.07, -0.38), (0.09, 0))  # the outline of a cypress


def space(dice: Rng) -> Scene:
    """Nebulae, galaxies, planets with or without rings, the Earth."""
    setting = choose(dice, "night", horizon=(1.0, 1.1))
    setting.when, setting.layers = "", []
    kind = str(dice.choice(["nebula", "galaxy", "planet", "ringed", "earth", "planets"]))
    gas = str(dice.choice(list(cosmos.NEBULAE))) if kind == "nebula" or dice.random() < 0.3 else None
    layer, name, details = body(kind, gas, dice)
    return Scene("space", name, details, setting, [lambda canvas: cosmos.space(canvas, gas), layer])


def body(kind: str, gas: str | None, dice: Rng) -> tuple[Layer, str, tuple[str, ...]]:
    """(layer, name, further captions) of what stands in space."""
    x, y, radius = dice.uniform(0.35, 0.65), dice.uniform(0.35, 0.65), dice.uniform(0.14, 0.32)
    word = str(dice.choice(list(cosmos.PLANETS)))
    others = [
        (a, dice.uniform(0.15, 0.85), dice.uniform(0.05, 0.15), str(dice.choice(list(cosmos.PLANETS))))
        for a in (0.2, 0.5, 0.8)
    ]
    return {
        "nebula": (
            lambda canvas: None,
            f"a {gas} nebula in space",
            ("glowing gas clouds and stars in space", "outer space with stars"),
        ),
        "galaxy": (
            lambda canvas: cosmos.galaxy(canvas, x, y, radius, cosmos.NEBULAE[gas or "blue"]),
            "a spiral galaxy in space",
            ("a galaxy among stars", "a swirling galaxy"),
        ),
        "planet": (
            lambda canvas: cosmos.planet(canvas, x, y, radius, word),
            f"{with_article(word)} planet in space",
            (f"{with_article(word)} planet among the stars",),
        ),
        "ringed": (
            lambda canvas: cosmos.planet(canvas, x, y, radius * 0.7, word, True),
            f"{with_article(word)} planet with rings",
            ("a planet with rings like Saturn in space",),
        ),
        "earth": (
            lambda canvas: cosmos.planet(canvas, x, y, radius, "blue", False, True),
            "the Earth from space",
            ("the blue planet Earth among the stars",),
        ),
        "planets": (
            lambda canvas: [cosmos.planet(canvas, *other) for other in others],
            "three planets in space",
            ("colourful planets and stars in outer space",),
        ),
    }[kind]


def painted_night(dice: Rng) -> Scene:
    """A night after Van Gogh's manner: swirls around stars and a moon, over hills with a village or a cypress."""
    setting = choose(dice, "night", horizon=(0.68, 0.8))
    blue = [(0.08, 0.14, 0.42), (0.14, 0.28, 0.62), (0.36, 0.55, 0.78)]
    setting.sky = [vary(dice, colour, 0.12) for colour in blue]
    setting.layers, setting.words = setting.layers[:1], []
    eyes = [
        (dice.uniform(0.08, 0.92), dice.uniform(0.08, setting.horizon - 0.2), dice.uniform(0.07, 0.15))
        for _ in range(int(dice.integers(4, 10)))
    ]
    yellow = vary(dice, (0.98, 0.86, 0.4))
    village, cypress = bool(dice.random() < 0.6), bool(dice.random() < 0.5)
    tree_x, turn = dice.uniform(0.12, 0.3), int(dice.integers(1 << 30))

    def lights(canvas: Canvas) -> None:
        for eye in eyes:
            painterly.rings(canvas.pixels, *eye, yellow, canvas.rng)

    def land(canvas: Canvas) -> None:
        lands.hills(canvas, (0.3, 0.5, 0.75), 2, 0.12)
        if village:
            buildings.village(canvas)
        if cypress:
            canvas.draw(lambda pen: pen.at(tree_x, 1, 1).polygon(FLAME, (0.06, 0.13, 0.1)))

    def strokes(picture: Image.Image, rng: Rng) -> Image.Image:
        flow = painterly.flow_field(np.random.default_rng(turn), eyes)
        return painterly.paint(picture, flow, rng, rng.uniform(1.1, 2), 0.16)

    over = f"a starry night over {'a village' if village else 'hills'}"
    name = str(dice.choice(["a starry night sky", "a starry night", "a swirling starry night", over]))
    details = (
        f"{name} in the style of Van Gogh",
        f"{name} with swirling stars and brush strokes",
        "The Starry Night by Vincent van Gogh",
    )
    told = details[: 2 + int(village and cypress)]
    return Scene("painted night", name, told, setting, [*setting.layers, lights, land], strokes, "painting")


def painted(scene: Scene, dice: Rng) -> Scene:
    """Any scene again as an oil painting in visible strokes."""
    width = dice.uniform(1, 2.1)

    def strokes(picture: Image.Image, rng: Rng) -> Image.Image:
        return painterly.paint(picture, painterly.flow_field(rng), rng, width, 0.09)

    details = [f"an oil painting of {scene.name}", *(f"a painting of {text}" for text in scene.details)]
    return Scene(scene.kind, scene.name, details, scene.setting, scene.layers, strokes, "painting")
