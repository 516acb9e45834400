"""Smoothness: neighbouring pixels alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clipguide.core import Scene


def smooth(*, of: str = "image") -> Callable[[Scene], Tensor]:
    """Total variation: the mean length of the colour step to the right and lower neighbours; 0 for a flat picture.

    The length is rounded off below 0.01, so that the gradient stays finite where the picture is flat.
    """

    def loss(scene: Scene) -> Tensor:
        image = scene.image(of)
        right, down = image.diff(dim=3)[..., :-1, :], image.diff(dim=2)[..., :-1]
        squares = (right.square() + down.square()).sum(1)  # (B, H-1, W-1)
        return torch.sqrt(squares + 1e-4).mean() - 1e-2

    return loss
