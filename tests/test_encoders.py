"""Encoders: frozen CLIPs of any make, alike to use."""

from __future__ import annotations

import pytest
import torch
from conftest import TINY_CLIPS

from clipguide.errors import Notice


@pytest.mark.parametrize("name", TINY_CLIPS)
def test_embeddings_are_unit_vectors_of_one_space(models, name):
    encoder = models.encoder(name)
    texts = encoder.encode_text(["a red fox", "a blue car", "a red fox"])
    pictures = encoder.encode_image(torch.rand(2, 3, encoder.size, encoder.size))
    assert texts.shape == (3, 16) and pictures.shape == (2, 16)
    torch.testing.assert_close(torch.cat([texts, pictures]).norm(dim=-1), torch.ones(5))
    torch.testing.assert_close(texts[0], texts[2])
    assert (texts[0] - texts[1]).norm() > 1e-3 and (pictures[0] - pictures[1]).norm() > 1e-3


@pytest.mark.parametrize("name", TINY_CLIPS)
def test_the_picture_gets_a_gradient_and_the_weights_do_not(models, name):
    encoder = models.encoder(name)
    views = torch.rand(2, 3, encoder.size, encoder.size, requires_grad=True)
    (encoder.encode_image(views) @ encoder.encode_text(["a fox"])[0]).sum().backward()
    assert views.grad.isfinite().all() and views.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in encoder.model.parameters())


def test_a_text_that_is_too_long_says_so(models):
    encoder = models.encoder("clip-mini")
    encoder.encode_text(["x" * 48])
    with pytest.warns(Notice, match="clip-mini reads 50 tokens; .* has 62, so its end is not read"):
        encoder.encode_text(["x" * 60])
