"""Kinds of scenes that people built: cities, villages, castles, houses, roads, and what happens there."""

from __future__ import annotations

import numpy as np

from pretrain.data.pair import with_article
from pretrain.data.scenery import buildings, lands, skies, trees
from pretrain.data.scenery.canvas import Canvas, Rng, halo, vary
from pretrain.data.scenery.setting import Scene, choose, compose

STONES = {
    "grey": (0.6, 0.6, 0.63),
    "white": (0.93, 0.92, 0.9),
    "brown": (0.66, 0.52, 0.38),
    "golden": (0.92, 0.76, 0.4),
}
TOPS = {"red": (0.7, 0.2, 0.16), "blue": (0.2, 0.3, 0.62), "purple": (0.45, 0.25, 0.6), "green": (0.2, 0.42, 0.32)}


def city(dice: Rng) -> Scene:
    """A skyline, on a river now and then."""
    setting = choose(dice, "day", "day", "sunset", "night", "night", "dusk", "fog", horizon=(0.7, 0.82))
    famous, river = bool(dice.random() < 0.5), bool(dice.random() < 0.35)
    tall = dice.uniform(0.32, 0.5)
    layers: list = [lambda canvas: buildings.skyline(canvas, canvas.horizon, tall, famous)]
    if river:
        layers.append(lands.reflection)
    name = (
        "the New York skyline"
        if famous
        else str(dice.choice(["a city skyline", "a city with tall buildings", "skyscrapers in a city"]))
    )
    return compose(
        "city", setting, f"{name} on a river" if river else name, layers, (f"a cityscape {setting.when}".strip(),)
    )


def castle_at(dice: Rng, x: float, foot: float, wide: float) -> tuple[str, object]:
    """(words, layer) for a castle in random colours."""
    stone, roof = str(dice.choice(list(STONES))), str(dice.choice(list(TOPS)))
    words = f"{with_article(stone)} castle" if dice.random() < 0.5 else f"a castle with {roof} roofs"
    return words, lambda canvas: buildings.castle(canvas, x, foot, wide, STONES[stone], TOPS[roof])


def castle(dice: Rng) -> Scene:
    """A castle on a hill, by the sea, before mountains or in the snow."""
    setting = choose(dice, horizon=(0.62, 0.74))
    x, foot, wide = dice.uniform(0.38, 0.62), setting.horizon + 0.02, dice.uniform(0.45, 0.7)
    words, layer = castle_at(dice, x, foot, wide)

    def knoll(canvas: Canvas) -> None:
        green = canvas.tinted(vary(canvas.rng, lands.GREENS[1]))
        canvas.draw(lambda pen: pen.ellipse(x, foot + 0.2, wide * 0.95, 0.24, green))

    places = [
        ("on a green hill", [lambda canvas: lands.hills(canvas, None, 2, 0.1), knoll, layer]),
        (
            "by the sea",
            [
                lambda canvas: lands.sea(canvas, 0.4),
                lambda canvas: canvas.draw(
                    lambda pen: pen.ellipse(x, foot + 0.05, wide * 0.7, 0.09, canvas.tinted((0.36, 0.34, 0.3)))
                ),
                layer,
            ],
        ),
        (
            "before mountains",
            [lambda canvas: lands.mountains(canvas, True, height=0.36), lambda canvas: lands.meadow(canvas), layer],
        ),
        ("in the snow", [lands.snow_ground, layer, skies.snowfall]),
        ("by a lake", [lambda canvas: lands.mountains(canvas, False, height=0.2), layer, lands.reflection]),
    ]
    place, layers = places[dice.integers(len(places))]
    return compose("castle", setting, f"{words} {place}", layers, (f"a castle {place} {setting.when}".strip(),))


def sky_castle(dice: Rng) -> Scene:
    """A castle on clouds or on a floating rock, glowing now and then."""
    glowing, rock, veiled = bool(dice.random() < 0.55), bool(dice.random() < 0.4), bool(dice.random() < 0.4)
    setting = choose(
        dice, *(("night", "dusk", "sunset") if glowing else ("day", "sunset", "sunrise")), horizon=(1.0, 1.1)
    )
    x, foot, wide = dice.uniform(0.4, 0.6), dice.uniform(0.56, 0.68), dice.uniform(0.45, 0.72)
    words, layer = castle_at(dice, x, foot, wide)
    colour = (1, 0.85, 0.5) if dice.random() < 0.6 else (0.6, 0.75, 1)

    def base(canvas: Canvas) -> None:
        if rock:
            island(canvas, x, foot, wide)

    def bank(canvas: Canvas) -> None:
        cloud_bank(canvas, foot + (0.14 if rock else -0.01))

    def light(canvas: Canvas) -> None:
        canvas.glow(np.asarray(colour) * 0.8, halo(x, foot - wide * 0.3, 0.22))

    name = f"{'a glowing' if glowing else 'a'} castle in the sky"
    details = (
        f"{words} floating on {'a rock' if rock else 'clouds'} in the sky",
        f"{name} above the clouds",
        f"{'a glow and light castle' if glowing else 'a fantasy castle'} in the sky",
    )
    return compose(
        "castle in the sky",
        setting,
        name,
        [*([light] if glowing else []), base, layer, *([light] if glowing and veiled else []), bank],
        details,
    )


def island(canvas: Canvas, x: float, foot: float, wide: float) -> None:
    """A floating rock, green above."""
    below = [(-0.62, -0.02), (0.62, -0.02), (0.3, 0.24), (0.05, 0.46), (-0.3, 0.22)]
    canvas.draw(lambda pen: pen.at(x, foot, wide).polygon(below, canvas.tinted((0.42, 0.34, 0.28))))
    canvas.draw(lambda pen: pen.at(x, foot, wide).ellipse(0, 0, 0.62, 0.05, canvas.tinted((0.32, 0.55, 0.22))))


def cloud_bank(canvas: Canvas, level: float) -> None:
    """A sea of round clouds from `level` down."""
    rng = canvas.rng
    white = skies.cloud_colour(canvas) if canvas.light.lit is False else np.asarray(canvas.sky[-1]) * 0.8 + 0.14

    def puffs(pen: object) -> None:
        for at in np.sort(rng.random(130)):
            radius = rng.uniform(0.04, 0.09)
            x, y = rng.uniform(-0.05, 1.05), level + 0.05 + at * (1 - level)
            pen.ellipse(x, y + radius * 0.25, radius * 1.25, radius, white * 0.82)
            pen.ellipse(x, y, radius * 1.15, radius * 0.9, white * rng.uniform(0.92, 1.05))

    canvas.draw(puffs, blur=1.5)


def village(dice: Rng) -> Scene:
    """Houses around a church before hills or mountains, in snow now and then."""
    winter = bool(dice.random() < 0.35)
    setting = choose(dice, *(("winter", "night", "dusk") if winter else ()), horizon=(0.45, 0.58))
    back = bool(dice.random() < 0.5)
    layers: list = [lambda canvas: lands.mountains(canvas, True, height=0.3)] if back else []
    layers += [lands.snow_ground if winter else lambda canvas: lands.hills(canvas, None, 3, 0.1)]
    layers += [lambda canvas: buildings.village(canvas, True, winter), *([skies.snowfall] if winter else [])]
    name = (
        f"a {'snowy ' if winter else ''}village with a church"
        if dice.random() < 0.5
        else f"a {'snowy ' if winter else 'small '}village"
    )
    name += " in the mountains" if back else ""
    return compose("village", setting, name, layers)


def house(dice: Rng) -> Scene:
    """One house with a garden, trees and flowers."""
    winter = bool(dice.random() < 0.2)
    setting = choose(
        dice, *(("winter",) if winter else ("day", "day", "sunset", "night", "dusk")), horizon=(0.55, 0.66)
    )
    wall, roof = str(dice.choice(list(buildings.WALLS))), str(dice.choice(list(buildings.ROOFS)))
    wide, x, flowers = dice.uniform(0.38, 0.6), dice.uniform(0.35, 0.65), str(dice.choice(list(lands.FLOWERS)))
    leaves = str(dice.choice(list(trees.LEAVES)))

    def grove(canvas: Canvas) -> None:
        for at, tall in ((x - wide * 0.85, 0.42), (x + wide * 0.9, 0.34)):
            colour = canvas.tinted(trees.LEAVES[leaves][canvas.rng.integers(3)])
            canvas.draw(
                lambda pen, at=at, tall=tall, colour=colour: trees.tree(pen, canvas.rng, at, 0.82, tall, colour)
            )

    layers = [lands.snow_ground if winter else lambda canvas: lands.meadow(canvas, flowers)]
    layers += [*([] if winter else [grove]), lambda canvas: buildings.house(canvas, x, 0.84, wide, wall, roof, winter)]
    layers += [skies.snowfall] if winter else []
    name = f"{with_article(wall)} house with a {roof} roof" if not winter else f"{with_article(wall)} house in the snow"
    details = (
        ()
        if winter
        else (
            f"a house with a garden and {flowers} flowers",
            f"{with_article(wall)} house with {'trees' if leaves == 'green' else leaves + ' trees'}",
        )
    )
    return compose("house", setting, name, layers, details)


def road(dice: Rng) -> Scene:
    """A road through a desert, a forest, fields or towards mountains."""
    setting = choose(dice, horizon=(0.45, 0.58))
    earth = bool(dice.random() < 0.3)
    grounds = {
        "through the desert": [lambda canvas: lands.ground(canvas, (0.85, 0.65, 0.4))],
        "through green fields": [lambda canvas: lands.meadow(canvas)],
        "towards the mountains": [
            lambda canvas: lands.mountains(canvas, True, height=0.32),
            lambda canvas: lands.ground(canvas, (0.45, 0.5, 0.28)),
        ],
        "through snow": [lambda canvas: lands.ground(canvas, (0.95, 0.97, 1), 0.1)],
        "into the city": [
            lambda canvas: buildings.skyline(canvas, canvas.horizon + 0.01, 0.3),
            lambda canvas: lands.ground(canvas, (0.42, 0.45, 0.38)),
        ],
    }
    ground = str(dice.choice(list(grounds)))
    layer = (
        (lambda canvas: lands.road(canvas, (0.6, 0.46, 0.3), False)) if earth else (lambda canvas: lands.road(canvas))
    )
    return compose("road", setting, f"{'a dirt road' if earth else 'a road'} {ground}", [*grounds[ground], layer])
