"""Symmetry: the picture like its mirror image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from clipguide.core import Scene

Symmetry = Literal["left-right", "top-bottom", "both", "turn"]
FLIPS: dict[str, tuple[tuple[int, ...], ...]] = {  # the axes each image of the picture is flipped along
    "left-right": ((-1,),),
    "top-bottom": ((-2,),),
    "both": ((-1,), (-2,)),
    "turn": ((-1, -2),),
}


def symmetry(kind: Symmetry = "left-right", *, of: str = "image") -> Callable[[Scene], Tensor]:
    """Mean squared difference between the picture and its images; 0 when it has the symmetry.

    kind: mirrored left to right, top to bottom, both, or turned by half a turn (playing cards).
    """

    def loss(scene: Scene) -> Tensor:
        image = scene.image(of)
        return torch.stack([(image - image.flip(axes)).square().mean() for axes in FLIPS[kind]]).mean()

    return loss
