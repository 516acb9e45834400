"""MixStyle: in training, pictures lend each other their look (Zhou et al. 2021, arXiv 2104.02008).

The means and deviations of an image tower's early feature maps hold a picture's colours, lines and shading more than
what it shows. Mixed within a batch, they are those of styles that no picture there has, for a tower that is to know a
thing in a style it never saw.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from clipguide.errors import UserError

STAGES = ("trunk.blocks.0", "trunk.blocks.1", "layer1", "layer2")  # of EfficientNets, of CLIP's ResNets
CONCENTRATION = 0.1  # of the Beta distribution that weights are drawn from: mostly near 0 and 1


def mixed(encode: Callable[[Tensor], Tensor], visual: nn.Module, share: float) -> Callable[[Tensor], Tensor]:
    """`encode` with the statistics of STAGES mixed in a `share` of the pictures, by torch's own random numbers.

    visual: the image tower that `encode` runs. Errors: UserError for a tower without these stages.
    """
    stages = stages_of(visual)

    def run(images: Tensor) -> Tensor:
        hooks = [stage.register_forward_hook(lambda module, given, maps: mix(maps, share)) for stage in stages]
        try:
            return encode(images)
        finally:
            for hook in hooks:
                hook.remove()

    return run


def stages_of(visual: nn.Module) -> list[nn.Module]:
    """Where styles are mixed. Errors: UserError for a tower without such stages."""
    stages = [
        stage for name, stage in visual.named_modules() if name in STAGES and isinstance(stage, nn.Sequential)
    ]  # a ViT's blocks bear the same names
    if not stages:
        raise UserError("--mix-styles is for EfficientNets and CLIP's ResNets; leave it out for other image towers")
    return stages


def mix(maps: Tensor, share: float) -> Tensor:
    """maps (N, C, H, W): in a `share` of them mean and deviation of each channel are moved towards another's, of the
    same chunk. No gradient flows through the statistics; the other maps stay as they are.
    """
    count = len(maps)
    mean = maps.detach().mean((2, 3), keepdim=True)
    deviation = (maps.detach().var((2, 3), keepdim=True, correction=0) + 1e-6).sqrt()
    other = torch.randperm(count).to(maps.device)
    kept = torch.distributions.Beta(CONCENTRATION, CONCENTRATION).sample((count, 1, 1, 1))
    moved, kept = (torch.rand(count, 1, 1, 1) < share).to(maps.device), kept.to(maps)
    new_mean, new_deviation = (kept * own + (1 - kept) * own[other] for own in (mean, deviation))
    return torch.where(moved, (maps - mean) / deviation * new_deviation + new_mean, maps)
