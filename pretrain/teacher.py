"""A larger CLIP whose similarities a smaller one learns beside its own contrastive loss."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

import clipguide
from clipguide.encoders import ClipEncoder
from clipguide.errors import Notice
from pretrain import processes
from pretrain.loss import affinity
from pretrain.pairs import TextCache


@dataclass(frozen=True)
class Teacher:
    """A frozen CLIP and what it already said of texts."""

    encoder: ClipEncoder
    texts: TextCache

    @classmethod
    def open(cls, name: str, device: str) -> Teacher:
        """name: any that `clipguide.load_encoder` takes.  Errors: UserError where there is none, or no network."""
        return cls.of(clipguide.load_encoder(name, device))

    @classmethod
    def of(cls, encoder: ClipEncoder) -> Teacher:
        def embed(texts: Sequence[str]) -> Tensor:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Notice)  # a cut caption is no news in every batch
                return encoder.encode_text(texts)

        return cls(encoder, TextCache(embed))

    def loss(
        self, image: Tensor, text: Tensor, scale: Tensor, views: Tensor, captions: Sequence[str], chunk: int = 0
    ) -> Tensor:
        """`affinity` of the student's features (N, D) of all processes to the teacher's of the same pairs.

        views: (n, 3, S, S) in [0, 1], the unharmed ones of this process, resized to the teacher's side; captions: n;
        chunk: views that the teacher sees at once, 0 for all.
        """
        side = (self.encoder.size,) * 2
        with torch.no_grad():
            seen = F.interpolate(views, side, mode="bilinear", antialias=True)
            parts = [self.encoder.encode_image(part) for part in seen.split(chunk or len(seen))]
            old_image = processes.gather(torch.cat(parts).float())
            old_text = processes.gather(self.texts(captions).to(old_image.device))
            old_scale = self.encoder.model.logit_scale.exp()
        return affinity(image, text, scale, old_image, old_text, old_scale)
