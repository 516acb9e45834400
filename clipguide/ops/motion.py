"""A camera that moves over a picture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def moved(
    image: Tensor, *, zoom: float = 1.0, turn: float = 0.0, right: float = 0.0, down: float = 0.0
) -> Tensor:
    """What a camera sees of (B, 3, H, W) that comes nearer, turns and goes aside; the same shape, in [0, 1].

    zoom: how many times larger things get, about the middle.  turn: degrees by which the picture turns clockwise.
    right, down: how far the camera goes, as shares of the width and of the height.  Past the picture's edges lies its
    mirror image.  At all defaults the picture comes back as it is.
    """
    if (zoom, turn, right, down) == (1.0, 0.0, 0.0, 0.0):
        return image
    height, width = image.shape[-2:]
    angle, aspect = math.radians(turn), width / height
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    # where each pixel comes from, in [-1, 1] along both sides: turned in px, so that circles stay circles
    matrix = torch.tensor([[cos, sin / aspect, 2 * right], [-sin * aspect, cos, 2 * down]])
    grid = F.affine_grid(matrix.expand(len(image), -1, -1), list(image.shape), align_corners=False)
    seen = F.grid_sample(image, grid.to(image), mode="bicubic", padding_mode="reflection", align_corners=False)
    return seen.clamp(0, 1)
