"""Functions whose value is one thing and whose gradient is another's (Bengio et al., arXiv 1308.3432)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def straight_through(value: Tensor, source: Tensor) -> Tensor:
    """`value` forward; backward the gradient goes to `source`, of the same shape, as it is."""
    return source + (value - source).detach()


def soft_clamp(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """x clamped; outside of [low, high] only a gradient that leads back inside passes (K. Crowson's notebooks)."""
    return _SoftClamp.apply(x, low, high)


class _SoftClamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        clamped = x.clamp(low, high)
        ctx.save_for_backward(x - clamped)
        return clamped

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (excess,) = ctx.saved_tensors  # a descent step goes against the slope: one of the excess's sign leads back
        return slope * (slope * excess >= 0), None, None
