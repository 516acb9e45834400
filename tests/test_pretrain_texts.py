"""Text vectors of a locked tower, which a resumed run embeds in other company than the unbroken one."""

from itertools import product

import pytest
import torch

from clipguide.models.clip import open_folder
from clipguide.weights import Models
from pretrain.models import embed_texts
from pretrain.pairs import TextCache


@pytest.fixture(scope="module")
def embed():
    opened = open_folder(Models("cpu").checkpoint("clip-mini", "clip"))
    return lambda texts: embed_texts(opened.model, opened.tokenise, texts)


def test_a_caption_has_the_same_bits_in_any_company(embed):
    endings = ("", " by the sea", " on a very wide green hill at night, an oil painting with many birds")
    captions = [f"{what}{end}" for what, end in product(("a cat", "moon", "Fahrrad", "a red sailing boat"), endings)]
    other = [f"a {thing}{end}" for thing, end in product(("dog", "unbelievably old windmill"), endings)]
    cache = TextCache(embed)
    first = torch.cat([cache(captions[:5]), cache(captions[5:])])
    mixed = TextCache(embed)([*other, *reversed(captions)])
    assert torch.equal(mixed[len(other) :].flip(0), first)


def test_a_caption_keeps_the_vector_that_its_tower_gives_it(embed):
    opened = open_folder(Models("cpu").checkpoint("clip-mini", "clip"))
    captions = ["a cat", "a red sailing boat on the sea", "moon"]
    with torch.no_grad():
        padded = opened.model.text.pool(opened.tokenise(captions))
    assert torch.allclose(embed(captions), padded, atol=1e-5)
