"""Colour maths on (B, 3, H, W) sRGB in [0, 1]."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

# Ottosson's matrices for linear sRGB (2020, as corrected in 2021).
SRGB_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
CONES_TO_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

# Square root of the colour covariance of natural pictures, as measured for Lucid (Olah et al., "Feature
# Visualization", 2017): a spectrum drawn along its columns has the colours of photographs.
NATURAL = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def correlate(image: Tensor) -> Tensor:
    """Decorrelated channels -> RGB, about 0: the first is brightness, the others two opponent colours."""
    matrix = torch.tensor(NATURAL).to(image)
    return torch.einsum("rc,bchw->brhw", matrix / matrix.norm(dim=0).amax(), image)


def decorrelate(image: Tensor) -> Tensor:
    """The inverse of `correlate`."""
    matrix = torch.tensor(NATURAL).to(image)
    return torch.einsum("cr,brhw->bchw", torch.linalg.inv(matrix / matrix.norm(dim=0).amax()), image)


def luminance(image: Tensor) -> Tensor:
    """-> (B, 1, H, W)."""
    return torch.einsum("r,brhw->bhw", torch.tensor(LUMA).to(image), image)[:, None]


def jitter_matrices(hue: Tensor, saturation: Tensor, gain: Tensor) -> Tensor:
    """(n, 3, 3) matrices that turn the hue, scale the saturation and the brightness.

    hue: (n,) radians about the grey axis.  saturation, gain: (n,) factors, 1 changes nothing.
    """
    turn = torch.stack([torch.ones_like(hue), hue.cos(), hue.sin()], 1)  # (n, 3)
    fade = torch.stack([torch.ones_like(saturation), saturation], 1) * gain[:, None]  # (n, 2)
    return torch.einsum("nf,nt,ftij->nij", fade, turn, _jitters().to(hue))


@cache
def _jitters() -> Tensor:
    """(2, 3, 3, 3): what 1 and the saturation, and 1, the cosine and the sine of the hue are multiplied by."""
    grey, one = torch.tensor(LUMA).expand(3, 3), torch.eye(3)
    axis = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    turns = torch.stack([axis, one - axis, cross])  # Rodrigues about (1, 1, 1)
    return torch.stack([grey, one - grey])[:, None] @ turns


def oklab(image: Tensor) -> Tensor:
    """(B, 3, ...) sRGB -> OKLab, in which distances are about what the eye sees (Ottosson, 2020).  For comparing: its
    gradient has no end at black."""
    light = torch.where(image <= 0.04045, image / 12.92, ((image.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cones = torch.einsum("rc,bc...->br...", torch.tensor(SRGB_TO_CONES).to(image), light).clamp(min=0)
    return torch.einsum("rc,bc...->br...", torch.tensor(CONES_TO_OKLAB).to(image), cones ** (1 / 3))
