"""Kinds of scenes of which the sky is most: each function plans one scene from dice."""

from __future__ import annotations

from pretrain.data.pair import with_article
from pretrain.data.scenery import buildings, figures, lands, skies, trees
from pretrain.data.scenery.canvas import Rng
from pretrain.data.scenery.setting import Scene, choose, compose


def night_sky(dice: Rng) -> Scene:
    """Stars over a dark land, with or without the Milky Way, a moon or northern lights."""
    setting = choose(dice, "night", horizon=(0.72, 0.92))
    kind = dice.integers(6)
    layers: list = []
    if kind == 0:
        name, colour = (
            ("northern lights over hills", (0.15, 0.75, 0.4))
            if dice.random() < 0.7
            else ("purple northern lights", (0.5, 0.2, 0.7))
        )
        layers.append(lambda canvas: skies.aurora(canvas, colour))
    elif kind == 1:
        name = str(dice.choice(["the Milky Way", "the Milky Way in the night sky", "a starry sky with the Milky Way"]))
        layers.append(skies.milky_way)
    else:
        name = str(
            dice.choice(["a starry night sky", "a night sky full of stars", "a starry night", "stars in the night sky"])
        )
    snow = bool(dice.random() < 0.5)
    land = [
        ("over hills", lambda canvas: lands.hills(canvas, (0.1, 0.16, 0.12), 2, 0.12)),
        ("over mountains", lambda canvas: lands.mountains(canvas, snow, height=0.3)),
        ("over a forest", lambda canvas: trees.forest(canvas, "conifer", rows=2)),
        ("over the sea", lambda canvas: lands.sea(canvas, 0.3)),
        ("over a village", lambda canvas: (lands.hills(canvas, (0.12, 0.2, 0.12), 2, 0.1), buildings.village(canvas))),
        ("", lambda canvas: None),
    ]
    words, layer = land[dice.integers(len(land))]
    name = f"{name} {words}".strip() if "over" not in name else name
    return compose(
        "night sky", setting, name, [*layers, layer], (f"{name}, {setting.colour} with {' and '.join(setting.words)}",)
    )


def sunset(dice: Rng) -> Scene:
    """The sun low over sea, mountains, a city, hills or a forest."""
    rising = bool(dice.random() < 0.35)
    setting = choose(dice, "sunrise" if rising else "sunset", horizon=(0.55, 0.72))
    place, red = dice.uniform(0.25, 0.75), dice.uniform(0.05, 0.075)
    height = setting.horizon - dice.uniform(0, 0.12)
    grounds = {
        "the sea": [
            lambda canvas: lands.sea(canvas, 0.35),
            lambda canvas: lands.glitter(canvas, place, canvas.sky[-1]),
        ],
        "mountains": [
            lambda canvas: lands.mountains(canvas, False, (0.3, 0.25, 0.3), 0.25),
            lambda canvas: lands.hills(canvas, (0.2, 0.2, 0.16), 2),
        ],
        "the city": [lambda canvas: buildings.skyline(canvas, canvas.horizon + 0.16, 0.3)],
        "hills": [lambda canvas: lands.hills(canvas)],
        "a lake": [lambda canvas: lands.mountains(canvas, False, height=0.14), lands.reflection],
        "fields": [lambda canvas: lands.meadow(canvas)],
        "the desert": [lands.dunes],
    }
    ground = str(dice.choice(list(grounds)))
    word = "sunrise" if rising else "sunset"
    setting.when = ""
    sun = [] if "a low sun" in setting.words else [lambda canvas: skies.sun(canvas, place, height, red)]
    name = f"{dice.choice(['a', with_article(setting.colour.split()[0])])} {word} over {ground}"
    return compose(
        "sunset",
        setting,
        name,
        [*sun, *grounds[ground]],
        (f"the sun {'rising' if rising else 'setting'} over {ground}",),
    )


def rainbow(dice: Rng) -> Scene:
    """A rainbow over hills, the sea, a field or mountains."""
    setting = choose(dice, "day", "storm", "day", horizon=(0.58, 0.72))
    grounds = {
        "green hills": [lambda canvas: lands.hills(canvas)],
        "the sea": [lambda canvas: lands.sea(canvas, 0.5)],
        "a meadow": [lambda canvas: lands.meadow(canvas)],
        "mountains": [
            lambda canvas: lands.mountains(canvas, True, height=0.3),
            lambda canvas: lands.hills(canvas, layers=2),
        ],
    }
    ground = str(dice.choice(list(grounds)))
    return compose("rainbow", setting, f"a rainbow over {ground}", [skies.rainbow, *grounds[ground]])


def clouds(dice: Rng) -> Scene:
    """Nothing but a sky."""
    setting = choose(dice, "day", "day", "sunset", "storm", "sunrise", horizon=(1.0, 1.2))
    amount = dice.uniform(0.35, 0.7)
    word = {"day": "white clouds", "storm": "dark storm clouds"}.get(setting.light, "glowing clouds")
    name = f"{word} in {with_article(setting.colour)} sky"
    setting.when = ""
    layers: list = [lambda canvas: skies.clouds(canvas, amount)]
    if dice.random() < 0.25:
        count = int(dice.integers(3, 12))
        layers.append(lambda canvas: figures.birds(canvas, count))
        name = f"birds and {word} in the sky"
    return compose("clouds", setting, name, layers)


def storm(dice: Rng) -> Scene:
    """Rain or lightning over a land."""
    setting = choose(dice, "storm", horizon=(0.55, 0.7))
    grounds = {
        "the sea": lambda canvas: lands.sea(canvas, 0.8),
        "fields": lambda canvas: lands.meadow(canvas),
        "the city": lambda canvas: buildings.skyline(canvas, canvas.horizon + 0.2, 0.35),
        "hills": lambda canvas: lands.hills(canvas),
    }
    ground = str(dice.choice(list(grounds)))
    word, over = [("rain", skies.rain), ("lightning", skies.lightning)][dice.integers(2)]
    return compose(
        "storm",
        setting,
        f"{word} over {ground}",
        [grounds[ground], over] if word == "rain" else [over, grounds[ground]],
    )
