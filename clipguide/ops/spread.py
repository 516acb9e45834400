"""A rough guess of what belongs to a thing, passed on to places of like colour.

Every place keeps a part of its own guess and takes the rest from all others, from those of like colour most, wherever
they lie, until nothing changes (label propagation; Zhou et al., "Learning with Local and Global Consistency", 2003,
here with shares that add up to 1 in place of the symmetric norm: a random walk with restarts).  On a small copy of the
picture that is one linear system.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 48  # px of the copy's longer side
PASSED = 0.9  # the part of a place's guess that it has from others
ALIKE = 4.0  # deviation of the kernel in colours, in units of CIELAB
NEAR = 1.0  # and in places, as a share of the longer side: hardly any


@torch.no_grad()
def spread(guess: Tensor, picture: Tensor) -> Tensor:
    """The guess (1, 1, H, W) when all have heard of it, of the same shape and within its range, smooth.

    picture (1, 3, H, W): sRGB in [0, 1].
    """
    from kornia.color import rgb_to_lab

    height, width = picture.shape[-2:]
    scale = SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    own = F.interpolate(guess, size, mode="area").flatten()
    colours = rgb_to_lab(F.interpolate(picture, size, mode="area"))[0].flatten(1).T  # (places, 3)
    rows, columns = torch.meshgrid(*(torch.arange(side, device=picture.device) for side in size), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], 1).to(colours) / max(size)
    unlike = (_apart(places) / NEAR**2 + _apart(colours) / ALIKE**2) / 2
    shares = (-unlike.fill_diagonal_(1e9)).softmax(1)  # (places, places)
    settled = torch.linalg.solve(torch.eye(len(own)).to(shares) - PASSED * shares, (1 - PASSED) * own)
    return F.interpolate(settled.view(1, 1, *size), (height, width), mode="bilinear", align_corners=False)


def _apart(points: Tensor) -> Tensor:
    """(n, d) -> (n, n): squared distances."""
    return torch.cdist(points, points).square()
