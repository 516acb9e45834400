"""What a VQGAN learns from, beside the error in pixels: features of a frozen network, and a patch discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.models.perceptual import Features


class PerceptualDistance:
    """Features of the texture layers, each of unit length, squared difference, mean over places and layers.

    As LPIPS (Zhang et al., arXiv 1801.03924) without its learned weights.
    """

    def __init__(self, features: Features) -> None:
        self.features = features

    def __call__(self, drawn: Tensor, real: Tensor) -> Tensor:
        """(B, 3, H, W) each -> ().  Gradients reach `drawn`."""
        with torch.no_grad():
            wanted = [_unit(maps) for maps in self.features(real)]
        found = [_unit(maps) for maps in self.features(drawn)]
        gaps = [(a - b).square().sum(1).mean() for a, b in zip(found, wanted, strict=True)]
        return torch.stack(gaps).mean()


def _unit(maps: Tensor) -> Tensor:
    return maps / (maps.square().sum(1, keepdim=True) + 1e-6).sqrt()


class PatchDiscriminator(nn.Module):
    """(B, 3, H, W) in [0, 1] -> (B, 1, H / 8, W / 8): how real each patch looks (Isola et al., arXiv 1611.07004)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for inner, outer in ((width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inner, outer, 4, 2, 1), nn.GroupNorm(8, outer), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(2 * images - 1)


def hinge(real: Tensor, drawn: Tensor) -> Tensor:
    """The discriminator's loss from its verdicts."""
    return (F.relu(1 - real).mean() + F.relu(1 + drawn).mean()) / 2
