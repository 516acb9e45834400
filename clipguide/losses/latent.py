"""Latent: a generator's code stays near the one that it began with."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clipguide.core import Scene


def near(unit: float = 1.0) -> Callable[[Scene], Tensor]:
    """Mean squared distance of the frame's extra "latent" from its extra "start", in squares of `unit`; 0 at the start.

    unit: what counts as far, such as the standard deviation of the codes.  The public VQGAN+CLIP scripts, whose
    `init_weight` this is, pull to zero instead, or let the pull fade.
    """

    def loss(scene: Scene) -> Tensor:
        return ((scene.image("latent") - scene.image("start")) / unit).square().mean()

    return loss
