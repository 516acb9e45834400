"""The bundled CLIP for surfaces: it is small, reads what clip-mini reads, and still knows ImageNet's classes."""

import pytest

from clipguide.weights import Models, checkpoints_folder
from pretrain.evaluate.project import held_classes
from pretrain.evaluate.subject import Subject


@pytest.fixture(scope="module")
def models():
    return Models("cpu")


def test_the_bundled_files_are_small():
    files = [file for file in checkpoints_folder().rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files if file.parent.name == "clip-mini-photo") <= 10e6
    assert max(file.stat().st_size for file in files) <= 64e6 and sum(file.stat().st_size for file in files) <= 150e6


def test_it_reads_the_words_of_other_languages_that_clip_mini_learned(models):
    texts = models.encoder("clip-mini-photo").encode_text(["自転車", "a bicycle", "an apple", "a house", "a cat"])
    assert (texts[0] @ texts[1:].T).argmax() == 0


def test_it_knows_the_classes_that_clip_mini_forgot(models):
    def top_five(name):
        return held_classes(Subject(models.encoder(name))).rows[0][2]

    assert top_five("clip-mini-photo") > 0.75 > top_five("clip-mini")
