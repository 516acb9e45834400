"""Perceptual features: the layers of a frozen network that judge content and texture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.ops.vision_import import import_torchvision

VGG_FILE = "vgg19-dcbb9e9d.pth"  # torchvision's name for its ImageNet weights
VGG_TEXTURE, VGG_CONTENT = (1, 6, 11, 20), (21, 30)  # relu1_1 2_1 3_1 4_1; conv4_2 conv5_2, as in CLIPstyler


@dataclass(frozen=True)
class Features:
    """(B, 3, H, W) sRGB in [0, 1] -> feature maps (B, C, h, w), fine to coarse.  Normalises inside.

    texture, content: which maps tell the surface, and which the things.
    """

    network: Callable[[Tensor], list[Tensor]]
    mean: Tensor  # (3, 1, 1)
    std: Tensor
    texture: tuple[int, ...]
    content: tuple[int, ...]
    side: int = 0  # px to which every picture is resized, for towers that take no other; 0: any size goes

    def __call__(self, images: Tensor) -> list[Tensor]:
        if self.side:
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
        return self.network((images - self.mean) / self.std)


def clip_features(visual: nn.Module, mean: Tensor, std: Tensor, side: int) -> Features:
    """The image tower of a CLIP that open_clip built.

    Of a convolutional tower of timm every stage is read: for EfficientNet-Lite0 the maps at 1/2, 1/4, 1/8, 1/16 of the
    size; texture is read from all of them, content from the last two.  Of other towers five layers.
    """
    trunk = getattr(visual, "trunk", None)
    if trunk is not None and hasattr(trunk, "feature_info") and hasattr(trunk, "conv_stem"):
        stages = range(len(trunk.feature_info) - 1)

        def read(images: Tensor) -> list[Tensor]:
            images = images.contiguous(memory_format=torch.channels_last)
            return trunk.forward_intermediates(images, indices=list(stages), stop_early=True, intermediates_only=True)

        return Features(read, mean, std, tuple(stages), (len(stages) - 2, len(stages) - 1))

    def read_tokens(images: Tensor) -> list[Tensor]:
        if trunk is not None:
            return trunk.forward_intermediates(images, intermediates_only=True)
        return visual.forward_intermediates(images, intermediates_only=True)["image_intermediates"]

    with torch.no_grad():
        depth = len(read_tokens(torch.zeros(1, 3, side, side).to(mean)))
    layers = tuple(sorted({round(i * (depth - 1) / 4) for i in range(5)}))
    return Features(read_tokens, mean, std, layers, layers[-2:], side)


def vgg_features(device: torch.device, folder: Path | None = None) -> Features:
    """VGG19 with torchvision's ImageNet weights, which are read from torch's cache and never fetched.

    UserError when the file is not there.
    """
    path = (folder or Path(torch.hub.get_dir()) / "checkpoints") / VGG_FILE
    if not path.is_file():
        raise UserError(f"--features vgg19: {path} is not there; put torchvision's file there, or use clip-mini")
    import_torchvision()
    from torchvision.models import vgg19

    network = vgg19(weights=None)
    network.load_state_dict(torch.load(path, weights_only=True))
    layers = network.features[: max(VGG_CONTENT) + 1].eval().requires_grad_(False).to(device)
    wanted = sorted({*VGG_TEXTURE, *VGG_CONTENT})

    def read(images: Tensor) -> list[Tensor]:
        maps = []
        for index, layer in enumerate(layers):
            images = layer(images) if not isinstance(layer, nn.ReLU) else F.relu(images)  # never in place
            maps += [images] * (index in wanted)
        return maps

    mean = torch.tensor((0.485, 0.456, 0.406), device=device)[:, None, None]
    std = torch.tensor((0.229, 0.224, 0.225), device=device)[:, None, None]
    texture = tuple(wanted.index(layer) for layer in VGG_TEXTURE)
    return Features(read, mean, std, texture, tuple(wanted.index(layer) for layer in VGG_CONTENT))
