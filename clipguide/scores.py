"""How well a picture fits its prompts, by the judges' own word.

A judge that guided a picture is no evidence that it is good: following its gradient finds pictures that please it and
nobody else.  Compare scores of one judge over several pictures, and let one judge that did not guide.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clipguide import images
from clipguide.brief import Prompt
from clipguide.core import Encoder, Tick
from clipguide.cutouts import whole
from clipguide.encoders import ClipEncoder, Judge


@torch.no_grad()
def embed_pictures(encoder: Encoder, pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, D), unit norm: all of each picture, at its true aspect."""
    return encoder.encode_image(whole()(Tick(0, 0, torch.Generator()), encoder.size)(pictures))


@torch.no_grad()
def similarities(encoder: Encoder, pictures: Tensor, texts: Sequence[str]) -> Tensor:
    """(B, 3, H, W) and N texts -> (B, N) cosines."""
    return embed_pictures(encoder, pictures) @ encoder.encode_text(texts).T


def label_shares(encoder: ClipEncoder, cosines: Tensor) -> Tensor:
    """(B, N) cosines -> (B, N) zero-shot probabilities, each row summing to 1, at the scale that the CLIP learned.

    They say which of these texts fits best, not that one of them fits: the true label may not be among them.
    """
    return (cosines * encoder.model.logit_scale.exp()).softmax(1)


class Scorer:
    """The weighted mean cosine between pictures and prompts; prompts of negative weight count against it."""

    def __init__(self, judges: Sequence[Judge], prompts: Sequence[Prompt]) -> None:
        total = sum(abs(prompt.weight) for prompt in prompts) * sum(judge.weight for judge in judges)
        self._parts = []  # (encoder, (D,) the prompts' weighted sum)
        for judge in judges:
            aims = torch.stack([_aim(judge.encoder, prompt) * prompt.weight for prompt in prompts])
            self._parts.append((judge.encoder, aims.sum(0) * judge.weight / total))

    def __call__(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B,), in [-1, 1]."""
        return torch.stack([embed_pictures(encoder, pictures) @ aim for encoder, aim in self._parts]).sum(0)


def _aim(encoder: Encoder, prompt: Prompt) -> Tensor:
    if prompt.image is not None:
        return embed_pictures(encoder, images.read(prompt.image))[0]
    return encoder.encode_text([prompt.text])[0]
