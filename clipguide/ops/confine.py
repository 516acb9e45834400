"""A change of a photo, confined: to a mask, to its lightness, to its colours."""

from __future__ import annotations

import torch
from torch import Tensor

from clipguide.ops.colour import luminance


def confine(image: Tensor, photo: Tensor, mask: Tensor | None = None, keep: str = "none") -> Tensor:
    """image, photo: (B, 3, H, W) in [0, 1].  mask: (1, 1, H, W) in [0, 1], 1 where the change shows.

    keep: "colours" lets only the lightness change, "luminance" only the colours.  Linear in the change, up to the
    clamp to [0, 1], so that a change that is enlarged or weakened afterwards stays confined.
    """
    change = image - photo
    if keep != "none":
        light = luminance(change)
        change = light.expand_as(change) if keep == "colours" else change - light
    if mask is not None:
        change = change * mask
    return clamped(photo + change)


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        outwards = ((x > 1) & (gradient < 0)) | ((x < 0) & (gradient > 0))
        return gradient.masked_fill(outwards, 0)


def clamped(x: Tensor) -> Tensor:
    """Clamps to [0, 1]; the gradient still leads a value back that has left the range (Crowson's ClampWithGrad)."""
    return _Clamp.apply(x)
