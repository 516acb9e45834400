"""Kinds of scenes in nature: each function plans one scene from dice."""

from __future__ import annotations

from pretrain.data.scenery import figures, lands, skies, trees
from pretrain.data.scenery.canvas import Canvas, Rng
from pretrain.data.scenery.setting import Scene, choose, compose

SAILS = {"white": (0.97, 0.97, 0.94), "red": (0.85, 0.2, 0.15), "blue": (0.25, 0.4, 0.75), "yellow": (0.95, 0.8, 0.25)}
SANDS = {"golden": (0.9, 0.68, 0.38), "red": (0.8, 0.42, 0.24), "pale": (0.92, 0.8, 0.6)}
ROCKS = {"grey": (0.42, 0.42, 0.45), "brown": (0.45, 0.34, 0.26), "blue": (0.3, 0.38, 0.52), "red": (0.6, 0.33, 0.24)}


def sea(dice: Rng) -> Scene:
    """Calm or wild water, with boats, a lighthouse or nothing."""
    setting = choose(dice, horizon=(0.35, 0.6))
    rough = (
        dice.uniform(0.1, 0.5)
        if setting.light not in ("storm", "day") or dice.random() < 0.4
        else dice.uniform(0.65, 1)
    )
    layers: list = [lambda canvas: lands.sea(canvas, rough)]
    name = "the sea with waves" if rough > 0.6 else str(dice.choice(["the sea", "a calm sea", "the ocean"]))
    extra = dice.integers(4)
    if extra == 0:
        colour = str(dice.choice(list(SAILS)))
        x, wide = dice.uniform(0.2, 0.8), dice.uniform(0.1, 0.32)
        layers.append(lambda canvas: figures.boat(canvas, x, canvas.horizon + 0.03 + wide * 0.3, wide, SAILS[colour]))
        name = f"a sailing boat with {colour} sails at sea"
    elif extra == 1:
        x, tall = dice.choice([0.2, 0.8]), dice.uniform(0.3, 0.5)
        layers += [
            lambda canvas: canvas.draw(
                lambda pen: pen.ellipse(x, canvas.horizon + 0.07, 0.2, 0.07, canvas.tinted((0.3, 0.26, 0.24)))
            ),
            lambda canvas: figures.lighthouse(canvas, x, canvas.horizon + 0.03, tall),
        ]
        name = "a lighthouse by the sea"
    return compose("sea", setting, name, layers)


def beach(dice: Rng) -> Scene:
    """Sand, foam and water, palms now and then."""
    setting = choose(dice, "day", "day", "sunset", "sunrise", "storm", horizon=(0.38, 0.5))
    blue = [(0.08, 0.5, 0.6), (0.1, 0.4, 0.6)][dice.integers(2)]
    layers: list = [lambda canvas: lands.sea(canvas, 0.4, blue), lambda canvas: lands.beach(canvas, 0.8)]
    name = str(dice.choice(["a sandy beach by the sea", "a beach", "waves on a sandy beach"]))
    if dice.random() < 0.45:
        spots = [(x, dice.uniform(0.3, 0.5)) for x in dice.choice([0.1, 0.2, 0.8, 0.9], 2, replace=False)]

        def palms(canvas: Canvas) -> None:
            shade = sum(canvas.light.tint) / 3
            for x, tall in spots:
                canvas.draw(lambda pen, x=x, tall=tall: trees.palm(pen, canvas.rng, x, 0.9, tall * 1.3, shade))

        layers.append(palms)
        name = "a beach with palm trees"
    return compose("beach", setting, name, layers)


def mountains(dice: Rng) -> Scene:
    """Ranges with or without snow, over a lake, a forest, meadows or mist."""
    setting = choose(dice, horizon=(0.6, 0.75))
    snow, rock = bool(dice.random() < 0.7), str(dice.choice(list(ROCKS)))
    layers: list = [lambda canvas: lands.mountains(canvas, snow, ROCKS[rock], dice_height)]
    dice_height = dice.uniform(0.35, 0.55)
    fronts = {
        "a lake": [lands.reflection],
        "a forest": [
            lambda canvas: lands.hills(canvas, (0.2, 0.34, 0.16), 2, 0.08),
            lambda canvas: trees.forest(canvas),
        ],
        "a meadow": [lambda canvas: lands.meadow(canvas, "yellow" if snow else None)],
        "snow": [lands.snow_ground],
        "a river": [lambda canvas: lands.meadow(canvas), lands.river],
        "": [lambda canvas: lands.hills(canvas)],
    }
    front = str(dice.choice(list(fronts)))
    body = (
        str(dice.choice(["snowy mountains", "snow-capped mountains"]))
        if snow
        else str(dice.choice([f"{rock} mountains", "rocky mountains"]))
    )
    join = {
        "a lake": "and a lake",
        "a forest": "behind a forest",
        "a meadow": "behind a meadow",
        "snow": "and snow",
        "a river": "and a river",
        "": "",
    }
    name = f"{body} {join[front]}".strip()
    return compose("mountains", setting, name, layers + fronts[front])


def forest(dice: Rng) -> Scene:
    """Firs or leafy trees: green, in autumn, in blossom or in snow."""
    kind = str(dice.choice(["conifer", "leafy"]))
    leaves = "green" if kind == "conifer" else str(dice.choice(list(trees.LEAVES)))
    winter = kind == "conifer" and bool(dice.random() < 0.35)
    setting = choose(dice, *(["winter"] if winter else []), horizon=(0.45, 0.6))
    base = lands.snow_ground if winter else lambda canvas: lands.meadow(canvas)
    word = (
        "a snowy forest"
        if winter
        else {"green": "a green forest", "autumn": "an autumn forest", "blossoming": "blossoming trees"}[leaves]
    )
    if kind == "conifer" and not winter:
        word = str(dice.choice(["a fir forest", "a dark forest", "a forest"]))
    layers = [base, lambda canvas: trees.forest(canvas, kind, leaves, winter, 4)]
    if winter and dice.random() < 0.6:
        layers.append(skies.snowfall)
        word = f"{word} with falling snow"
    return compose("forest", setting, word, layers)


def field(dice: Rng) -> Scene:
    """A meadow with flowers of one colour, hills or mountains behind."""
    setting = choose(dice, "day", "day", "sunset", "sunrise", "storm", horizon=(0.4, 0.58))
    flowers = str(dice.choice(list(lands.FLOWERS)))
    back, words = [
        (lambda canvas: None, ""),
        (lambda canvas: lands.hills(canvas, None, 2, 0.14), "before green hills"),
        (lambda canvas: lands.mountains(canvas, True, height=0.25), "before snowy mountains"),
    ][dice.integers(3)]
    name = f"{dice.choice(['a field of', 'a meadow with'])} {flowers} flowers"
    layers = [back, lambda canvas: lands.meadow(canvas, flowers)]
    return compose("field", setting, name, layers, (f"{name} {words}".strip(), f"{flowers} flowers"))


def desert(dice: Rng) -> Scene:
    """Dunes, with pyramids or cacti now and then."""
    setting = choose(dice, "day", "day", "sunset", "sunrise", "night", horizon=(0.45, 0.6))
    sand = str(dice.choice(list(SANDS)))
    spots = [(x, dice.uniform(0.1, 0.22)) for x in (0.25, 0.5, 0.78)[: dice.integers(1, 4)]]

    def pyramids(canvas: Canvas) -> None:
        for x, tall in spots:
            base = canvas.horizon + 0.05
            lit, dark = canvas.tinted(SANDS[sand], 0.3), canvas.tinted(tuple(v * 0.6 for v in SANDS[sand]), 0.3)
            canvas.draw(
                lambda pen, x=x, tall=tall, base=base, lit=lit, dark=dark: (
                    pen.polygon([(x - tall, base), (x, base - tall), (x + tall * 0.25, base)], lit),
                    pen.polygon([(x + tall * 0.25, base), (x, base - tall), (x + tall, base)], dark),
                )
            )

    layers: list = [lambda canvas: lands.dunes(canvas, SANDS[sand])]
    name = f"{dice.choice(['a desert with', ''])} {sand} sand dunes".strip()
    if dice.random() < 0.3:
        layers, name = [pyramids, *layers], f"pyramids in a {sand} desert"
    return compose("desert", setting, name, layers)


def volcano(dice: Rng) -> Scene:
    """A volcano, quiet or erupting."""
    erupting = bool(dice.random() < 0.75)
    setting = choose(dice, "day", "night", "dusk", "sunset", horizon=(0.66, 0.76))
    word = "a volcano erupting with lava" if erupting else "a volcano before a plain"
    layers = [
        lambda canvas: lands.volcano(canvas, erupting),
        lambda canvas: lands.hills(canvas, (0.2, 0.26, 0.14), 2, 0.08),
    ]
    return compose("volcano", setting, word, layers)
