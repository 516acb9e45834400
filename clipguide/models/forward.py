"""Forward: a small network from CLIP's embedding of a text to a small picture, in one pass and without any steps.

After feed-forward VQGAN-CLIP (Chhablani, Cherti and Jitsev, 2021), which learns VQGAN's codes and only from CLIP's
score.  Ours draws colours, so that every canvas can begin with its picture, and learns from pictures as well.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.errors import UserError

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class ForwardConfig:
    """clip: whose embeddings of texts it reads.  widths: channels at 4 px, 8 px, ..., the last at the side."""

    clip: str = "clip-mini"
    embedding: int = 512
    dice: int = 64
    widths: tuple[int, ...] = (256, 160, 80, 32)
    style: int = 256  # numbers that steer every block

    @property
    def side(self) -> int:
        """px of the picture's side."""
        return 4 * 2 ** (len(self.widths) - 1)


class Forward(nn.Module):
    """Embeddings (B, D) of unit norm and dice (B, `config.dice`), normal numbers -> pictures (B, 3, S, S) in [0, 1].

    Blocks of two convolutions, from 4 px on; scale and shift of each normalisation come of the text and the dice.
    """

    def __init__(self, config: ForwardConfig) -> None:
        super().__init__()
        self.config = config
        first, *_, last = config.widths
        self.steer = nn.Sequential(
            nn.Linear(config.embedding + config.dice, config.style), nn.SiLU(), nn.Linear(config.style, config.style)
        )
        self.first = nn.Linear(config.style, first * 16)
        pairs = zip((first, *config.widths), config.widths, strict=False)
        self.blocks = nn.ModuleList(_Block(inner, outer, config.style) for inner, outer in pairs)
        self.last = _conv(last, 3)

    def forward(self, texts: Tensor, dice: Tensor) -> Tensor:
        scaled = texts * self.config.embedding**0.5  # to the size of the dice
        style = self.steer(torch.cat([scaled, dice], 1))
        x = self.first(style).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        for number, block in enumerate(self.blocks):
            if number:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = block(x, style)
        return self.last(F.silu(x)).sigmoid()


class _Block(nn.Module):
    def __init__(self, inner: int, outer: int, style: int) -> None:
        super().__init__()
        self.one, self.two = _conv(inner, outer), _conv(outer, outer)
        self.bend = nn.Linear(style, 2 * (inner + outer))
        self.past = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        count = self.one.in_channels
        bends = self.bend(style)[..., None, None]
        y = self.one(_bent(x, bends[:, : 2 * count]))
        return self.past(x) + self.two(_bent(y, bends[:, 2 * count :]))


def _conv(inner: int, outer: int) -> nn.Module:
    """Zeros around the picture would show as a frame in it."""
    return nn.Conv2d(inner, outer, 3, padding=1, padding_mode="replicate")


def _bent(x: Tensor, bends: Tensor) -> Tensor:
    scale, shift = bends.chunk(2, 1)
    return F.silu(F.group_norm(x, 8) * (1 + scale) + shift)


def open_forward(folder: str | Path) -> Forward:
    """The network of a folder, float32, on the CPU, frozen.  UserError when it holds none.  Executes no code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        network = Forward(ForwardConfig(**{**told, "widths": tuple(told["widths"])}))
        network.load_state_dict({name: part.float() for name, part in load_file(folder / WEIGHTS).items()})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{folder} holds no feed-forward network that can be read ({reason}); train it again") from None
    return network.eval().requires_grad_(False)


def write_forward(folder: Path, network: Forward, dtype: torch.dtype = torch.float16) -> None:
    """Writes what `open_forward` reads, with the numbers in `dtype`."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = asdict(network.config)
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    save_file({name: part.to(dtype).contiguous() for name, part in network.state_dict().items()}, folder / WEIGHTS)
