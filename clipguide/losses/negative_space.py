"""Negative space: part of the paper stays bare."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clipguide.core import Scene


def negative_space(share: float, *, of: str = "ink") -> Callable[[Scene], Tensor]:
    """How much less than `share`, in [0, 1], of the paper is bare; 0 once enough is.

    The frame needs `of`: how much of each pixel is covered, (B, 1, H, W) in [0, 1].
    """

    def loss(scene: Scene) -> Tensor:
        covered = scene.image(of).mean((1, 2, 3))  # (B,)
        return (covered - (1 - share)).clamp(min=0).mean()

    return loss
