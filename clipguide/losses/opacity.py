"""Opacity: as little ink as the prompt needs."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clipguide.core import Scene


def opacity() -> Callable[[Scene], Tensor]:
    """The mean of the frame's "alpha", (B, 1, H, W) in [0, 1]; 0 when all of the picture is transparent."""
    return lambda scene: scene.image("alpha").mean()
