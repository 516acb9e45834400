"""Restyled: the weights of a small network that redraws photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clipguide.core import Frame, Tick
from clipguide.models.restyler import Restyler, to_bytes
from clipguide.ops.confine import clamped


class Restyled(nn.Module):
    """Photos as a `Restyler` redraws them; the frame's source is the photos themselves.

    photos: (N, 3, H, W) in [0, 1].  batch: how many are drawn at a step, 0 for all: fewer are picked by the tick's
    dice, and a preview shows the first.  about: what the exported weights say of themselves.
    """

    def __init__(
        self,
        photos: Tensor,
        restyler: Restyler,
        *,
        lr: float = 2e-3,
        batch: int = 0,
        about: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.restyler, self.lr, self.batch, self.about = restyler, lr, batch or len(photos), dict(about or {})
        self.register_buffer("photos", photos, persistent=False)

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.restyler.parameters()), "lr": self.lr}]

    def render(self, tick: Tick) -> Frame:
        photos = self._pick(tick)
        return Frame(clamped(self.restyler(photos)), source=photos)

    def _pick(self, tick: Tick) -> Tensor:
        if self.batch == len(self.photos):
            return self.photos
        if tick.preview:
            return self.photos[:1]
        return self.photos[torch.randperm(len(self.photos), generator=tick.rng)[: self.batch]]

    def project(self) -> None:
        """Every network is legal."""

    def export(self) -> dict[str, bytes]:
        """The network, which redraws any other photo in one forward pass."""
        return {"restyler.safetensors": to_bytes(self.restyler, self.about)}
