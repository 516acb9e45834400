"""VQGAN: a picture as a grid of codes (Esser, Rombach and Ommer, arXiv 2012.09841), by diffusers' VQModel.

Three kinds of files are read, none of which ever executes code: a folder of diffusers (`config.json` beside
`diffusion_pytorch_model.safetensors`; bundled checkpoints are such folders), one whose picture is cut into patches
(see `VQGAN`), and the original checkpoints of taming-transformers (`models/taming.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.taming import read_taming
from clipguide.ops.straight_through import soft_clamp, straight_through
from clipguide.ops.vision_import import import_torchvision

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
PICKLED = "diffusion_pytorch_model.bin"  # the name before safetensors


class VQGAN(nn.Module):
    """Pictures (B, 3, H, W) in [0, 1] to latents z (B, C, H / factor, W / factor) and back.

    network: diffusers' VQModel.  When it has 3 p^2 channels instead of 3, it sees patches of p x p px as channels
    (pixel unshuffle) and so has no layers at full size, which are the slowest ones.
    logits: of Gumbel quantisation, (B, C, h, w) -> (B, K, h, w): codes are chosen by them, not by distance.
    factor: px per code.
    """

    def __init__(self, network: nn.Module, logits: nn.Module | None = None) -> None:
        super().__init__()
        self.network, self.logits = network, logits
        self.patch = round((network.config.in_channels / 3) ** 0.5)
        self.factor = self.patch * 2 ** (len(network.config.block_out_channels) - 1)

    @property
    def codebook(self) -> Tensor:
        """(K, C), in the space of z."""
        return self.network.quantize.embedding.weight

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], H and W multiples of `factor` -> z (B, C, h, w), not quantised.

        With Gumbel quantisation there is no such z: the codes themselves come back.
        """
        x = F.pixel_unshuffle(2 * image - 1, self.patch).contiguous(memory_format=torch.channels_last)
        z = self.network.encode(x, return_dict=False)[0]
        return z if self.logits is None else self.lookup(self.logits(z).argmax(1))

    @torch.no_grad()
    def nearest(self, z: Tensor) -> Tensor:
        """The number of the code nearest to each z: (B, C, h, w) -> (B, h, w) int64."""
        flat = z.movedim(1, -1).reshape(-1, z.shape[1])
        # |z - e|^2 but for |z|^2, as one product of matrices
        distance = torch.addmm(self.codebook.square().sum(1), flat, self.codebook.T, alpha=-2)
        return distance.argmin(1).view(len(z), *z.shape[2:])

    def lookup(self, numbers: Tensor) -> Tensor:
        """(B, h, w) int64 -> (B, C, h, w).  Gradients reach the codebook where it takes any."""
        return F.embedding(numbers, self.codebook).movedim(-1, 1)

    def quantise(self, z: Tensor) -> Tensor:
        """The nearest codes, (B, C, h, w); backward the gradient passes to z as it is."""
        return straight_through(self.lookup(self.nearest(z)).detach(), z)

    def decode(self, z: Tensor) -> Tensor:
        """(B, C, h, w), quantised or not -> (B, 3, H, W) in [0, 1].

        Where the network leaves [0, 1] the gradient that leads back inside passes.
        """
        return soft_clamp(self.draw(z))

    def draw(self, z: Tensor) -> Tensor:
        """As `decode`, not clamped: for training."""
        z = z.contiguous(memory_format=torch.channels_last)
        x = self.network.decode(z, force_not_quantize=True, return_dict=False)[0]
        return (F.pixel_shuffle(x, self.patch) + 1) / 2


def build_vqgan(config: dict[str, Any], logits: nn.Module | None = None) -> VQGAN:
    """An untrained network.  config: the arguments of diffusers' VQModel; unknown ones are left out."""
    import_torchvision()
    from diffusers import VQModel

    return VQGAN(VQModel.from_config(config), logits).to(memory_format=torch.channels_last)


def open_vqgan(path: str | Path) -> VQGAN:
    """A folder, or a weights file with its description beside it (see the module's text); float32, CPU, eval mode.

    UserError when there is none that can be built.
    """
    given = Path(path)
    if given.is_file() and given.suffix in (".ckpt", ".pt", ".pth"):
        described = read_taming(given)
        vqgan = build_vqgan(described.config, described.logits)
        return _load(vqgan, described.weights, given)
    folder = given.parent if given.is_file() else given
    config = _read_config(folder / CONFIG)
    try:
        vqgan = build_vqgan(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder / CONFIG} describes no VQGAN that can be built ({_short(error)})") from None
    file = given if given.is_file() else folder / WEIGHTS
    return _load(vqgan, _read_weights(file if file.exists() else folder / PICKLED), file)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{path.parent} is no VQGAN; give a folder with {CONFIG} and {WEIGHTS}, or a .ckpt") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); download or export the VQGAN again") from None
    kind = config.get("_class_name", "VQModel") if isinstance(config, dict) else None
    if kind != "VQModel":
        raise UserError(f"{path} describes no VQModel but {kind or 'something else'}; give the folder of a VQGAN")
    return config


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({_short(error)}); download or export the VQGAN again") from None


def _load(vqgan: VQGAN, weights: dict[str, Tensor], path: Path) -> VQGAN:
    try:
        vqgan.network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError as error:
        raise UserError(f"{path} does not fit its description ({_short(error)}); take both of one model") from None
    return vqgan.float().eval()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def write_vqgan(folder: Path, vqgan: VQGAN, dtype: torch.dtype = torch.float16) -> None:
    """Writes what `open_vqgan` reads: config.json and weights, with the numbers in `dtype`."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = {"_class_name": "VQModel"} | {
        name: value for name, value in vqgan.network.config.items() if not name.startswith("_")
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {name: tensor.to(dtype).contiguous() for name, tensor in vqgan.network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
