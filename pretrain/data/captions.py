"""Words around a name: what a person might write under a picture of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from pretrain.data.pair import Pair, normalise, phrase, with_article

Rng = np.random.Generator

SIDED = re.compile(  # what a mirror makes untrue, or unreadable
    r"\b(((left|right|east|west)(most|wards?)?|(anti|counter)?clockwise|o'clock|thirty)|"
    r"(arrow|text|letter|word|number|flag|sign|clock|map|button|[0-9]+)s?)\b",
    re.IGNORECASE,
)
TEMPLATES = {
    "photo": ("a photo of {}", "a photograph of {}", "a picture of {}", "{}", "a close-up of {}", "a cute photo of {}"),
    "emoji": ("an emoji of {}", "a drawing of {}", "{}", "an icon of {}", "a cartoon of {}", "clip art of {}"),
    "clip art": ("clip art of {}", "a drawing of {}", "{}", "an illustration of {}"),
    "drawing": ("a drawing of {}", "{}", "an illustration of {}", "a picture of {}"),
    "icon": ("an icon of {}", "{}", "a symbol for {}"),
    "painting": ("a painting of {}", "{}", "a picture of {}"),
    "render": ("a 3d render of {}", "{}", "a rendering of {}", "a 3d model of {}"),
    "cartoon": ("a cartoon of {}", "{}", "a drawing of {}"),
    "line drawing": ("a line drawing of {}", "{}", "line art of {}", "a drawing of {}", "a colouring page of {}"),
    "texture": ("a texture of {}", "{}", "a background of {}"),
    "scene": ("a picture of {}", "{}", "a drawing of {}", "an illustration of {}"),
}


def may_mirror(texts: Iterable[str]) -> bool:
    """Whether a picture of these captions may be shown the other way round: none says what a mirror makes untrue."""
    return not any(SIDED.search(text) for text in texts)


def name_of(pair: Pair) -> str:
    """The best English caption as it stands in the middle of a sentence, with an article where one belongs."""
    text = phrase(pair.captions["en"][0])
    head, _, rest = text.partition(" ")
    if head in ("A", "An", "The") and rest:
        text = f"{head.lower()} {rest}"
    if ": " in text:
        head, _, rest = text.partition(": ")
        text = f"{head} with {rest}" if rest.split(",")[0].endswith(("hair", "beard", "bald")) else f"{head}, {rest}"
    if is_sentence(text) or text[:1].isupper() or "action" in pair.tags or "flag of" in text:
        return text
    return with_article(text)


def is_sentence(text: str) -> bool:
    """Whether a caption is a sentence of its own, which stands in no template."""
    words = text.split()
    return (
        len(words) > 7
        or text.endswith(("!", "?"))
        or any(word in ("is", "are", "carry", "can", "says") for word in words[1:])
    )


def write(name: str, medium: str, rng: Rng, detail: str = "") -> str:
    """One caption: a template of the medium around the name, then the detail ("on a blue background")."""
    text = name if is_sentence(name) else str(rng.choice(TEMPLATES[medium])).format(name)
    return f"{text} {detail}".strip()


def insert(word: str | None, name: str) -> str:
    """A colour word put before the noun: ("red", "an apple") becomes "a red apple"."""
    if not word:
        return name
    head, _, rest = name.partition(" ")
    if head in ("a", "an") and rest:
        return with_article(f"{word} {rest}")
    return f"{head} {word} {rest}" if head == "the" and rest else f"{word} {name}"


def choose(pair: Pair, detailed: str, rng: Rng) -> list[str]:
    """The captions of one sample, best first: the detailed one, one in a template, the bare name, and one with a
    tag.
    """
    name = name_of(pair)
    texts = [detailed, write(name, pair.medium, rng), phrase(pair.captions["en"][0])]
    others = [phrase(text) for text in pair.captions["en"][1:]]
    texts += [str(text) for text in rng.choice(others, min(2, len(others)), replace=False)] if others else []
    if pair.tags and not is_sentence(name) and "action" not in pair.tags:
        texts.append(f"{phrase(pair.captions['en'][0])}, {rng.choice(pair.tags)}")
    return list(dict.fromkeys(texts))


def without(texts: Sequence[str], forbidden: frozenset[str]) -> list[str]:
    """The captions that, normalised, are none of the forbidden names, and that name none of them as a tag."""
    return [text for text in texts if not {normalise(part) for part in (text, *text.split(", ")[1:])} & forbidden]
