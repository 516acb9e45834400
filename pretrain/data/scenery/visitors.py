"""Kinds of scenes with emoji in them: set into lands, on clouds, in the sea, or made of light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from pretrain.data.scenery import buildings, cosmos, figures, lands, lights, skies, trees
from pretrain.data.scenery.canvas import Canvas, Rng
from pretrain.data.scenery.places import STONES, TOPS
from pretrain.data.scenery.setting import Scene, choose, compose

Artist = Callable[[str, int], Image.Image]  # (emoji code, a number that chooses the drawing style) -> RGBA picture
SPRITES = {  # emoji that stand on land, as code -> words
    "1f408": "a cat",
    "1f415": "a dog",
    "1f40e": "a horse",
    "1f404": "a cow",
    "1f411": "a sheep",
    "1f418": "an elephant",
    "1f42a": "a camel",
    "1f98a": "a fox",
    "1f43b": "a bear",
    "1f407": "a rabbit",
    "1f981": "a lion",
    "1f42f": "a tiger",
    "1f697": "a red car",
    "1f695": "a taxi",
    "1f68c": "a bus",
    "1f69a": "a truck",
    "1f6b2": "a bicycle",
    "1f3cd": "a motorcycle",
    "1f682": "a steam train",
    "1f69c": "a tractor",
    "1f680": "a rocket",
    "1f916": "a robot",
    "1f47d": "an alien",
    "1f47b": "a ghost",
    "26c4": "a snowman",
    "1f384": "a Christmas tree",
    "1f3f0": "a castle",
    "1f3e0": "a house",
    "26fa": "a tent",
    "1f996": "a dinosaur",
    "1f98c": "a deer",
    "1f427": "a penguin",
    "1f409": "a dragon",
    "1f984": "a unicorn",
    "1f34e": "a red apple",
    "1f382": "a birthday cake",
    "1f354": "a hamburger",
    "1f355": "a slice of pizza",
    "1f370": "a piece of cheesecake",
    "1f33b": "a sunflower",
    "1f335": "a cactus",
}
SWIMMERS = {
    "1f420": "a tropical fish",
    "1f41f": "a fish",
    "1f42c": "a dolphin",
    "1f988": "a shark",
    "1f419": "an octopus",
    "1f422": "a turtle",
    "1f433": "a whale",
}
SHINING = {
    "1f697": "car",
    "1f3ce": "racing car",
    "1f408": "cat",
    "1f3f0": "castle",
    "1f3e0": "house",
    "1f333": "tree",
    "26f5": "boat",
    "1f40e": "horse",
    "1f680": "rocket",
    "1f98b": "butterfly",
    "1f6b2": "bicycle",
    "1f98c": "deer",
    "1f339": "rose",
    "1f409": "dragon",
    "1f415": "dog",
}
PLACES = {
    "in a meadow": lambda canvas: lands.meadow(canvas, "yellow"),
    "before snowy mountains": lambda canvas: (lands.mountains(canvas, True, height=0.36), lands.meadow(canvas)),
    "on the beach": lambda canvas: (lands.sea(canvas, 0.4), lands.beach(canvas, 0.72)),
    "in the desert": lands.dunes,
    "in the snow": lambda canvas: (lands.snow_ground(canvas), skies.snowfall(canvas)),
    "on a road": lambda canvas: (lands.hills(canvas, None, 1, 0.12), lands.meadow(canvas), lands.road(canvas)),
    "before the city": lambda canvas: (
        buildings.skyline(canvas, canvas.horizon, 0.35),
        lands.ground(canvas, (0.4, 0.42, 0.4)),
    ),
    "in the forest": lambda canvas: (lands.meadow(canvas), trees.forest(canvas, "leafy", rows=2)),
    "before a castle": lambda canvas: (
        lands.meadow(canvas),
        buildings.castle(canvas, 0.5, canvas.horizon + 0.05, 0.6, STONES["grey"], TOPS["blue"]),
    ),
    "on green hills": lambda canvas: lands.hills(canvas),
}


def visitor(dice: Rng, artist: Artist) -> Scene:
    """An animal, a vehicle or a thing set into a land."""
    setting = choose(dice, horizon=(0.48, 0.62))
    code, place, style = str(dice.choice(list(SPRITES))), str(dice.choice(list(PLACES))), int(dice.integers(4))
    x, wide = dice.uniform(0.3, 0.7), dice.uniform(0.3, 0.62)
    layers = [PLACES[place], lambda canvas: figures.sprite(canvas, artist(code, style), x, 0.93, wide)]
    return compose("visitor", setting, f"{SPRITES[code]} {place}", layers)


def shining(dice: Rng, artist: Artist) -> Scene:
    """A thing as a colourful glow, filled with stars, or as a pale ghost."""
    setting = choose(dice, "night", "night", "dusk", horizon=(0.75, 1.0))
    code, style = str(dice.choice(list(SHINING))), int(dice.integers(4))
    noun, fill = SHINING[code], str(dice.choice(["glow", "glow", "starry", "ghost"]))
    words = [str(word) for word in dice.choice(list(lights.BEAMS), 2, replace=False)]
    colours = tuple(np.asarray(lights.BEAMS[word]) for word in words)
    x, y, wide = dice.uniform(0.42, 0.58), dice.uniform(0.45, 0.6), dice.uniform(0.55, 0.85)
    name, details = {
        "glow": (
            f"a glowing {noun}",
            (
                f"a {noun} with a colourful glow",
                f"a {words[0]} and {words[1]} glowing {noun}",
                f"a glow and light {noun}",
            ),
        ),
        "starry": (f"a starry {noun}", (f"a {noun} made of stars", f"a {noun} filled with the night sky")),
        "ghost": (f"a ghost {noun}", (f"a ghostly {noun} in the dark", f"a pale {noun} like a ghost")),
    }[fill]
    setting.when = ""
    layer = lambda canvas: cosmos.glowing(canvas, artist(code, style), x, y, wide, colours, fill)  # noqa: E731
    return Scene("glow", name, details, setting, [*setting.layers, layer])


def flyer(dice: Rng, artist: Artist) -> Scene:
    """A castle, a cat or another thing floating among the clouds."""
    setting = choose(dice, "day", "sunset", "sunrise", "night", horizon=(1.0, 1.1))
    code, style = str(dice.choice(list(SPRITES))), int(dice.integers(4))
    x, foot, wide = dice.uniform(0.35, 0.65), dice.uniform(0.6, 0.8), dice.uniform(0.35, 0.6)

    def cloud(canvas: Canvas) -> None:
        white = np.minimum(skies.cloud_colour(canvas) + 0.05, 1)
        spots = canvas.rng.uniform((-0.55, -0.02, 0.05), (0.55, 0.06, 0.1), (26, 3))
        canvas.draw(
            lambda pen: [
                pen.ellipse(x + a * wide, foot + b, r, r * 0.7, white * canvas.rng.uniform(0.88, 1))
                for a, b, r in spots
            ],
            blur=1.5,
        )

    layers = [lambda canvas: figures.sprite(canvas, artist(code, style), x, foot + 0.02, wide, False), cloud]
    return compose("flyer", setting, f"{SPRITES[code]} on a cloud", layers, (f"{SPRITES[code]} in the sky",))


def underwater(dice: Rng, artist: Artist) -> Scene:
    """The sea below its surface, with corals and animals."""
    setting = choose(dice, "day", horizon=(1.0, 1.1))
    word, colours = [
        ("blue", ((0.3, 0.72, 0.88), (0.02, 0.16, 0.38))),
        ("turquoise", ((0.4, 0.85, 0.82), (0.03, 0.3, 0.38))),
        ("dark blue", ((0.1, 0.35, 0.6), (0.01, 0.05, 0.18))),
    ][dice.integers(3)]
    code, style = str(dice.choice(list(SWIMMERS))), int(dice.integers(4))
    spots = [
        (dice.uniform(0.2, 0.8), dice.uniform(0.35, 0.75), dice.uniform(0.12, 0.4))
        for _ in range(int(dice.integers(0, 4)))
    ]

    def swim(canvas: Canvas) -> None:
        for spot in spots:
            figures.sprite(canvas, artist(code, style), *spot, False)

    name = (
        f"{SWIMMERS[code]} in the {word} sea"
        if len(spots) == 1
        else f"fish and corals in {word} water"
        if spots
        else f"corals under {word} water"
    )
    if len(spots) > 1 and "fish" not in SWIMMERS[code]:
        name = (
            f"{SWIMMERS[code].split(' ', 1)[1]}s under {word} water"
            if code != "1f419"
            else f"octopuses under {word} water"
        )
    setting.when, setting.layers = "", []
    return Scene(
        "underwater",
        name,
        ("an underwater scene with corals", f"the bottom of the sea in {word} water"),
        setting,
        [lambda canvas: cosmos.deep_sea(canvas, colours), swim],
    )
