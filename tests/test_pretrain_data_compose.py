"""Composed pictures show what their captions say: grounds, places, colours, styles, and which way things face."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

from pretrain.augment import may_flip
from pretrain.data.captions import may_mirror
from pretrain.data.colours import HUES, PAINTS, colour_word, paint
from pretrain.data.compose import Grounds, colour, compose, ground, place_words
from pretrain.data.pair import Pair
from pretrain.data.stylise import STYLES, stylise

GREY = np.full((64, 64, 3), 90, np.uint8)
GROUNDS = Grounds([GREY], [GREY + 60])


def arrow(side: int) -> Image.Image:
    """White on the left, black on the right."""
    picture = Image.new("RGB", (side, side), "white")
    picture.paste("black", (side // 2, 0, side, side))
    return picture


def disc(side: int, colour: tuple[int, ...] = (220, 30, 30)) -> Image.Image:
    picture = Image.new("RGBA", (side, side))
    inside = np.hypot(*(np.mgrid[:side, :side] - side / 2)) < side / 2
    picture.paste(colour, mask=Image.fromarray(inside))
    return picture


def make(name: str, medium: str = "photo", tags: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> Pair:
    return Pair(partial(arrow, 64), {"en": (name, *more)}, name, medium, "", name, tags=tags)


def mirrored(pair: Pair, cut_out: bool) -> int:
    """How often of 40 the white half came out on the right."""
    picture, count = arrow(64), 0
    picture = picture.convert("RGBA") if cut_out else picture
    for seed in range(40):
        sample = compose(pair, picture, GROUNDS, 32, np.random.default_rng(seed))
        values = np.asarray(sample.picture.convert("L"), float)
        count += values[:, :16].mean() < values[:, 16:].mean()
    return count


def test_captions_that_name_a_side_are_not_mirrored() -> None:
    free = make("an animal")
    assert 10 < mirrored(free, False) < 30
    more = make("pets", more=("a dog right of a cat",))
    for pair in (make("a dog left of a cat"), more, make("hand", tags=("left",))):
        assert mirrored(pair, False) == 0
        assert mirrored(pair, True) < mirrored(free, True) - 5


@pytest.mark.parametrize("text", ["on the right-hand side", "Two arrows", "the number 12", "leftwards", "a road map"])
def test_one_rule_of_what_may_be_mirrored(text: str) -> None:
    assert not may_mirror(["a fox", text]) and may_mirror(["a bright copyright fox"])
    assert may_flip([text, "a fox"]).tolist() == [False, True]


def test_grounds_are_named_and_painted_as_named() -> None:
    told = {}
    for seed in range(200):
        board, words = ground(GROUNDS, 32, np.random.default_rng(seed))
        told.setdefault(words, board)
    values = {words: np.asarray(board, float).mean((0, 1)) for words, board in told.items()}
    assert "" not in told and values["on a photographic background"].tolist() == [90] * 3
    assert values["on a textured background"].tolist() == [150] * 3
    assert values["on a white background"].tolist() == [255] * 3
    red, green, blue = values["on a blue background"]
    assert blue > red and blue > green
    first, second = next(words for words in told if " from " in words).split(" from ")[1].split(" to ")
    assert {first, second} <= set(PAINTS)


def test_places_are_named_where_the_object_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pretrain.data.compose.ground", lambda grounds, size, rng: (Image.new("RGB", (48, 48)), ""))
    sides, seen = {"left": (1, 0), "right": (1, 1), "top": (0, 0), "bottom": (0, 1)}, set()
    for seed in range(200):
        sample = compose(make("a disc"), disc(64), GROUNDS, 48, np.random.default_rng(seed))
        named = [side for side in sides if f"the {side}" in sample.captions[0]]
        if named:
            axis, end = sides[named[0]]
            middle = np.argwhere(np.asarray(sample.picture.convert("L")) > 30).mean(0)[axis]
            assert (middle > 28) if end else (middle < 20)
            seen.add(named[0])
    assert seen == set(sides)
    assert place_words(0.1, 0.5, 0.9) == place_words(0.5, 0.5, 0.5) == ""


@pytest.mark.parametrize("own", [(220, 30, 30), (90, 35, 30)], ids=["bright", "dark"])
def test_a_colour_that_is_said_is_the_colour_that_is_seen(own: tuple[int, int, int]) -> None:
    seen = set()
    for seed in range(150):
        shown, name = colour(make("disc", "emoji"), disc(32, own), "a disc", np.random.default_rng(seed))
        word = name.removesuffix(" disc").partition(" ")[2]
        if word:
            assert colour_word(shown) == word
            hue = np.median(np.asarray(shown.convert("RGB").convert("HSV"))[12:20, 12:20, 0]) / 256 * 360
            assert abs((hue - HUES[word] + 180) % 360 - 180) < 15
            seen.add(word)
    assert len(seen) >= 4


@pytest.mark.parametrize("word", HUES)
def test_paint_is_seen_as_it_is_called(word: str) -> None:
    assert colour_word(disc(32, paint(word, np.random.default_rng(0)))) == word


@pytest.mark.parametrize("style", STYLES)
def test_every_style_changes_the_picture_and_says_so(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    before = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((48, 48), Image.Resampling.BICUBIC)
    monkeypatch.setattr("pretrain.data.stylise.STYLES", {style: STYLES[style]})
    after, caption, told = stylise(before, "a fox", rng)
    assert after.size == before.size and after.mode == "RGB" and told == style
    assert np.abs(np.asarray(after, float) - np.asarray(before, float)).mean() > 8
    assert "a fox" in caption and caption in {text.format("a fox") for text in STYLES[style][1]}
