"""Several CLIPs measured as one, as `--clip` lets them judge together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.encoders import ClipEncoder, Judge


class Together:
    """Their embeddings side by side, so that a cosine is the weighted mean of theirs.  An encoder without a model.

    It sees the views of the one with the largest; the others see them smaller.
    """

    model = None

    def __init__(self, judges: Sequence[Judge]) -> None:
        total = sum(judge.weight for judge in judges)
        self._parts = [(judge.encoder, (judge.weight / total) ** 0.5) for judge in judges]
        self.name = ",".join(f"{judge.encoder.name}:{judge.weight:g}" for judge in judges)
        self.size = max(judge.encoder.size for judge in judges)
        self.device = judges[0].encoder.device

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """-> (N, the sum of their dimensions), unit norm."""
        return torch.cat([root * encoder.encode_text(texts) for encoder, root in self._parts], 1)

    def encode_image(self, views: Tensor) -> Tensor:
        """views: (N, 3, S, S) in [0, 1] -> (N, the sum of their dimensions), unit norm."""
        seen = [root * encoder.encode_image(self._for(encoder, views)) for encoder, root in self._parts]
        return torch.cat(seen, 1)

    def _for(self, encoder: ClipEncoder, views: Tensor) -> Tensor:
        if encoder.size == self.size:
            return views
        side = round(views.shape[-1] * encoder.size / self.size)
        return F.interpolate(views, (side, side), mode="bilinear", antialias=True)
