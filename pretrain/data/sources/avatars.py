"""Cartoon faces by DiceBear, of which as many as wanted exist: a seed gives a face and the attributes it was drawn
with.

Only styles under CC0 or CC BY are used. Hair, its colour, glasses, beard, earrings, hat and mood are said in the
caption.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor

from clipguide.errors import UserError
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import draw_svg

STYLES = {
    "adventurer": "CC-BY-4.0",
    "big-smile": "CC-BY-4.0",
    "lorelei": "CC0-1.0",
    "micah": "CC-BY-4.0",
    "miniavs": "CC-BY-4.0",
    "personas": "CC-BY-4.0",
    "pixel-art": "CC0-1.0",
    "toon-head": "CC-BY-4.0",
    "voxel-art": "CC0-1.0",
}
EACH = 160
HAIR = {
    "black": "#141414",
    "dark brown": "#3e2717",
    "brown": "#724b30",
    "blond": "#e5c278",
    "grey": "#9a9a9a",
    "white": "#f2f0ea",
    "red": "#a8381f",
    "orange": "#d97a2b",
    "pink": "#ec8fb4",
    "purple": "#6b3a80",
    "blue": "#4a6fb5",
    "green": "#3f8a54",
}
CUTS = {
    "long": "long",
    "short": "short",
    "bob": "bobbed",
    "curly": "curly",
    "bald": "bald",
    "bun": "a bun",
    "mohawk": "a mohawk",
    "mohican": "a mohawk",
    "pigtail": "pigtails",
    "pony": "a ponytail",
    "braid": "braids",
    "afro": "an afro",
    "spik": "spiky",
    "shaved": "shaved",
    "wavy": "wavy",
    "straight": "straight",
    "dread": "dreadlocks",
    "fade": "short",
    "buzz": "short",
    "dougfunny": "thin",
    "mrclean": "bald",
    "fonze": "short",
    "pixie": "short",
    "full": "thick",
    "cap": "a cap",
    "beanie": "a beanie",
}
MOODS = {
    "smile": "smiling",
    "happy": "smiling",
    "laugh": "laughing",
    "grin": "grinning",
    "sad": "sad",
    "frown": "sad",
    "angry": "angry",
    "surprise": "surprised",
    "agape": "surprised",
    "unimpressed": "bored",
    "scream": "screaming",
    "shock": "shocked",
    "sleep": "sleepy",
    "kiss": "kissing",
}


def fetch(cache: Path) -> None:
    """Nothing to fetch: the styles are a Python package. Raises UserError where it is missing."""
    folder()


def folder() -> Path:
    """Where the definitions of the styles lie."""
    spec = find_spec("dicebear_styles")
    if spec is None or find_spec("dicebear") is None:
        raise UserError(
            "source 'avatars' needs dicebear-core and dicebear-styles; install them: pip install clipguide[pretrain]"
        )
    return Path(next(iter(spec.submodule_search_locations or ())))


def pairs(cache: Path) -> Iterator[Pair]:
    """EACH faces of each style."""
    folder()
    for style, licence in STYLES.items():
        for seed in range(EACH):
            options = avatar(style, seed).to_json()["options"]
            name, more = describe(options)
            yield Pair(
                image=partial(draw, style, seed),
                captions={"en": (name, *more)},
                concept=normalise(name),
                medium="cartoon",
                licence=licence,
                origin=f"{style}/{seed}",
                style="avatar",
            )


def draw(style: str, seed: int, side: int) -> Image.Image:
    """One face."""
    return draw_svg(avatar(style, seed).to_string(), side)


def avatar(style: str, seed: int) -> Any:
    """One face as DiceBear describes it."""
    from dicebear import Avatar

    return Avatar(definition(style), {"seed": f"clipguide {seed}", "backgroundColor": []})


@lru_cache(maxsize=len(STYLES))
def definition(style: str) -> Any:
    """A style, read and checked once."""
    from dicebear import Style

    return Style(json.loads((folder() / f"{style}.json").read_text(encoding="utf-8")))


def describe(options: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """(a caption of at most about ten words, further captions) from the chosen variants and colours."""
    variant = {
        key.removesuffix("Variant").lower(): str(value) for key, value in options.items() if key.endswith("Variant")
    }
    hair = hair_words(variant, options)
    extras = [
        words
        for part, words in (
            ("glasses", "glasses"),
            ("beard", "a beard"),
            ("facialhair", "a beard"),
            ("earrings", "earrings"),
            ("hat", "a hat"),
        )
        if part in variant
    ]
    if variant.get("accessories", "").lower().endswith("glasses"):
        extras.append("glasses")
    mood = next((word for key, word in MOODS.items() if key in variant.get("mouth", "").lower()), "")
    told = [words for words in (hair, *dict.fromkeys(extras)) if words]
    noun = "bald man" if hair == "" and "hair" not in variant and "beard" in " ".join(extras) else "face"
    head = f"a {mood} {noun}".replace("a angry", "an angry") if mood else f"a {noun}"
    name = f"{head} with {join(told)}" if told else f"{head} of a cartoon person"
    plain = f"a cartoon face with {join(told)}" if told else "a cartoon face"
    return name, tuple(
        dict.fromkeys((plain, f"a portrait of a person with {join(told[:2])}" if told else "a portrait"))
    )


def hair_words(variant: dict[str, str], options: dict[str, Any]) -> str:
    """ "long red hair", "a brown ponytail", or nothing where there is no hair."""
    cut = variant.get("hair") or variant.get("top") or variant.get("rearhair")
    if cut is None:
        return ""
    shape = next((words for key, words in CUTS.items() if key in re.sub(r"[^a-z]", "", cut.lower())), "")
    if shape == "bald":
        return "a bald head"
    colour = hair_colour((options.get("hairColor") or ["#141414"])[0])
    if shape.startswith(("a ", "an ")):
        return f"a {colour} {shape.split(' ', 1)[1]}".replace("a orange", "an orange")
    if shape in ("pigtails", "braids", "dreadlocks"):
        return f"{colour} {shape}"
    return " ".join(f"{shape} {colour} hair".split())


def hair_colour(code: str) -> str:
    """The nearest word of HAIR for a colour such as "#592454"."""
    red, green, blue = ImageColor.getrgb(code)[:3]

    def far(word: str) -> int:
        other = ImageColor.getrgb(HAIR[word])
        return sum((a - b) ** 2 for a, b in zip((red, green, blue), other, strict=True))

    return min(HAIR, key=far)


def join(words: list[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
