"""Scores: how well pictures fit their prompts."""

from __future__ import annotations

import pytest
import torch

from clipguide import images
from clipguide.brief import Prompt, parse_prompts
from clipguide.scores import Scorer, embed_pictures

PICTURES = torch.rand(3, 3, 24, 40, generator=torch.Generator().manual_seed(0))


def test_a_picture_is_embedded_whole_and_always_alike(models):
    encoder = models.encoder("clip-mini")
    found = embed_pictures(encoder, PICTURES)
    assert found.shape == (3, 16) and not found.requires_grad
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(embed_pictures(encoder, PICTURES[1:2])[0], found[1])


def test_one_prompt_scores_its_cosine(models):
    encoder = models.encoder("clip-mini")
    score = Scorer(models.judges("clip-mini"), parse_prompts(["a fox:7"]))(PICTURES)
    torch.testing.assert_close(score, embed_pictures(encoder, PICTURES) @ encoder.encode_text(["a fox"])[0])


def test_weights_are_shares_and_negative_ones_count_against(models):
    def score(text: str, clips: str = "clip-mini"):
        return Scorer(models.judges(clips), parse_prompts([text]))(PICTURES)

    torch.testing.assert_close(score("a fox:3 | blurry:-1"), (3 * score("a fox") - score("blurry")) / 4)
    both = score("a fox", "clip-mini,tiny-resnet:3")
    torch.testing.assert_close(both, (score("a fox") + 3 * score("a fox", "tiny-resnet")) / 4)


def test_a_picture_fits_itself(models, tmp_path):
    path = tmp_path / "x.png"
    images.write(path, images.png(PICTURES[0]))
    score = Scorer(models.judges("clip-mini"), [Prompt(image=path)])(images.read(path))
    assert float(score) == pytest.approx(1, abs=1e-5)
