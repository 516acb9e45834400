"""What a scene is before it is drawn: its words, its light and its layers; and the dice that choose light and sky."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import Image

from pretrain.data.pair import with_article
from pretrain.data.scenery import lights, skies
from pretrain.data.scenery.canvas import Canvas, Colour, Rng

Layer = Callable[[Canvas], None]
WHEN = {
    "day": ("on a sunny day", "under a blue sky", "in daylight", ""),
    "sunset": ("at sunset", "in the evening light", "at sunset"),
    "sunrise": ("at sunrise", "in the morning light", "at dawn"),
    "night": ("at night", "under the stars", "under a starry night sky", "at night"),
    "dusk": ("at dusk", "at twilight"),
    "storm": ("under dark clouds", "in a storm", "under a stormy sky"),
    "fog": ("in the fog", "on a foggy day"),
    "winter": ("in winter", "on a winter day"),
}


@dataclass(slots=True)
class Scene:
    """A planned scene: its kind, a name of at most seven words, longer captions, light, layers in drawing order."""

    kind: str
    name: str
    details: Sequence[str]
    setting: Setting
    layers: Sequence[Layer]
    finish: Callable[[Image.Image, Rng], Image.Image] | None = None
    medium: str = "scene"

    def picture(self, rng: Rng) -> Image.Image:
        """Draw it."""
        light = lights.LIGHTS[self.setting.light]
        canvas = Canvas(rng, light, self.setting.sky, self.setting.horizon)
        for layer in self.layers:
            layer(canvas)
        return self.finish(canvas.picture(), rng) if self.finish else canvas.picture()


@dataclass(slots=True)
class Setting:
    """A light, its words, the sky's colours, the horizon, and the layers and words of what stands in the sky."""

    light: str
    when: str
    colour: str
    sky: Sequence[Colour]
    horizon: float
    layers: list[Layer] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def under(self) -> str:
        """Words for the sky: "under an orange sky with clouds"."""
        return f"under {with_article(self.colour)} sky" + (f" with {' and '.join(self.words)}" if self.words else "")


def choose(dice: Rng, *among: str, horizon: tuple[float, float] = (0.5, 0.68)) -> Setting:
    """A setting in one of the lights (any by default), with clouds, sun, moon, stars or snow as the light suggests."""
    light = str(
        dice.choice(among or ("day", "day", "day", "sunset", "sunrise", "night", "night", "dusk", "storm", "fog"))
    )
    colour, sky = lights.LIGHTS[light].skies[dice.integers(len(lights.LIGHTS[light].skies))]
    setting = Setting(light, str(dice.choice(WHEN[light])), colour, sky, dice.uniform(*horizon), [skies.sky])
    FILL[light](setting, dice)
    return setting


def add(setting: Setting, words: str | None, layer: Callable[..., None], *values: object) -> None:
    """One more layer of the sky, with its words."""
    setting.layers.append(lambda canvas: layer(canvas, *values))
    if words:
        setting.words.append(words)


def by_day(setting: Setting, dice: Rng) -> None:
    if dice.random() < 0.3:
        add(setting, "the sun", skies.sun, dice.uniform(0.1, 0.9), dice.uniform(0.08, 0.25), dice.uniform(0.03, 0.06))
    amount = dice.choice([0, 0.2, 0.45, 0.7])
    if amount:
        add(setting, "white clouds" if amount > 0.3 else "small clouds", skies.clouds, amount)


def at_low_sun(setting: Setting, dice: Rng) -> None:
    place = dice.uniform(0.2, 0.8), setting.horizon - dice.uniform(-0.02, 0.14), dice.uniform(0.035, 0.08)
    if dice.random() < 0.6:
        add(setting, None, skies.clouds, dice.uniform(0.2, 0.55))
        setting.words.append("glowing clouds")
    if dice.random() < 0.8:
        add(setting, "a low sun", skies.sun, *place)


def at_night(setting: Setting, dice: Rng) -> None:
    add(setting, "stars", skies.stars, int(dice.integers(120, 600)), dice.uniform(0.7, 1.5))
    if dice.random() < 0.25:
        add(setting, "the Milky Way", skies.milky_way)
    elif dice.random() < 0.65:
        crescent = bool(dice.random() < 0.45)
        words = "a crescent moon" if crescent else "a full moon"
        add(
            setting,
            words,
            skies.moon,
            dice.uniform(0.15, 0.85),
            dice.uniform(0.1, 0.32),
            dice.uniform(0.035, 0.09),
            crescent,
        )


def in_cloud(setting: Setting, dice: Rng) -> None:
    add(setting, "heavy clouds", skies.clouds, dice.uniform(0.5, 0.85), tuple(value * 0.8 for value in setting.sky[1]))


def plain(setting: Setting, dice: Rng) -> None:
    """Nothing more."""


def hazy(setting: Setting, dice: Rng) -> None:
    if dice.random() < 0.5:
        add(setting, None, skies.clouds, dice.uniform(0.2, 0.5))


FILL = {
    "day": by_day,
    "sunset": at_low_sun,
    "sunrise": at_low_sun,
    "night": at_night,
    "dusk": hazy,
    "storm": in_cloud,
    "fog": plain,
    "winter": hazy,
}


def compose(kind: str, setting: Setting, name: str, layers: list, details: tuple[str, ...] = ()) -> Scene:
    """A scene whose captions are the name with the time, the name under the sky, and what else is given."""
    timed = f"{name} {setting.when}".strip()
    first = timed if len(timed.split()) <= 7 else name
    more = (timed, f"{name} {setting.under}", *details)
    return Scene(
        kind, first, tuple(text for text in dict.fromkeys(more) if text != first), setting, setting.layers + layers
    )
