"""A picture and the words for it: what every source yields."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image

MEDIA = (
    *("photo", "drawing", "emoji", "clip art", "icon", "painting", "render", "cartoon", "line drawing", "texture"),
    "scene",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture with its captions.

    `image(side)` draws or reads the picture so that its longer side is at most `side` pixels, RGB, or RGBA where it
    has a transparent ground. It may raise anything: an unreadable picture is skipped, counted and reported by the
    build. `captions` maps a language code to captions, best first; "en" is the first choice for training. `concept`
    (see `normalise`) decides the split: pictures of one concept never stand on both sides. `medium` is one of MEDIA
    and chooses the words around a caption ("a photo of", "an emoji of"). `tags` are loose English words for the
    picture, never enough as a caption alone. `origin` names the picture within its source, uniquely. `held` forces
    the pair into a split, whatever its concept says.
    """

    image: Callable[[int], Image.Image]
    captions: Mapping[str, tuple[str, ...]]
    concept: str
    medium: str
    licence: str
    origin: str
    style: str | None = None
    tags: tuple[str, ...] = ()
    held: str | None = None


def normalise(text: str) -> str:
    """A caption reduced to what it names: "A red Apple." becomes "red apple". Used to compare concepts and
    captions.
    """
    words = unicodedata.normalize("NFKC", text).casefold().replace("_", " ").replace("-", " ")
    words = re.sub(r"[^\w\s']", " ", words).split()
    while len(words) > 1 and words[0] in {"a", "an", "the", "some", "this", "my"}:
        words = words[1:]
    return " ".join(words)


def concept_of(text: str) -> str:
    """A caption as a concept: normalised, or as it stands where only punctuation would go into nothing."""
    return normalise(text) or text.strip()


def phrase(text: str) -> str:
    """A caption as people write it in the middle of a sentence: no outer spaces, no full stop at the end."""
    return " ".join(text.split()).rstrip(" .")


def with_article(text: str) -> str:
    """ "apple" becomes "an apple"; a plural, a mass word or a phrase with its own article stays as it is."""
    words = text.split()
    if not words or words[0].lower() in DETERMINERS or words[-1].lower() in BARE or looks_plural(words[-1].lower()):
        return text
    sounded = words[0].lower()
    vowel = sounded[0] in "aeiou" and not sounded.startswith(("uni", "use", "eu", "one", "ufo"))
    return f"{'an' if vowel else 'a'} {text}"


def looks_plural(word: str) -> bool:
    """Whether an English noun reads as a plural: a rule of thumb, wrong for words such as "lens"."""
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "as", "os", "lens"))


DETERMINERS = frozenset("a an the some this my two three four five six seven eight nine ten no".split())
BARE = frozenset(
    "water fire snow rain ice food fruit rice bread sushi hair sky sand grass wood music people money meat milk corn "
    "cheese fish sheep garlic broccoli sugar salt honey butter bacon clothing furniture children men women feet teeth "
    "marriage fog smoke lightning space night broccoli spaghetti tofu ginger pepper cotton coffee "
    "tea juice wine beer".split()
)
