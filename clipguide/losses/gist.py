"""Gist: the picture has the colours and the large shapes of another one."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from clipguide.core import Scene


def gist(picture: Tensor, block: int = 4, *, of: str = "image") -> Callable[[Scene], Tensor]:
    """Mean squared distance between the blocks' mean colours, 0 for the picture itself.

    picture: (1 or B, 3, H, W), sRGB in [0, 1].  block: px of a block's side; what is smaller is left free.
    """
    wanted = F.avg_pool2d(picture, block, ceil_mode=True)

    def loss(scene: Scene) -> Tensor:
        return (F.avg_pool2d(scene.image(of), block, ceil_mode=True) - wanted).square().mean()

    return loss
