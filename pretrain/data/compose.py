"""Samples from pairs: an object put on a ground, at some size and place, in some colour or style, and the caption
that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretrain.data import captions
from pretrain.data.colours import HUES, PAINTS, WORDS, colour_word, paint, recolour
from pretrain.data.pair import Pair
from pretrain.data.stylise import stylise

Rng = np.random.Generator
COMPOSED = frozenset(
    ("scene", "painted", "portrait")
)  # styles whose pictures are cut with care, so that all they name stays


@dataclass(frozen=True, slots=True)
class Sample:
    """A finished picture (RGB, square), its English captions, best first, and its style word if it has one."""

    picture: Image.Image
    captions: list[str]
    style: str | None


@dataclass(frozen=True, slots=True)
class Grounds:
    """Photographs and textures, RGB arrays of any size, to put objects on."""

    photos: Sequence[NDArray]
    textures: Sequence[NDArray]


def plain(picture: Image.Image, size: int) -> Image.Image:
    """The picture whole and centred on white, with a margin of a sixteenth for cut-outs: no dice."""
    board = Image.new("RGB", (size, size), "white")
    room = size - size // 8 if picture.mode == "RGBA" else size
    fitted = fit(picture, room)
    paste(board, fitted, ((size - fitted.width) // 2, (size - fitted.height) // 2))
    return board


def compose(pair: Pair, picture: Image.Image, grounds: Grounds, size: int, rng: Rng) -> Sample:
    """One random sample of a pair: cut-outs on a ground, full pictures cropped; one in six in a style."""
    name = captions.name_of(pair)
    if picture.mode == "RGBA":
        board, name, detail = compose_cutout(pair, picture, name, grounds, size, rng)
    else:
        least = 0.85 if pair.style in COMPOSED else 0.6
        whole = pair.medium in ("drawing", "clip art")
        board, detail = crop(picture, size, rng, least, whole=whole, mirror=mirrors(pair)), ""
    if rng.random() < (1 / 4 if pair.medium == "scene" else 1 / 6) and not captions.is_sentence(name):
        board, told, style = stylise(board, name, rng)
        return Sample(board, [told, *captions.choose(pair, told, rng)[2:3]], style)
    detailed = captions.write(name, pair.medium, rng, detail)
    return Sample(board, captions.choose(pair, detailed, rng), pair.style)


def mirrors(pair: Pair) -> bool:
    """Whether nothing that may be said of a pair is untrue of its mirror image."""
    return captions.may_mirror((pair.concept, *pair.captions["en"], *pair.tags))


def compose_cutout(
    pair: Pair, picture: Image.Image, name: str, grounds: Grounds, size: int, rng: Rng
) -> tuple[Image.Image, str, str]:
    """(picture, name with a colour word where it was given one, words for ground and place)."""
    picture, name = colour(pair, picture, name, rng)
    board, ground_words = ground(grounds, size, rng)
    if rng.random() < 0.5 and mirrors(pair):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.3:
        picture = picture.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC, expand=True)
    share = rng.uniform(0.4, 0.98)
    fitted = fit(picture, max(8, round(size * share)))
    free = size - fitted.width, size - fitted.height
    across, down = rng.random(2) if rng.random() < 0.6 else (0.5, 0.5)
    paste(board, fitted, (round(free[0] * across), round(free[1] * down)))
    words = [place_words(across, down, share)] if rng.random() < 0.7 else []
    words += [ground_words] if rng.random() < 0.7 else []
    return board, name, " ".join(word for word in words if word)


def colour(pair: Pair, picture: Image.Image, name: str, rng: Rng) -> tuple[Image.Image, str]:
    """The object as it is or in another colour, and its name with the colour's word: always when changed, else half
    the time.
    """
    if captions.is_sentence(name) or WORDS & set(pair.concept.split()) or "flag" in pair.concept:
        return picture, name
    if pair.medium != "photo" and rng.random() < 0.3:
        word = str(rng.choice(list(HUES)))
        changed = recolour(picture, word, rng)
        if changed is not None and colour_word(changed) == word:
            return changed, captions.insert(word, name)
    return picture, captions.insert(colour_word(picture) if rng.random() < 0.5 else None, name)


def place_words(across: float, down: float, share: float) -> str:
    """Words for where an object stands; none where it is large or near the middle."""
    if share > 0.62:
        return ""
    if abs(across - 0.5) > abs(down - 0.5):
        return "on the left" if across < 0.2 else "on the right" if across > 0.8 else ""
    return "at the top" if down < 0.2 else "at the bottom" if down > 0.8 else ""


def ground(grounds: Grounds, size: int, rng: Rng) -> tuple[Image.Image, str]:
    """(an RGB ground, words for it)."""
    kind = rng.random()
    if kind < 0.2:
        return Image.new("RGB", (size, size), "white"), "on a white background"
    if kind < 0.45:
        word = str(rng.choice(list(PAINTS)))
        return Image.new("RGB", (size, size), paint(word, rng)), f"on {captions.insert(word, 'a background')}"
    if kind < 0.6:
        return gradient(size, rng)
    if kind < 0.85 and grounds.photos:
        photo = grounds.photos[rng.integers(len(grounds.photos))]
        return crop(photo, size, rng), "on a photographic background"
    if grounds.textures:
        texture = grounds.textures[rng.integers(len(grounds.textures))]
        return crop(texture, size, rng), "on a textured background"
    return gradient(size, rng)


def gradient(size: int, rng: Rng) -> tuple[Image.Image, str]:
    """A run from one colour to another in a random direction."""
    first, second = rng.choice(list(PAINTS), 2, replace=False)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:size, :size] / size
    along = rows * np.sin(angle) + columns * np.cos(angle)
    along = ((along - along.min()) / np.ptp(along))[..., None]
    mixed = np.array(paint(str(first), rng)) * (1 - along) + np.array(paint(str(second), rng)) * along
    return Image.fromarray(mixed.astype(np.uint8)), f"on a background from {first} to {second}"


def crop(
    picture: Image.Image | NDArray, size: int, rng: Rng, least: float = 0.6, whole: bool = False, mirror: bool = True
) -> Image.Image:
    """A random square window, at least `least` of the shorter side, mirrored half the time where it may be; `whole`
    keeps everything on white.
    """
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if whole:
        board = Image.new("RGB", (size, size), "white")
        fitted = fit(picture, round(size * rng.uniform(0.7, 1)))
        board.paste(fitted, tuple(int(rng.integers(size - length + 1)) for length in fitted.size))
        return board
    side = rng.uniform(least, 1) * min(picture.size)
    left, top = (rng.uniform(0, length - side) for length in picture.size)
    cut = picture.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side), 2.0)
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 and mirror else cut


def fit(picture: Image.Image, side: int) -> Image.Image:
    """`picture` scaled so that its longer side is `side`."""
    scale = side / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def paste(board: Image.Image, picture: Image.Image, at: tuple[int, int]) -> None:
    """Put a picture on a board, through its alpha where it has one."""
    board.paste(picture, at, picture.getchannel("A") if picture.mode == "RGBA" else None)
