"""Texture: the surface has the statistics of a picture's surface, wherever its things are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clipguide.core import Scene
from clipguide.losses.content import maps, shrunk
from clipguide.models.perceptual import Features

FLOOR = 1e-4  # a flat picture has no texture: its squared norm is taken as this


def texture(features: Features, styles: Sequence[Tensor], weights: Sequence[float]) -> Callable[[Scene], Tensor]:
    """The distance of the picture's feature statistics from the style pictures'; 0 where they agree.

    styles: (1, 3, H, W) each, of any size.  weights: their shares in the mix, above 0.
    The statistics are each layer's mean and Gram matrix (Gatys et al., 2016), and every layer's distance is a share
    of the style's own norm, which puts all layers and networks on one scale.
    """
    with torch.no_grad():
        shares = [weight / sum(weights) for weight in weights]
        each = [_statistics(features, features(shrunk(style))) for style in styles]  # [style][layer] (1, K)
        aims = [sum(s * t for s, t in zip(shares, layer, strict=True)) for layer in zip(*each, strict=True)]

    def loss(scene: Scene) -> Tensor:
        seen = _statistics(features, maps(scene, features))
        distances = [
            (now - aim.to(now)).square().sum(1) / aim.square().sum().clamp(min=FLOOR)
            for now, aim in zip(seen, aims, strict=True)
        ]
        return torch.stack(distances).mean()

    return loss


def _statistics(features: Features, layers: list[Tensor]) -> list[Tensor]:
    """For each texture layer (B, C + C * C): means, and the Gram matrix over the number of places."""
    found = []
    for index in features.texture:
        flat = layers[index].flatten(2)  # (B, C, N)
        gram = flat @ flat.mT / (flat.shape[-1] * flat.shape[1] ** 0.5)
        found.append(torch.cat([flat.mean(-1), gram.flatten(1)], 1))
    return found
