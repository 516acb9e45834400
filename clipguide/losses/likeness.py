"""Likeness: a drawing looks like a photo to CLIP, part by part; and where in the photo that likeness hangs."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.core import Cutouts, Scene
from clipguide.encoders import ClipEncoder


def likeness(encoder: ClipEncoder, photo: Tensor, cutouts: Cutouts) -> Callable[[Scene], Tensor]:
    """The layout: how far the image tower's middle features of picture and photo lie apart, both seen alike.

    photo: (1, 3, H, W).  Mean over the content layers of the squared distance, as a share of the photo's own squared
    size: 0 for the photo itself.  CLIPasso's geometric loss (Vinker et al. 2022), but here each layer counts alike.
    """
    features = encoder.perceptual()

    def loss(scene: Scene) -> Tensor:
        views = scene.views(cutouts, encoder.size)
        with torch.no_grad():
            wanted = features(scene.crop(cutouts, encoder.size)(photo.to(views)))
        seen, batch, apart = features(views), scene.image().shape[0], []
        for layer in features.content:
            aim = wanted[layer].repeat_interleave(batch, 0)  # view after view
            apart.append((seen[layer] - aim).square().mean() / aim.square().mean().clamp(min=1e-12))
        return torch.stack(apart).mean()

    return loss


@torch.no_grad()
def occlusion(encoder: ClipEncoder, photo: Tensor, *, cells: int = 8) -> Tensor:
    """Where the photo's meaning lies: how much its embedding turns when a spot is hidden (Zeiler and Fergus 2014).

    photo: (1, 3, H, W).  cells x cells spots, each two cells wide and blurred at its edge, are hidden by the photo's
    mean colour.  -> (1, 1, H, W) in [0, 1].
    """
    side = encoder.size
    small = F.interpolate(photo, (side, side), mode="bilinear", antialias=True).to(encoder.device)
    place = (torch.arange(cells, device=small.device) + 0.5) / cells
    ticks = (torch.arange(side, device=small.device) + 0.5) / side
    bump = torch.exp(-((ticks - place[:, None]) * cells).square())  # (cells, side), two cells wide
    hidden = (bump[:, None, :, None] * bump[None, :, None, :]).flatten(0, 1)[:, None]  # (cells^2, 1, side, side)
    mean = small.mean((2, 3), keepdim=True)
    views = torch.cat([small, small + hidden * (mean - small)])
    intact, *others = encoder.encode_image(views).split(1)
    lost = (1 - torch.cat(others) @ intact[0]).clamp(min=0)  # (cells^2,)
    heat = (hidden * lost[:, None, None, None]).sum(0, keepdim=True) / hidden.sum(0, keepdim=True).clamp(min=1e-6)
    heat = F.interpolate(heat, photo.shape[-2:], mode="bilinear")
    return (heat / heat.amax().clamp(min=1e-9)).to(photo)
