"""Doubles: `TinyModels`, a real `weights.Models` over checkpoints of a few thousand random weights; and small parts."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test asks the network

import torch
from torch import Tensor

from clipguide.canvases.pixels import Pixels
from clipguide.core import Scene, Tick
from clipguide.models.bert import BertConfig
from clipguide.models.forward import Forward, ForwardConfig, write_forward
from clipguide.models.vqgan import VQGAN, build_vqgan, write_vqgan
from clipguide.ops.straight_through import soft_clamp, straight_through
from clipguide.weights import Models, sha256

torch.set_num_threads(1)  # tiny tensors: a second thread only waits, and hangs in a process that a test forks

BERT = BertConfig(
    vocab_size=259,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=64,
)
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
VIT = {"layers": 1, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32}
RESNET = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 32}
TINY_CLIPS = {  # name -> image tower
    "clip-mini": VIT,
    "tiny-resnet": RESNET,
    "clip-mini-photo": VIT,
    "clip-mini-find": VIT,
}
TINY_VQGAN = {
    "in_channels": 12,
    "out_channels": 12,
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "block_out_channels": [4, 4, 8],
    "layers_per_block": 1,
    "latent_channels": 4,
    "num_vq_embeddings": 32,
    "norm_num_groups": 2,
    "mid_block_add_attention": False,
}


class TinyModels(Models):
    """Opens tiny networks, the same in every run: the CLIPs of TINY_CLIPS, the VQGAN "vqgan-mini", and "forward-mini",
    which draws from texts."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device, tiny_checkpoints())


@functools.cache
def tiny_checkpoints() -> Path:
    """A checkpoints folder as the bundled one: manifest.toml, and a folder for each network."""
    root = Path(_keep.name)
    entries = []
    for seed, (name, vision) in enumerate(TINY_CLIPS.items()):
        write_tiny_clip(root / name, vision, seed)
        entries.append(_entry(root / name, "clip"))
    write_vqgan(root / "vqgan-mini", tiny_vqgan())
    entries.append(_entry(root / "vqgan-mini", "vqgan"))
    write_forward(root / "forward-mini", tiny_forward())
    entries.append(_entry(root / "forward-mini", "forward"))
    (root / "manifest.toml").write_text("\n".join(entries), encoding="utf-8")
    return root


def _entry(folder: Path, kind: str) -> str:
    digests = ", ".join(f'"{file.name}" = "{sha256(file)}"' for file in sorted(folder.iterdir()))
    return f'[{folder.name}]\nkind = "{kind}"\nlicence = "none"\nabout = "random"\nfiles = {{ {digests} }}\n'


def tiny_vqgan(seed: int = 0) -> VQGAN:
    """A VQGAN of random weights: 8 px per code, 32 codes of 4 channels."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vqgan = build_vqgan(TINY_VQGAN).eval().requires_grad_(False)
        vqgan.codebook.normal_()
    return vqgan


def tiny_forward(seed: int = 0) -> Forward:
    """A feed-forward network of random weights: 16 px, for the texts of the tiny "clip-mini"."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Forward(ForwardConfig(embedding=16, styles=("a", "b"), side=16, components=8, width=16, depth=1))
        network.mean.fill_(0.5)
        network.components.normal_(std=0.1)
    return network


_keep = tempfile.TemporaryDirectory(prefix="tiny-checkpoints-")


def write_tiny_clip(folder: Path, vision: dict, seed: int = 0) -> None:
    """A CLIP of random weights as an open_clip folder; it reads any text, byte by byte, up to 48 of them."""
    from clipguide.models.clip import build_network
    from pretrain.models import write_folder

    config = {
        "embed_dim": 16,
        "vision_cfg": vision,
        "text_cfg": {"hf_model_name": "tiny", "context_length": 50, "hf_proj_type": "linear"},
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build_network(config, BERT).eval()
    folder.mkdir(parents=True, exist_ok=True)
    write_folder(folder, model, config, PREPROCESS, None)
    _write_tokenizer(folder / "tokenizer.json")


def _write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[PAD]", "[CLS]", "[SEP]", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.save(str(path))


def make_tick(step: int = 0, total: int = 10, *, seed: int = 0, preview: bool = False) -> Tick:
    return Tick(step, total, torch.Generator().manual_seed(seed), preview)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def canvas(side: int = 24, **options: Any) -> Pixels:
    return Pixels((side, side), rng=dice(), **options)


def dark(scene: Scene) -> Tensor:
    return scene.image().square().mean()


class Colours:
    """A VQGAN whose codes are 26^3 colours, one for each pixel: it can draw any picture."""

    factor = 1
    codebook = torch.cartesian_prod(*[torch.linspace(0, 1, 26)] * 3)

    def encode(self, image: Tensor) -> Tensor:
        return image

    def quantise(self, z: Tensor) -> Tensor:
        return straight_through((z.detach() * 25).round() / 25, z)

    def decode(self, z: Tensor) -> Tensor:
        return soft_clamp(z)
