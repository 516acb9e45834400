"""Smoothness: neighbouring pixels alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.core import Scene


def smooth(*, of: str = "image") -> Callable[[Scene], Tensor]:
    """Total variation: the mean length of the colour step to the right and lower neighbours; 0 for a flat picture.

    The length is rounded off below 0.01, so that the gradient stays finite where the picture is flat.
    """
    return lambda scene: _Variation.apply(scene.image(of))


class _Variation(torch.autograd.Function):
    """By hand, in half the passes over the picture that torch takes."""

    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        corner = image[..., :-1, :-1]
        right, down = image[..., :-1, 1:] - corner, image[..., 1:, :-1] - corner  # (B, 3, H-1, W-1)
        length = torch.addcmul(right.square(), down, down).sum(1, keepdim=True).add_(1e-4).sqrt_()
        ctx.save_for_backward(right, down, length)
        return length.mean() - 1e-2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        right, down, length = ctx.saved_tensors
        pull = gradient / (length * length.numel())
        right, down = right * pull, down * pull
        total = F.pad(right, (1, 0, 0, 1))
        total[..., 1:, :-1] += down
        total[..., :-1, :-1] -= right.add_(down)
        return total
