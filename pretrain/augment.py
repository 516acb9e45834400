"""Random views of a batch, drawn and warped at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pretrain.data.captions import may_mirror


def may_flip(texts: Sequence[str]) -> Tensor:
    """(N,) bool: the caption says nothing that a mirror would make untrue."""
    return torch.tensor([may_mirror([text]) for text in texts])


def views(images: Tensor, size: int, rng: torch.Generator, *, flip: Tensor, least: float = 0.6) -> Tensor:
    """uint8 (N, 3, H, W) -> one random square view of each, (N, 3, size, size) in [0, 1].

    Each covers `least` to 1 of the area, is turned by up to 10 degrees, has a slightly other brightness and contrast,
    and is mirrored half of the time where `flip` (N,) allows. Colour is left alone: captions name it.
    """
    count = len(images)
    draw = torch.rand(count, 7, generator=rng)
    side = (least + (1 - least) * draw[:, 0]).sqrt()
    stretch = torch.exp(0.15 * (2 * draw[:, 1] - 1))
    width, height = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    mirror = 1 - 2 * ((draw[:, 2] < 0.5) & flip).float()
    angle = (2 * draw[:, 3] - 1) * 0.17
    cos, sin = angle.cos(), angle.sin()
    shift_x, shift_y = (2 * draw[:, 4] - 1) * (1 - width), (2 * draw[:, 5] - 1) * (1 - height)
    affine = torch.stack([width * cos * mirror, -height * sin, shift_x, width * sin * mirror, height * cos, shift_y], 1)
    grid = F.affine_grid(affine.view(count, 2, 3), [count, 3, size, size], align_corners=False)
    taken = F.grid_sample(images.float() / 255, grid, padding_mode="reflection", align_corners=False)
    contrast = (0.8 + 0.4 * draw[:, 6])[:, None, None, None]
    lift = (torch.rand(count, 1, 1, 1, generator=rng) - 0.5) * 0.2
    return ((taken - 0.5) * contrast + 0.5 + lift).clamp(0, 1)
