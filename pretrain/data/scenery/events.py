"""Kinds of scenes in which something happens: each function plans one scene from dice."""

from __future__ import annotations

import numpy as np

from pretrain.data.scenery import buildings, cosmos, figures, lands, lights, people, skies
from pretrain.data.scenery.canvas import Canvas, Rng, noise, ramp
from pretrain.data.scenery.setting import Scene, choose, compose


def fireworks(dice: Rng) -> Scene:
    """Bursts over a city or the sea."""
    setting = choose(dice, "night", horizon=(0.76, 0.86))
    setting.layers, setting.words = setting.layers[:1], []
    colours = [str(word) for word in dice.choice(list(lights.BEAMS), int(dice.integers(1, 4)), replace=False)]
    bursts = [
        (
            dice.uniform(0.12, 0.88),
            dice.uniform(0.12, 0.5),
            dice.uniform(0.1, 0.26),
            lights.BEAMS[str(dice.choice(colours))],
        )
        for _ in range(int(dice.integers(2, 7)))
    ]
    place, ground = [
        ("a city", lambda canvas: buildings.skyline(canvas, canvas.horizon + 0.1, 0.22)),
        ("the sea", lambda canvas: lands.sea(canvas, 0.3)),
        ("a village", lambda canvas: (lands.hills(canvas, (0.1, 0.16, 0.1), 1, 0.1), buildings.village(canvas))),
    ][dice.integers(3)]

    def show(canvas: Canvas) -> None:
        for burst in bursts:
            cosmos.firework(canvas, *burst)

    name = f"{' and '.join(colours[:2]) if len(colours) < 3 else 'colourful'} fireworks over {place}"
    return compose("fireworks", setting, name, [show, ground])


def invasion(dice: Rng) -> Scene:
    """Flying saucers over a skyline, with lasers and explosions."""
    setting = choose(dice, "night", "dusk", "sunset", "day", "storm", horizon=(0.8, 0.9))
    colour = str(dice.choice(list(lights.BEAMS)))
    ships = [
        (x, dice.uniform(0.1, 0.3), dice.uniform(0.16, 0.42)) for x in np.linspace(0.2, 0.8, int(dice.integers(1, 4)))
    ]
    lasers, tall = bool(dice.random() < 0.75), dice.uniform(0.3, 0.42)
    hits = [(x + dice.uniform(-0.12, 0.12), setting.horizon - dice.uniform(0.08, 0.26)) for x, _, _ in ships]

    def attack(canvas: Canvas) -> None:
        for (x, y, wide), hit in zip(ships, hits, strict=True):
            if lasers:
                figures.laser(canvas, (x, y), hit, lights.BEAMS[colour])
                figures.explosion(canvas, *hit, 0.09)
            figures.saucer(canvas, x, y, wide)

    ship = "a flying saucer" if len(ships) == 1 else str(dice.choice(["flying saucers", "ufos", "alien spaceships"]))
    place = str(dice.choice(["a city", "New York", "the city skyline"]))
    name = f"{ship} over {place}" if not lasers else f"{ship} destroying {place} with {colour} lasers"
    if lasers and dice.random() < 0.6:
        name = str(
            dice.choice([f"aliens destroying {place} with lasers", f"aliens attacking {place} with {colour} lasers"])
        )
    details = (
        (f"{ship} with {colour} lasers over {place}", f"an alien invasion of {place}")
        if lasers
        else (f"{ship} in the sky over {place}",)
    )
    return compose(
        "invasion",
        setting,
        name,
        [lambda canvas: buildings.skyline(canvas, canvas.horizon, tall, True), attack],
        details,
    )


def wedding(dice: Rng) -> Scene:
    """A bride and a groom before mountains, the sea, a castle or a church."""
    setting = choose(dice, "day", "day", "sunset", "sunrise", "fog", horizon=(0.55, 0.66))
    x, tall = dice.uniform(0.36, 0.64), dice.uniform(0.42, 0.75)
    snow = bool(dice.random() < 0.6)
    places = {
        "in the mountains": [
            lambda canvas: lands.mountains(canvas, snow, height=0.42),
            lambda canvas: lands.meadow(canvas, "white"),
        ],
        "before snowy mountains": [
            lambda canvas: lands.mountains(canvas, True, height=0.42),
            lambda canvas: lands.hills(canvas, None, 2, 0.08),
        ],
        "on the beach": [lambda canvas: lands.sea(canvas, 0.3), lambda canvas: lands.beach(canvas, 0.74)],
        "in a field of flowers": [lambda canvas: lands.meadow(canvas, "pink")],
        "by a mountain lake": [
            lambda canvas: lands.mountains(canvas, snow, height=0.36),
            lands.reflection,
            lambda canvas: lands.beach(canvas, 0.84),
        ],
    }
    weights = np.array([0.35, 0.25, 0.13, 0.13, 0.14])
    place = str(dice.choice(list(places), p=weights))
    word = str(
        dice.choice(["a wedding", "a bride and groom", "a wedding couple", "a marriage", "a couple getting married"])
    )
    if word == "a marriage" and dice.random() < 0.5:
        word = "marriage"
    layers = [*places[place], lambda canvas: people.couple(canvas, x, 0.96, tall)]
    return compose("wedding", setting, f"{word} {place}", layers, (f"a bride in a white dress and a groom {place}",))


def yeti(dice: Rng) -> Scene:
    """A yeti in the snow, taking a selfie now and then."""
    setting = choose(dice, "day", "winter", "sunset", "night", "fog", horizon=(0.55, 0.66))
    phone = bool(dice.random() < 0.65)
    x, tall = dice.uniform(0.36, 0.64), dice.uniform(0.6, 0.95)
    name = (
        str(dice.choice(["a yeti taking a selfie", "Yeti taking a selfie", "a yeti with a phone"]))
        if phone
        else str(dice.choice(["a yeti in the snow", "a yeti in the mountains", "a furry white monster in the snow"]))
    )
    layers = [
        lambda canvas: lands.mountains(canvas, True, height=0.4),
        lands.snow_ground,
        lambda canvas: people.yeti(canvas, x, 0.97, tall, phone),
    ]
    layers += [skies.snowfall] if dice.random() < 0.4 else []
    return compose("yeti", setting, name, layers, (f"{name} before snowy mountains",))


def balloons(dice: Rng) -> Scene:
    """Hot-air balloons over a land."""
    setting = choose(dice, "day", "day", "sunrise", "sunset", horizon=(0.72, 0.82))
    words = [str(word) for word in dice.choice(["red", "yellow", "blue", "purple"], 2, replace=False)]
    colours = [lands.FLOWERS[word] for word in words]
    spots = [
        (x, dice.uniform(0.15, 0.5), dice.uniform(0.12, 0.34))
        for x in np.linspace(0.25, 0.75, int(dice.integers(1, 4)))
    ]
    place, ground = [
        ("mountains", lambda canvas: lands.mountains(canvas, True, height=0.2)),
        ("hills", lambda canvas: lands.hills(canvas)),
        ("the desert", lands.dunes),
        ("the sea", lambda canvas: lands.sea(canvas, 0.3)),
    ][dice.integers(4)]

    def rise(canvas: Canvas) -> None:
        for spot in spots:
            figures.balloon(canvas, *spot, *colours)

    name = (
        f"a {words[0]} and {words[1]} hot-air balloon"
        if len(spots) == 1
        else f"{words[0]} and {words[1]} hot-air balloons"
    )
    return compose("balloons", setting, f"{name} over {place}", [ground, rise])


def glow_pattern(dice: Rng) -> Scene:
    """A colourful glow and nothing else."""
    setting = choose(dice, "night", horizon=(1.0, 1.1))
    words = [str(word) for word in dice.choice(list(lights.BEAMS), 2, replace=False)]

    def layer(canvas: Canvas) -> None:
        first, second = (np.asarray(lights.BEAMS[word]) for word in words)
        canvas.pixels = ramp([np.zeros(3), first * 0.6, second, np.ones(3)], noise(canvas.rng, 2, 3) * 0.9)

    setting.when, setting.layers = "", setting.layers[:1]
    return Scene(
        "glow",
        f"a {words[0]} and {words[1]} glow",
        (f"a colourful glow of {words[0]} and {words[1]} light",),
        setting,
        [layer],
    )
