"""Saturation: more colourful pictures; with a negative weight, greyer ones."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clipguide.core import Scene

TINY = 1e-6  # variance under which the square root is rounded off


def saturation(*, of: str = "image") -> Callable[[Scene], Tensor]:
    """Minus the colourfulness of Hasler and Suesstrunk (2003): the spread of the two opponent colours over the picture,
    plus 0.3 of their mean's length.  0 for a grey picture; about -0.4 for a vivid one.  pixray uses the same measure.
    """

    def loss(scene: Scene) -> Tensor:
        red, green, blue = scene.image(of).unbind(1)  # (B, H, W)
        opponents = (red - green, (red + green) / 2 - blue)
        variance = sum(o.var((1, 2), correction=0) for o in opponents)
        mean = sum(o.mean((1, 2)).square() for o in opponents)
        return -((variance + TINY).sqrt() + 0.3 * (mean + TINY).sqrt() - 1.3 * TINY**0.5).mean()

    return loss
