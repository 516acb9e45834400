"""Original checkpoints of taming-transformers (Esser et al., arXiv 2012.09841), read as diffusers' VQModel.

A checkpoint is a pickle that Lightning wrote, with a YAML beside it that describes the network.  The pickle is read by
an unpickler that knows tensors alone: every other class becomes an inert placeholder, so that nothing is executed.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from clipguide.errors import UserError

TENSORS = frozenset({"_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_tensor"})
RULES = (  # taming's names -> diffusers'; decoder levels are turned round afterwards
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.", ".mid_block.attentions.0."),
    (r"\.(down|up)\.(\d+)\.block\.", r".\1_blocks.\2.resnets."),
    (r"\.(down|up)\.(\d+)\.attn\.", r".\1_blocks.\2.attentions."),
    (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
    (r"\.up\.(\d+)\.upsample\.", r".up_blocks.\1.upsamplers.0."),
    (r"(\.attentions\.\d+\.)norm\.", r"\1group_norm."),
    (r"(\.attentions\.\d+\.)proj_out\.", r"\1to_out.0."),
    (r"(\.attentions\.\d+\.)([qkv])\.", r"\1to_\2."),
)


@dataclass(frozen=True)
class Taming:
    """config: the arguments of diffusers' VQModel; weights: its state dict; logits: of Gumbel quantisation, or None."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    logits: nn.Module | None


def read_taming(path: Path) -> Taming:
    """Reads NAME.ckpt with NAME.yaml (or the folder's only YAML) beside it.  UserError when it cannot be read."""
    params = _read_params(_description(path))
    try:
        config = to_config(params)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the YAML beside {path} describes no VQGAN ({error!r}); take the one of that model") from None
    stored = read_pickle(path)
    stored = stored.get("state_dict", stored)
    prefix = "first_stage_model." if any(name.startswith("first_stage_model.") for name in stored) else ""
    state = {name[len(prefix) :]: value for name, value in stored.items() if name.startswith(prefix)}
    weights = to_diffusers(state, len(config["block_out_channels"]))
    return Taming(config, weights, _gumbel_logits(state))


def to_config(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of taming's VQModel or GumbelVQ -> those of diffusers' VQModel.  KeyError when one is missing."""
    network = params["ddconfig"]
    multiples, attended = network["ch_mult"], set(network["attn_resolutions"])
    sides = [network["resolution"] >> level for level in range(len(multiples))]
    down = tuple("AttnDownEncoderBlock2D" if side in attended else "DownEncoderBlock2D" for side in sides)
    up = tuple("AttnUpDecoderBlock2D" if side in attended else "UpDecoderBlock2D" for side in reversed(sides))
    return {
        "in_channels": network["in_channels"],
        "out_channels": network["out_ch"],
        "down_block_types": down,
        "up_block_types": up,
        "block_out_channels": tuple(network["ch"] * multiple for multiple in multiples),
        "layers_per_block": network["num_res_blocks"],
        "latent_channels": network["z_channels"],
        "num_vq_embeddings": params["n_embed"],
        "vq_embed_dim": params["embed_dim"],
        "norm_num_groups": 32,
    }


def to_diffusers(state: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """A state dict of taming -> one of diffusers' VQModel.  levels: how many sides the network works at."""
    weights = {}
    for name, value in state.items():
        if name == "quantize.embed.weight":  # Gumbel
            name = "quantize.embedding.weight"
        if not name.startswith(("encoder.", "decoder.", "quantize.embedding.", "quant_conv.", "post_quant_conv.")):
            continue  # the discriminator and its loss, Gumbel's projection
        for pattern, replacement in RULES:
            name = re.sub(pattern, replacement, name)
        name = re.sub(r"up_blocks\.(\d+)", lambda at: f"up_blocks.{levels - 1 - int(at[1])}", name)
        if re.search(r"\.attentions\.\d+\.to_", name) and value.ndim == 4:
            value = value[:, :, 0, 0]  # a 1 x 1 convolution is a linear layer
        weights[name] = value
    return weights


def _gumbel_logits(state: Mapping[str, Tensor]) -> nn.Module | None:
    weight = state.get("quantize.proj.weight")
    if weight is None:
        return None
    logits = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    logits.load_state_dict({"weight": weight, "bias": state["quantize.proj.bias"]})
    return logits


def _description(path: Path) -> Path:
    beside = sorted([*path.parent.glob("*.yaml"), *path.parent.glob("*.yml")])
    named = [file for file in beside if file.stem == path.stem]
    if len(named) == 1 or len(beside) == 1:
        return (named or beside)[0]
    raise UserError(f"{path} needs its description {path.stem}.yaml beside it; put the model's YAML there")


def _read_params(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        model = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
        params = model["params"]
        return params.get("first_stage_config", {}).get("params", params)  # the network of a Net2NetTransformer
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} describes no model of taming-transformers ({error!r:.100})") from None


def read_pickle(path: Path) -> dict[str, Any]:
    """What torch saved, tensors on the CPU; objects of other classes are empty placeholders.  Executes no code."""
    reader = SimpleNamespace(Unpickler=_TensorUnpickler, load=None, __name__="clipguide.models.taming")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=False, pickle_module=reader)
    except Exception as error:  # a damaged archive raises many kinds
        raise UserError(f"{path} is no checkpoint that can be read ({str(error)[:100]!r}); download it again") from None
    if not isinstance(stored, dict):
        raise UserError(f"{path} holds no weights but a {type(stored).__name__}; download it again")
    return stored


class _Placeholder:
    """Stands for an object of a class that is not wanted: takes everything, does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> _Placeholder:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing is kept."""

    def __setstate__(self, _: Any) -> None:
        """Nothing is kept."""

    def __call__(self, *_: Any, **__: Any) -> _Placeholder:
        return self

    def __setitem__(self, *_: Any) -> None:
        """Nothing is kept."""

    def append(self, _: Any) -> None:
        """Nothing is kept."""

    def extend(self, _: Any) -> None:
        """Nothing is kept."""


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name in TENSORS:
            return getattr(torch._utils, name)
        if module == "torch" and (name.endswith("Storage") or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else _Placeholder
