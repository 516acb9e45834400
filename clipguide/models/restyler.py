"""Restyler: a small U-Net from a photo to a restyled picture; fully convolutional, so that any size goes through."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.surfaces import PERIOD, surfaces
from clipguide.ops.patchwork import patchwork

NARROWEST, DEEPEST = 4, 16  # limits of width and blocks that a file may ask for


class Restyler(nn.Module):
    """(B, 3, H, W) in [0, 1] -> the same shape, not clamped.

    It starts as the identity: its last convolution is zero and adds to the photo.  CLIPstyler's StyleNet draws from
    nothing instead and spends its first hundred steps on finding the photo again.  Skips add instead of concatenating.

    width: channels at full size; 2x at half, 4x at a quarter, where `blocks` residual blocks lie.
    Beside the photo it sees the patterns of `surfaces`, so that it can paint a texture where the photo is flat.
    copies: so many networks side by side, as groups of one: picture i of a batch goes through network i alone.
    In training mode each picture is normalised by its own statistics; in eval mode by those of the pictures seen in
    training, so that tiles of a photo, or frames of a video, come out alike.
    """

    def __init__(self, width: int = 16, blocks: int = 3, *, copies: int = 1, rng: torch.Generator) -> None:
        super().__init__()
        self.width, self.blocks, self.copies = width, blocks, copies

        def conv(inner: int, outer: int, stride: int = 1) -> nn.Module:
            return _Conv(inner * copies, outer * copies, stride, copies)

        self.register_buffer("surfaces", surfaces(), persistent=False)
        self.stem, self.down1 = conv(3 + len(self.surfaces), width), conv(width, 2 * width, 2)
        self.down2 = conv(2 * width, 4 * width, 2)
        self.middle = nn.ModuleList(conv(4 * width, 4 * width) for _ in range(blocks))
        self.up1, self.up2 = conv(4 * width, 2 * width), conv(2 * width, width)
        self.last = nn.Conv2d(width * copies, 3 * copies, 3, padding=1, padding_mode="reflect", groups=copies)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=rng)
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.last.weight)

    def forward(self, photo: Tensor, at: tuple[int, int] = (0, 0)) -> Tensor:
        """at: where the photo's upper left corner lies in a larger one, (top, left) in px; the patterns lie still."""
        x = torch.cat([photo - 0.5, self._surfaces_like(photo, at)], 1)
        full = self.stem(x.reshape(-1, x.shape[1] * self.copies, *x.shape[-2:]))  # (B / copies, width * copies, H, W)
        half = self.down1(full)
        deep = self.down2(half)
        for block in self.middle:
            deep = deep + block(deep)
        half = half + self.up1(_enlarge(deep, half))
        full = full + self.up2(_enlarge(half, full))
        return photo + self.last(full).reshape(photo.shape)

    def _surfaces_like(self, photo: Tensor, at: tuple[int, int]) -> Tensor:
        sides = zip(at, photo.shape[-2:], strict=True)
        rows, columns = (torch.arange(start, start + side, device=photo.device) % PERIOD for start, side in sides)
        return self.surfaces[:, rows][:, :, columns].to(photo).expand(len(photo), -1, -1, -1)

    @torch.no_grad()
    def remember(self, photos: Tensor) -> None:
        """Makes the statistics of these photos, (B, 3, H, W), the ones that eval mode normalises by."""
        norms = [module for module in self.modules() if isinstance(module, nn.InstanceNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        was_training = self.training
        self.train()(photos)
        self.train(was_training)
        for norm in norms:
            norm.momentum = 0.1


class _Conv(nn.Module):
    """Convolution, instance norm, ReLU."""

    def __init__(self, inner: int, outer: int, stride: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, 3, stride, 1, padding_mode="reflect", groups=groups)
        self.norm = nn.InstanceNorm2d(outer, affine=True, track_running_stats=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Nearest neighbours, then a convolution follows: no checkerboard (Odena et al., 2016)."""
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


@torch.no_grad()
def redraw(restyler: Restyler, photo: Tensor, tile: int, overlap: int = 32) -> Tensor:
    """The restyler over a large photo, (1, 3, H, W), in tiles of `tile` px that fade into each other.

    Memory follows the tile, not the photo.  Call in eval mode: only then do the tiles have common statistics.
    overlap: px that neighbours share, at least; it covers the network's field of view, about 30 px.
    """
    return patchwork(restyler, photo, tile=tile, overlap=overlap)


def to_bytes(restyler: Restyler, about: dict[str, str]) -> bytes:
    """The weights as safetensors, with `about` (the style, say) in the header."""
    from safetensors.torch import save

    state = {name: tensor.contiguous() for name, tensor in restyler.state_dict().items()}
    header = {"kind": "restyler", "width": str(restyler.width), "blocks": str(restyler.blocks)}
    return save(state, header | {"about": json.dumps(about, ensure_ascii=False)})


def open_restyler(path: Path) -> Restyler:
    """The restyler of a file, in eval mode.  UserError when it holds none.  Executes no code."""
    from safetensors.torch import load_file

    header = _header(path)
    try:
        width, blocks = int(header["width"]), int(header["blocks"])
        if not (NARROWEST <= width <= 256 and 0 <= blocks <= DEEPEST):
            raise ValueError(f"width {width}, {blocks} blocks")
        restyler = Restyler(width, blocks, rng=torch.Generator())
        restyler.load_state_dict(load_file(path))
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} holds no restyler that can be built ({reason}); train it again") from None
    return restyler.eval().requires_grad_(False)


def _header(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is no restyler ({reason}); give a file of clipstyler-fast") from None
    if header.get("kind") != "restyler":
        raise UserError(f"{path} is no restyler; give a .safetensors file that clipstyler-fast wrote")
    return header
