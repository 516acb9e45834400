"""Focus: a plain ground around the middle, so that the subject stands there alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clipguide.core import Scene


def focus(colour: Tensor | None = None, spread: float = 0.3, *, of: str = "image") -> Callable[[Scene], Tensor]:
    """Mean squared distance to a plain ground, weighted 1 - exp(-r^2 / (2 spread^2)): nothing in the middle, all of it
    far out.  0 when the outside is plain.

    colour: (3,), sRGB in [0, 1], of the ground; None takes whatever mean colour the outside has.  spread: standard
    deviation of the free middle, as a share of the picture's half side.  The idea is pixray's gaussian loss.
    """

    def loss(scene: Scene) -> Tensor:
        image = scene.image(of)
        weight = _outside(image, spread)
        total = weight.sum() + 1e-6
        mean = (image * weight).sum((-1, -2), keepdim=True) / total  # (B, 3, 1, 1)
        ground = mean if colour is None else colour.to(image)[:, None, None]
        return ((image - ground).square().sum(1) * weight).sum((-1, -2)).mean() / total

    return loss


def _outside(image: Tensor, spread: float) -> Tensor:
    """(H, W): 0 in the middle, towards 1 outside."""
    rows, columns = (torch.linspace(-1, 1, side).to(image) for side in image.shape[-2:])
    squares = rows[:, None].square() + columns[None].square()
    return 1 - torch.exp(-squares / (2 * spread**2))
