"""VQGAN+CLIP as the public scripts lay it out, to compare with: that of nerdyrodent/VQGAN-CLIP by default, read and
told anew.  The nearest codes by a one-hot product; a Python loop that pools each view by itself; the augmentations of
kornia; CLIP as open_clip builds it, on all views at once, in one graph.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.losses.prompt import great_circle
from clipguide.models.clip import OpenedClip
from clipguide.models.vqgan import VQGAN

RATE, NOISE = 0.1, 0.1


class Classic:
    """One run from random codes; each `step` draws, judges and updates.

    side: px of the square picture.  views: of a step.  aim: (D,) unit norm, what the views are pulled to.
    """

    def __init__(self, vqgan: VQGAN, opened: OpenedClip, aim: Tensor, *, side: int, views: int) -> None:
        self.vqgan, self.network, self.size = vqgan, opened.model, opened.size
        self.aim, self.views = aim, views
        self.mean, self.std = (torch.tensor(channel)[:, None, None] for channel in (opened.mean, opened.std))
        codes, grid = vqgan.codebook, side // vqgan.factor
        self.z = codes[torch.randint(len(codes), (1, grid, grid))].movedim(-1, 1).clone().requires_grad_()
        self.low, self.high = (bound[:, None, None] for bound in (codes.amin(0), codes.amax(0)))
        self.optimiser, self.augment = torch.optim.Adam([self.z], RATE), _augmentations()

    def step(self) -> None:
        image = self.draw()
        views = self.augment(torch.cat([_pooled(image, self.size) for _ in range(self.views)]))
        views = views + torch.rand(self.views, 1, 1, 1) * NOISE * torch.randn_like(views)
        seen = self.network.encode_image((views - self.mean) / self.std)
        self.optimiser.zero_grad()
        great_circle(F.normalize(seen, dim=-1), self.aim).mean().backward()
        self.optimiser.step()
        with torch.no_grad():
            self.z.clamp_(self.low, self.high)

    def draw(self) -> Tensor:
        """(1, 3, side, side) in [0, 1]."""
        return self.vqgan.decode(_one_hot_codes(self.z, self.vqgan.codebook))


def _one_hot_codes(z: Tensor, codes: Tensor) -> Tensor:
    """The nearest codes; the gradient passes straight through."""
    flat = z.movedim(1, -1)
    distance = flat.square().sum(-1, keepdim=True) + codes.square().sum(1) - 2 * flat @ codes.T
    nearest = F.one_hot(distance.argmin(-1), len(codes)).to(codes) @ codes
    return z + (nearest.movedim(-1, 1) - z).detach()


def _pooled(image: Tensor, side: int) -> Tensor:
    return (F.adaptive_avg_pool2d(image, side) + F.adaptive_max_pool2d(image, side)) / 2


def _augmentations() -> torch.nn.Module:
    import kornia.augmentation as K

    return torch.nn.Sequential(
        K.RandomAffine(degrees=15, translate=0.1, shear=5, p=0.7, padding_mode="zeros"),
        K.RandomPerspective(0.7, p=0.7),
        K.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.7),
        K.RandomErasing((0.1, 0.4), (0.3, 1 / 0.3), same_on_batch=True, p=0.7),
    )
