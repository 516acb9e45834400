"""Palette: pull every pixel towards its nearest palette colour."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clipguide.core import Scene
from clipguide.ops.quantise import nearest


def palette(colours: Tensor, *, of: str = "image") -> Callable[[Scene], Tensor]:
    """colours: (K, 3), sRGB in [0, 1].  Mean squared distance to the nearest one; 0 when every pixel is in the palette.

    pixray's palette loss; there the distance itself, here its square, whose gradient is finite at 0.
    """

    def loss(scene: Scene) -> Tensor:
        image = scene.image(of)
        wanted = colours.to(image)[nearest(image, colours[None])].movedim(-1, 1)  # (B, 3, H, W)
        return (image - wanted).square().sum(1).mean()

    return loss
