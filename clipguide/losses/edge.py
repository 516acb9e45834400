"""Edge: a margin of one colour all around the picture."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clipguide.core import Scene


def edge(colour: Tensor, width: float = 0.08, *, of: str = "image") -> Callable[[Scene], Tensor]:
    """Mean squared distance of the margin to a colour (pixray's edge loss); 0 when the margin has it.

    colour: (3,), sRGB in [0, 1].  width: of the margin, as a share of the picture's shorter side; at least 1 px.
    """

    def loss(scene: Scene) -> Tensor:
        image = scene.image(of)
        margin = max(1, round(width * min(image.shape[-2:])))
        outside = torch.ones(image.shape[-2:], dtype=torch.bool, device=image.device)
        outside[margin:-margin, margin:-margin] = False
        return (image - colour.to(image)[:, None, None]).square()[:, :, outside].mean()

    return loss
