"""A picture's contrast, from its finest detail to its largest areas."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 4  # octaves, from the finest one; what is coarser is one more


def contrasts(image: Tensor) -> Tensor:
    """(B, 3, H, W), 16 px a side at least -> (B, LEVELS + 1): each octave's standard deviation, the finest first.

    The octaves are those of a Laplacian pyramid (Burt and Adelson, 1983); the last number is of what is coarser.
    """
    octaves, rest = _taken_apart(image)
    return torch.stack([_deviation(part) for part in (*octaves, rest - rest.mean((2, 3), keepdim=True))], 1)


def with_contrasts(image: Tensor, wanted: Tensor, *, most: float = 1.05, least: float = 0.5) -> Tensor:
    """(B, 3, H, W) in [0, 1] with each octave scaled to its contrast in `wanted` (B, LEVELS + 1).

    No octave is scaled by more than `most` or less than `least`, so that noise is not drawn out of a plain picture.
    """
    octaves, rest = _taken_apart(image)
    gains = (wanted / contrasts(image).clamp(min=1e-4)).clamp(least, most)[..., None, None, None].unbind(1)
    mean = rest.mean((2, 3), keepdim=True)
    scaled = mean + (rest - mean) * gains[-1]
    for octave, gain in zip(reversed(octaves), reversed(gains[:-1]), strict=True):
        scaled = octave * gain + _enlarged(scaled, octave)
    return scaled.clamp(0, 1)


def _taken_apart(image: Tensor) -> tuple[list[Tensor], Tensor]:
    """What each halving of the size loses, and what is left."""
    octaves = []
    for _ in range(LEVELS):
        half = F.avg_pool2d(image, 2)
        octaves.append(image - _enlarged(half, image))
        image = half
    return octaves, image


def _enlarged(image: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(image, like.shape[-2:], mode="bilinear", align_corners=False)


def _deviation(part: Tensor) -> Tensor:
    """(B,)."""
    return part.square().mean((1, 2, 3)).sqrt()
