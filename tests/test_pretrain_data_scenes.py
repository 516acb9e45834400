"""Drawn scenes: a number gives the same picture and words, every kind can be drawn, the words are short enough."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pretrain.data.captions import is_sentence
from pretrain.data.pair import MEDIA
from pretrain.data.scenery import painterly
from pretrain.data.scenery.canvas import SIDE
from pretrain.data.sources import scenes


def artist(code: str, style: int) -> Image.Image:
    picture = Image.new("RGBA", (24, 24))
    picture.paste((200, 40 * style, 30, 255), (4, 2, 20, 24))
    return picture


def test_a_number_gives_one_scene() -> None:
    for number in (3, 4):
        first, again = (scenes.plan(number, artist).picture(np.random.default_rng(number)) for _ in range(2))
        assert first.size == (SIDE, SIDE) and first.tobytes() == again.tobytes()
    assert scenes.plan(3, artist).picture(np.random.default_rng(1)).tobytes() != first.tobytes()


@pytest.mark.parametrize("kind", [*scenes.KINDS, *scenes.WITH_EMOJI], ids=lambda kind: kind.__name__)
def test_every_kind_draws_what_has_contrast(kind) -> None:
    given = (artist,) if kind in scenes.WITH_EMOJI else ()
    scene = kind(np.random.default_rng(0), *given)
    values = np.asarray(scene.picture(np.random.default_rng(0)), float)
    assert values.shape == (SIDE, SIDE, 3) and values.std() > 4
    assert scene.medium in MEDIA and scene.details and not any("  " in text for text in scene.details)


def test_words_are_many_and_first_names_fit_a_template() -> None:
    planned = [scenes.plan(number, artist) for number in range(600)]
    kinds = Counter(scene.kind for scene in planned)
    assert len(kinds) >= len(scenes.KINDS) and len({scene.name for scene in planned}) > 300
    assert sum(not is_sentence(scene.name) for scene in planned) > 0.85 * len(planned)
    texts = " ".join(text for scene in planned for text in (scene.name, *scene.details))
    for words in (
        "a starry night sky",
        "in the style of Van Gogh",
        "castle in the sky",
        "marriage",
        "lasers",
        "selfie",
    ):
        assert words in texts


def test_strokes_follow_the_flow() -> None:
    halves = np.zeros((SIDE, SIDE, 3), np.uint8)
    halves[:, SIDE // 2 :] = 255
    along, across = (
        painterly.paint(Image.fromarray(halves), np.full((SIDE, SIDE), angle), np.random.default_rng(0), contrast=0.0)
        for angle in (np.pi / 2, 0.0)
    )
    mixed = [
        np.mean((np.asarray(picture)[..., 0] > 8) & (np.asarray(picture)[..., 0] < 247)) for picture in (along, across)
    ]
    smeared = [np.abs(np.asarray(picture, float) - halves).mean() for picture in (along, across)]
    assert smeared[1] > 1.3 * smeared[0] and max(mixed) < 0.2
