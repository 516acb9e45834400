"""Forward: a network from CLIP's embedding of a text to a small picture, in one pass and without any steps.

After feed-forward VQGAN-CLIP (Chhablani, Cherti and Jitsev, 2021), which gives VQGAN's codes and learns from CLIP's
score alone.  Ours gives pictures, so that every canvas can begin with them, and learns from drawings: the weights of
their principal components, the eigenpictures of Sirovich and Kirby (1987), which a small network learns quickly.
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
PALE = 0.35  # how much darker than white the ground behind a thing may be
ASIDE, NEARER = 0.12, 0.12  # of half a side a thing may stand aside, of its size it may be larger or smaller


@dataclass(frozen=True)
class ForwardConfig:
    """clip: whose embeddings of texts it reads.  styles: the ways it can draw.  side: px.  components: of the pictures.

    width, depth: of the network that gives the components' weights.
    """

    clip: str = "clip-mini"
    embedding: int = 512
    styles: tuple[str, ...] = ("pictures",)
    side: int = 64
    components: int = 512
    width: int = 1280
    depth: int = 2

    @property
    def dice(self) -> int:
        """How many normal numbers decide a picture: one for each style, of which the largest wins, three for
        the ground's colour, and three for the place and the size."""
        return len(self.styles) + 6


class Forward(nn.Module):
    """Embeddings (B, D) of unit norm and dice (B, `config.dice`), normal numbers -> pictures (B, 3, S, S) in [0, 1]."""

    def __init__(self, config: ForwardConfig) -> None:
        super().__init__()
        self.config = config
        pixels = 4 * config.side**2
        self.read = nn.Linear(config.embedding + len(config.styles), config.width)
        self.blocks = nn.ModuleList(_block(config.width) for _ in range(config.depth))
        self.write = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.components))
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(config.components, pixels))  # orthogonal, of one length

    def forward(self, texts: Tensor, dice: Tensor) -> Tensor:
        styles, colour, place = dice.split([len(self.config.styles), 3, 3], 1)
        drawn = _placed(self.cutouts(self.weights(texts, styles.argmax(1))), place)
        ground = 1 - PALE * colour.sigmoid()[..., None, None]
        return (drawn[:, :3] + (1 - drawn[:, 3:]) * ground).clamp(0, 1)

    def weights(self, texts: Tensor, styles: Tensor) -> Tensor:
        """(B, D) and numbers of styles (B,) -> (B, components)."""
        style = F.one_hot(styles, len(self.config.styles)).to(texts)
        scaled = torch.cat([texts * self.config.embedding**0.5, 4 * style], 1)  # a style weighs as much as 16 numbers
        x = F.silu(self.read(scaled))
        for block in self.blocks:
            x = x + block(x)
        return self.write(x)

    def cutouts(self, weights: Tensor) -> Tensor:
        """(B, components) -> (B, 4, S, S): red, green, blue, each times the alpha, and alpha in [0, 1]."""
        side = self.config.side
        drawn = (self.mean + weights @ self.components).unflatten(1, (4, side, side))
        return torch.cat([drawn[:, :3], drawn[:, 3:].clamp(0, 1)], 1)


def _placed(pictures: Tensor, place: Tensor) -> Tensor:
    """(B, C, S, S) moved across and down and made larger or smaller, by normal numbers (B, 3)."""
    across, down, size = (place.tanh() * torch.tensor([ASIDE, ASIDE, NEARER]).to(place)).unbind(1)
    zoom, none = 1 + size, torch.zeros_like(size)
    map_ = torch.stack([torch.stack([zoom, none, across], 1), torch.stack([none, zoom, down], 1)], 1)
    grid = F.affine_grid(map_, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))


def open_forward(folder: str | Path) -> Forward:
    """The network of a folder, float32, on the CPU, frozen.  UserError when it holds none.  Executes no code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        network = Forward(ForwardConfig(**{**told, "styles": tuple(told["styles"])}))
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
