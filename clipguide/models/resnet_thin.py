"""ResNet-50 of half the width, under the name `resnet50_thin` among timm's networks once this module is imported.

The network of Yahoo's Open-NSFW (2016): "Deep Residual Learning for Image Recognition" (He et al. 2015) as in Caffe,
with 32, 64, 128 and 256 channels inside the bottlenecks, 1024 pooled features and 5.9 million weights. Two things
differ from timm's ResNet: a stage halves the size in its first 1x1 convolution, as the paper has it, not in the 3x3
one; and the pooling of the stem starts at the first pixel, where timm pads a row and a column before it.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import Bottleneck, ResNet
from torch import nn

default_cfgs = generate_default_cfgs(
    {
        "resnet50_thin.untrained": {
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "first_conv": "conv1",
            "classifier": "fc",
        }
    }
)


@register_model
def resnet50_thin(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """timm's call: it passes num_classes and the like on to ResNet.  There are no weights to fetch."""
    shape = {"block": Bottleneck, "layers": (3, 4, 6, 3), "channels": (32, 64, 128, 256)}
    network = build_model_with_cfg(ResNet, "resnet50_thin", pretrained, **(shape | kwargs))
    network.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return network
