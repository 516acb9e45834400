"""Content: the picture still shows what the photo shows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clipguide.core import Scene
from clipguide.losses.source import kept
from clipguide.models.perceptual import Features

MAX_PIXELS = 512 * 512  # larger pictures are shrunk before they are read: things are judged, not pores


def maps(scene: Scene, features: Features) -> list[Tensor]:
    """The feature maps of the picture; made once for all terms."""
    return scene.once(("features", id(features)), lambda: features(shrunk(scene.image())))


def shrunk(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> the same, halved until it has at most MAX_PIXELS."""
    while image.shape[-1] * image.shape[-2] > MAX_PIXELS:
        image = torch.nn.functional.avg_pool2d(image, 2)
    return image


def content(features: Features) -> Callable[[Scene], Tensor]:
    """The squared distance of the content features from the source's, as a share of their variance; 0 for no change.

    Dividing by the variance puts every layer and every network on one scale; CLIPstyler takes the bare squares.  The
    frame needs a "source", whose features are kept from step to step.
    """

    def read(source: Tensor) -> list[Tensor]:
        layers = features(shrunk(source))
        return [layers[layer] for layer in features.content]

    source = kept(read)

    def loss(scene: Scene) -> Tensor:
        before, after = source(scene.image("source")), maps(scene, features)
        shares = [_share(after[layer], old) for layer, old in zip(features.content, before, strict=True)]
        return torch.stack(shares).mean()

    return loss


def _share(after: Tensor, before: Tensor) -> Tensor:
    variance = before.var(dim=(2, 3), correction=0).mean(1).clamp(min=1e-4)  # (B,); a flat photo has none
    return ((after - before).square().mean((1, 2, 3)) / variance).mean()
