"""Composition: where the weight of the picture lies, without an aesthetic network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from clipguide.core import Scene

Composition = Literal["centre", "thirds", "balance"]
THIRDS = torch.tensor([(x, y) for x in (1 / 3, 2 / 3) for y in (1 / 3, 2 / 3)])
TINY = 1e-3  # so that a plain picture, which has no weight anywhere, counts as balanced and keeps finite gradients


def composition(rule: Composition = "thirds", *, of: str = "image") -> Callable[[Scene], Tensor]:
    """How far the centre of the picture's visual weight lies from where the rule wants it, squared; sides are 1 long.

    rule: "centre", the middle; "thirds", the nearest point where lines at a third and two thirds cross; "balance",
    anywhere on the vertical axis.  The weight of a pixel is its squared distance from the picture's mean colour, a
    plain stand-in for saliency.  The rules are those of Liu et al., "Optimizing photo composition" (2010).
    """

    def loss(scene: Scene) -> Tensor:
        centre = weight_centre(scene.image(of))
        if rule == "balance":
            return (centre[:, 0] - 0.5).square().mean()
        points = THIRDS.to(centre) if rule == "thirds" else torch.full((1, 2), 0.5).to(centre)
        return (centre[:, None] - points).square().sum(-1).amin(1).mean()

    return loss


def weight_centre(image: Tensor) -> Tensor:
    """(B, 2): x and y in [0, 1] of the centre of visual weight; the middle for a plain picture."""
    weight = (image - image.mean((-1, -2), keepdim=True)).square().sum(1) + TINY  # (B, H, W)
    weight = weight / weight.sum((-1, -2), keepdim=True)
    height, width = image.shape[-2:]
    x = ((torch.arange(width).to(image) + 0.5) / width * weight.sum(1)).sum(1)
    y = ((torch.arange(height).to(image) + 0.5) / height * weight.sum(2)).sum(1)
    return torch.stack([x, y], 1)
