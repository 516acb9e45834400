"""Colour words: which colour an object has, another colour for it, and colours to paint grounds with."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rng = np.random.Generator

PAINTS = {  # word -> hue range in degrees, saturation range, value range
    "red": ((350, 368), (0.75, 1), (0.6, 0.95)),
    "orange": ((22, 36), (0.8, 1), (0.85, 1)),
    "yellow": ((48, 60), (0.65, 1), (0.85, 1)),
    "green": ((95, 145), (0.5, 1), (0.4, 0.85)),
    "turquoise": ((172, 186), (0.5, 0.9), (0.6, 0.9)),
    "blue": ((210, 235), (0.6, 1), (0.55, 1)),
    "light blue": ((195, 215), (0.25, 0.45), (0.9, 1)),
    "dark blue": ((215, 240), (0.6, 1), (0.15, 0.4)),
    "purple": ((265, 285), (0.5, 0.9), (0.45, 0.85)),
    "pink": ((315, 345), (0.3, 0.7), (0.9, 1)),
    "brown": ((15, 30), (0.5, 0.8), (0.3, 0.5)),
    "beige": ((30, 45), (0.15, 0.3), (0.85, 0.95)),
    "black": ((0, 360), (0, 0.2), (0, 0.1)),
    "grey": ((0, 360), (0, 0.06), (0.4, 0.7)),
    "white": ((0, 360), (0, 0.02), (0.98, 1)),
}
HUES = {"red": 0, "orange": 28, "yellow": 53, "green": 120, "turquoise": 178, "blue": 222, "purple": 274, "pink": 325}
WORDS = frozenset(PAINTS) | {"golden", "silver", "gray", "rainbow", "coloured", "colored", "dark", "light"}


def paint(word: str, rng: Rng) -> tuple[int, int, int]:
    """A random shade, 8-bit RGB, that people would call `word` (one of PAINTS)."""
    hue, saturation, value = (rng.uniform(*bounds) for bounds in PAINTS[word])
    return tuple(round(channel * 255) for channel in colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value))


def dominant_hue(picture: Image.Image) -> float | None:
    """The hue, in degrees, that most of an RGBA object has; None where no one hue covers most of it.

    Most is 60 % of what is opaque within 30 degrees of the hue and saturated.
    """
    hue, saturation, value = hsv_of(picture)
    vivid = (saturation > 0.35) & (value > 0.3)
    if hue.size == 0 or vivid.mean() < 0.6:
        return None
    counts, _ = np.histogram(hue[vivid], bins=36, range=(0, 360))
    spread = counts + np.roll(counts, 1) + np.roll(counts, -1)
    peak = int(spread.argmax()) * 10 + 5
    off = (hue[vivid] - peak + 180) % 360 - 180
    near = np.abs(off) < 30
    return float(peak + np.median(off[near])) % 360 if near.sum() >= 0.6 * hue.size else None


def colour_word(picture: Image.Image) -> str | None:
    """The word for an object's colour, or None where it has several or an unclear one."""
    hue, saturation, value = hsv_of(picture)
    if hue.size == 0:
        return None
    grey = saturation < 0.15
    if grey.mean() > 0.75:
        level = float(np.median(value[grey]))
        return "black" if level < 0.25 else "white" if level > 0.9 else "grey"
    peak = dominant_hue(picture)
    if peak is None:
        return None
    near = np.abs((hue - peak + 180) % 360 - 180) < 30
    return hue_word(peak, float(np.median(saturation[near])), float(np.median(value[near])))


def hue_word(hue: float, saturation: float, value: float) -> str | None:
    """The word for a hue in degrees, saturation and value in [0, 1]; None between two words and for skin-like
    shades.
    """
    if 8 <= hue < 45:
        if saturation < 0.6:
            return None
        return "brown" if value < 0.62 else "orange" if 15 <= hue < 40 else None
    for low, high, word in [(45, 63, "yellow"), (75, 160, "green"), (168, 188, "turquoise"), (198, 250, "blue")]:
        if low <= hue < high:
            return word
    if 258 <= hue < 292:
        return "purple"
    if 300 <= hue < 345:
        return "pink"
    return "red" if (hue >= 345 or hue < 8) and saturation > 0.6 else None


def recolour(picture: Image.Image, word: str, rng: Rng) -> Image.Image | None:
    """An RGBA object with all hues turned so that the dominant one becomes `word` (one of HUES); None where none
    dominates.
    """
    peak = dominant_hue(picture)
    if peak is None:
        return None
    turn = HUES[word] + rng.uniform(-5, 5) - peak
    channels = np.array(picture.convert("RGB").convert("HSV"))
    channels[..., 0] = ((channels[..., 0].astype(np.int32) + round(turn / 360 * 256)) % 256).astype(np.uint8)
    turned = Image.fromarray(channels, "HSV").convert("RGB")
    turned.putalpha(picture.getchannel("A"))
    return turned


def hsv_of(picture: Image.Image) -> tuple[NDArray, NDArray, NDArray]:
    """Hue in degrees, saturation and value in [0, 1] of the opaque pixels of an RGBA picture, at 32 pixels."""
    small = picture.resize((32, 32), Image.Resampling.BOX)
    opaque = np.asarray(small.getchannel("A")) > 160
    channels = np.asarray(small.convert("RGB").convert("HSV"), dtype=np.float32)[opaque]
    return channels[:, 0] / 256 * 360, channels[:, 1] / 255, channels[:, 2] / 255
