"""The bundled CLIP that finds: it is small, reads what clip-mini reads, and tells what is there."""

import pytest

from clipguide.scores import similarities
from clipguide.weights import FINDER, Models, checkpoints_folder
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
