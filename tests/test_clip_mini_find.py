"""The bundled CLIP that finds: it is small, reads what clip-mini reads, and tells what is there, and where."""

from itertools import permutations
from statistics import median

import pytest
import torch

from clipguide import masks
from clipguide.scores import similarities
from clipguide.weights import FINDER, FINDERS, Models, checkpoints_folder
from tests.test_judge import DRAWN, OTHERS, drawing


@pytest.fixture(scope="module")
def finder():
    return Models("cpu").encoder(FINDER)


def test_its_folder_is_small():
    assert sum(file.stat().st_size for file in (checkpoints_folder() / FINDER).iterdir()) <= 10e6


def test_it_reads_the_words_of_other_languages_that_clip_mini_learned(finder):
    texts = finder.encode_text(["自転車", "a bicycle", "an apple", "a house", "a cat"])
    assert (texts[0] @ texts[1:].T).argmax() == 0


@pytest.mark.parametrize("name", DRAWN)
def test_it_tells_what_a_drawing_shows(finder, name):
    names = [*DRAWN, *OTHERS]
    assert names[int(similarities(finder, drawing(DRAWN[name]), names).argmax())] == name


def test_with_its_partner_it_finds_the_half_that_shows_the_thing():
    finders = Models("cpu").judges(FINDERS)
    warmer: dict[str, list[float]] = {}
    for name, other in permutations(DRAWN, 2):
        halves = torch.cat([drawing(DRAWN[name]), drawing(DRAWN[other])], 3)
        mask = masks.from_text(finders, name, halves)[0, 0]
        warmer.setdefault(name, []).append(float(mask[:, :128].mean() / mask[:, 128:].mean()))
    assert len(warmer) == 3 and min(map(min, warmer.values())) > 10 and median(sum(warmer.values(), [])) > 20
