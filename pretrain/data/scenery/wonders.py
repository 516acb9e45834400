"""Kinds of scenes beyond the everyday: space, the deep sea, painted nights, and emoji set into lands or made of light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from pretrain.data.pair import with_article
from pretrain.data.scenery import cosmos, figures, lands, painterly, skies, things
from pretrain.data.scenery.canvas import Canvas, Rng, vary
from pretrain.data.scenery.landscapes import compose
from pretrain.data.scenery.places import LIGHTS, STONES, TOPS
from pretrain.data.scenery.setting import Scene, Setting, choose

Artist = Callable[[str, int], Image.Image]  # (emoji code, a number that chooses the drawing style) -> RGBA picture
SPRITES = {  # emoji that stand on land, as code -> words
    "1f408": "a cat", "1f415": "a dog", "1f40e": "a horse", "1f404": "a cow", "1f411": "a sheep", "1f418": "an elephant",
    "1f42a": "a camel", "1f98a": "a fox", "1f43b": "a bear", "1f407": "a rabbit", "1f981": "a lion", "1f42f": "a tiger",
    "1f697": "a red car", "1f695": "a taxi", "1f68c": "a bus", "1f69a": "a truck", "1f6b2": "a bicycle",
    "1f3cd": "a motorcycle", "1f682": "a steam train", "1f69c": "a tractor", "1f680": "a rocket", "1f916": "a robot",
    "1f47d": "an alien", "1f47b": "a ghost", "26c4": "a snowman", "1f384": "a Christmas tree", "1f3f0": "a castle",
    "1f3e0": "a house", "26fa": "a tent", "1f996": "a dinosaur", "1f98c": "a deer", "1f427": "a penguin",
    "1f409": "a dragon", "1f984": "a unicorn", "1f34e": "a red apple", "1f382": "a birthday cake", "1f354": "a hamburger",
    "1f355": "a slice of pizza", "1f370": "a piece of cheesecake", "1f33b": "a sunflower", "1f335": "a cactus",
}  # fmt: skip
SWIMMERS = {"1f420": "a tropical fish", "1f41f": "a fish", "1f42c": "a dolphin", "1f988": "a shark", "1f419": "an octopus", "1f422": "a turtle", "1f433": "a whale"}  # fmt: skip
SHINING = {"1f697": "car", "1f3ce": "racing car", "1f408": "cat", "1f3f0": "castle", "1f3e0": "house", "1f333": "tree", "26f5": "boat", "1f40e": "horse", "1f680": "rocket", "1f98b": "butterfly", "1f6b2": "bicycle", "1f98c": "deer", "1f339": "rose", "1f409": "dragon", "1f415": "dog"}  # fmt: skip
PLACES = {
    "in a meadow": lambda canvas: lands.meadow(canvas, "yellow"),
    "before snowy mountains": lambda canvas: (lands.mountains(canvas, True, height=0.36), lands.meadow(canvas)),
    "on the beach": lambda canvas: (lands.sea(canvas, 0.4), lands.beach(canvas, 0.72)),
    "in the desert": lands.dunes,
    "in the snow": lambda canvas: (lands.snow_ground(canvas), skies.snowfall(canvas)),
    "on a road": lambda canvas: (lands.hills(canvas, None, 1, 0.12), lands.meadow(canvas), lands.road(canvas)),
    "before the city": lambda canvas: (things.skyline(canvas, canvas.horizon, 0.35), lands.ground(canvas, (0.4, 0.42, 0.4))),
    "in the forest": lambda canvas: (lands.meadow(canvas), things.forest(canvas, "leafy", rows=2)),
    "before a castle": lambda canvas: (lands.meadow(canvas), things.castle(canvas, 0.5, canvas.horizon + 0.05, 0.6, STONES["grey"], TOPS["blue"])),
    "on green hills": lambda canvas: lands.hills(canvas),
}  # fmt: skip


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
    words = [str(word) for word in dice.choice(list(LIGHTS), 2, replace=False)]
    colours = tuple(np.asarray(LIGHTS[word]) for word in words)
    x, y, wide = dice.uniform(0.42, 0.58), dice.uniform(0.45, 0.6), dice.uniform(0.55, 0.85)
    name, details = {
        "glow": (f"a glowing {noun}", (f"a {noun} with a colourful glow", f"a {words[0]} and {words[1]} glowing {noun}", f"a glow and light {noun}")),
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
        canvas.draw(lambda pen: [pen.ellipse(x + a * wide, foot + b, r, r * 0.7, white * canvas.rng.uniform(0.88, 1)) for a, b, r in spots], blur=1.5)

    layers = [lambda canvas: figures.sprite(canvas, artist(code, style), x, foot + 0.02, wide, False), cloud]
    return compose("flyer", setting, f"{SPRITES[code]} on a cloud", layers, (f"{SPRITES[code]} in the sky",))


def underwater(dice: Rng, artist: Artist) -> Scene:
    """The sea below its surface, with corals and animals."""
    setting = choose(dice, "day", horizon=(1.0, 1.1))
    word, colours = [("blue", ((0.3, 0.72, 0.88), (0.02, 0.16, 0.38))), ("turquoise", ((0.4, 0.85, 0.82), (0.03, 0.3, 0.38))), ("dark blue", ((0.1, 0.35, 0.6), (0.01, 0.05, 0.18)))][dice.integers(3)]  # fmt: skip
    code, style = str(dice.choice(list(SWIMMERS))), int(dice.integers(4))
    spots = [(dice.uniform(0.2, 0.8), dice.uniform(0.35, 0.75), dice.uniform(0.12, 0.4)) for _ in range(int(dice.integers(0, 4)))]

    def swim(canvas: Canvas) -> None:
        for spot in spots:
            figures.sprite(canvas, artist(code, style), *spot, False)

    name = f"{SWIMMERS[code]} in the {word} sea" if len(spots) == 1 else f"fish and corals in {word} water" if spots else f"corals under {word} water"
    if len(spots) > 1 and "fish" not in SWIMMERS[code]:
        name = f"{SWIMMERS[code].split(' ', 1)[1]}s under {word} water" if code != "1f419" else f"octopuses under {word} water"
    setting.when, setting.layers = "", []
    return Scene("underwater", name, ("an underwater scene with corals", f"the bottom of the sea in {word} water"), setting, [lambda canvas: cosmos.deep_sea(canvas, colours), swim])


def space(dice: Rng) -> Scene:
    """Nebulae, galaxies, planets with or without rings, the Earth."""
    setting = choose(dice, "night", horizon=(1.0, 1.1))
    setting.when, setting.layers = "", []
    kind = str(dice.choice(["nebula", "galaxy", "planet", "ringed", "earth", "planets"]))
    gas = str(dice.choice(list(cosmos.NEBULAE))) if kind == "nebula" or dice.random() < 0.3 else None
    x, y, radius = dice.uniform(0.35, 0.65), dice.uniform(0.35, 0.65), dice.uniform(0.14, 0.32)
    word = str(dice.choice(list(cosmos.PLANETS)))
    tone = cosmos.NEBULAE[str(dice.choice(["blue", "purple", "pink"]))]
    others = [(a, dice.uniform(0.15, 0.85), dice.uniform(0.05, 0.15), str(dice.choice(list(cosmos.PLANETS)))) for a in (0.2, 0.5, 0.8)]
    layer, name, details = {
        "nebula": (lambda canvas: None, f"a {gas} nebula in space", ("glowing gas clouds and stars in space", "outer space with stars")),
        "galaxy": (lambda canvas: cosmos.galaxy(canvas, x, y, radius, tone), "a spiral galaxy in space", ("a galaxy among stars", "a swirling galaxy")),
        "planet": (lambda canvas: cosmos.planet(canvas, x, y, radius, word), f"{with_article(word)} planet in space", (f"{with_article(word)} planet among the stars",)),
        "ringed": (lambda canvas: cosmos.planet(canvas, x, y, radius * 0.7, word, True), f"{with_article(word)} planet with rings", ("a planet with rings like Saturn in space",)),
        "earth": (lambda canvas: cosmos.planet(canvas, x, y, radius, "blue", False, True), "the Earth from space", ("the blue planet Earth among the stars",)),
        "planets": (lambda canvas: [cosmos.planet(canvas, *other) for other in others], "three planets in space", ("colourful planets and stars in outer space",)),
    }[kind]  # fmt: skip
    return Scene("space", name, details, setting, [lambda canvas: cosmos.space(canvas, gas), layer])


def painted_night(dice: Rng) -> Scene:
    """A night after Van Gogh's manner: swirls around stars and a moon, over hills with a village or a cypress."""
    setting = choose(dice, "night", horizon=(0.68, 0.8))
    blue = [(0.08, 0.14, 0.42), (0.14, 0.28, 0.62), (0.36, 0.55, 0.78)]
    setting.sky = [vary(dice, colour, 0.12) for colour in blue]
    setting.layers, setting.words = setting.layers[:1], []
    eyes = [(dice.uniform(0.08, 0.92), dice.uniform(0.08, setting.horizon - 0.2), dice.uniform(0.07, 0.15)) for _ in range(int(dice.integers(4, 10)))]
    yellow = vary(dice, (0.98, 0.86, 0.4))
    village, cypress = bool(dice.random() < 0.6), bool(dice.random() < 0.5)
    tree_x, turn = dice.uniform(0.12, 0.3), int(dice.integers(1 << 30))

    def lights(canvas: Canvas) -> None:
        for eye in eyes:
            painterly.rings(canvas.pixels, *eye, yellow, canvas.rng)

    def land(canvas: Canvas) -> None:
        lands.hills(canvas, (0.3, 0.5, 0.75), 2, 0.12)
        if village:
            things.village(canvas)
        if cypress:
            flame = [(tree_x - 0.09, 1), (tree_x - 0.06, 0.6), (tree_x, 0.2), (tree_x + 0.07, 0.62), (tree_x + 0.09, 1)]
            canvas.draw(lambda pen: pen.polygon(flame, (0.06, 0.13, 0.1)))

    def strokes(picture: Image.Image, rng: Rng) -> Image.Image:
        flow = painterly.flow_field(np.random.default_rng(turn), eyes)
        return painterly.paint(picture, flow, rng, rng.uniform(1.1, 2), 0.16)

    name = str(dice.choice(["a starry night sky", "a starry night", "a swirling starry night", f"a starry night over {'a village' if village else 'hills'}"]))
    details = (f"{name} in the style of Van Gogh", f"{name} with swirling stars and brush strokes", "The Starry Night by Vincent van Gogh")
    return Scene("painted night", name, details[: 2 + int(village and cypress)], setting, [*setting.layers, lights, land], strokes, "painting")


def painted(scene: Scene, dice: Rng) -> Scene:
    """Any scene again as an oil painting in visible strokes."""
    width = dice.uniform(1, 2.1)

    def strokes(picture: Image.Image, rng: Rng) -> Image.Image:
        return painterly.paint(picture, painterly.flow_field(rng), rng, width, 0.09)

    details = [f"an oil painting of {scene.name}", *(f"a painting of {text}" for text in scene.details)]
    return Scene(scene.kind, scene.name, details, scene.setting, scene.layers, strokes, "painting")
