"""Pretrained weights to begin from: a whole CLIP of open_clip's, an image tower of timm's, a BERT as text tower."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import nn

from clipguide.errors import UserError
from clipguide.models.bert import BertConfig
from clipguide.models.clip import BERT, TOKENIZER, build_network, open_name
from clipguide.models.hub import fetch
from pretrain.configs import MINI, PREPROCESS, model_config

TEXT_WEIGHTS = "model.safetensors"  # of a folder of transformers'


def whole_clip(name: str, weights: str) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """(CLIP, its `model_cfg`, its `preprocess_cfg`) of open_clip's model `name`; weights: one of its tags, or a file.

    Errors: UserError where the weights cannot be had or do not fit, and for a CLIP that no folder of ours can hold:
    one with another vocabulary than CLIP's own, or with a decoder (CoCa).
    """
    import open_clip

    config = deepcopy(model_config(name))
    if "multimodal_cfg" in config or "hf_tokenizer_name" in config["text_cfg"]:
        raise UserError(
            f"--weights takes CLIPs with CLIP's own vocabulary, which {name} has not; take another --config"
        )
    opened = open_name(name, weights, os.environ.get("CLIPGUIDE_CACHE"))
    if (open_clip.get_pretrained_cfg(name, weights) or {}).get("quick_gelu"):
        config["quick_gelu"] = True
    stored = opened.model.state_dict()
    if "timm_model_name" in config["vision_cfg"]:
        config["custom_text"] = True  # build_network makes such towers so; open_clip, unless told, does not
        stored = open_clip.model.convert_to_custom_text_state_dict(stored)
    model = build_network(config)
    model.load_state_dict(stored)
    seen = {"mean": list(opened.mean), "std": list(opened.std), "interpolation": "bicubic"}
    return model, config, PREPROCESS | seen


def read_image_weights(trunk: nn.Module, name: str, source: str) -> dict[str, Any]:
    """Sets the weights of timm's network `name`, in place; returns the mean and std of the pictures that it knows.

    source: a file of weights under timm's names (.safetensors, or a pickle, of which only tensors are read), or a tag
    of timm's, which is fetched once. A classifier in them is left out.
    Errors: UserError where they cannot be had, or the network has a weight that they have not.
    """
    import timm

    own = Path(source).is_file()
    file = Path(source) if own else _fetched(name, source)
    try:
        if own:
            stored = timm.models.load_state_dict(source, weights_only=True)
        else:  # timm knows how the files of its tags differ from its networks
            full = timm.create_model(
                f"{name}.{source}", pretrained=True, num_classes=0, pretrained_cfg_overlay={"file": str(file)}
            )
            stored = full.state_dict()
        found = {key: tensor for key, tensor in stored.items() if not _is_classifier(key, trunk)}
        missing, _ = trunk.load_state_dict(found, strict=False)
    except Exception as error:  # timm's and the file formats' errors share no base class
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{file} holds no weights of {name} ({reason}); give another file or a tag of timm's") from None
    lacking = [key for key in missing if not _is_classifier(key, trunk)]
    if lacking:
        raise UserError(f"{file} has no {lacking[0]}: these are not timm's weights of {name}")
    return {key: list(trunk.pretrained_cfg[key]) for key in ("mean", "std")}


def _fetched(name: str, tag: str) -> Path:
    """The file of one of timm's tags, from the cache or the hub.  Errors: UserError without it, listing the tags."""
    import timm

    known = {full.partition(".")[2]: timm.models.get_pretrained_cfg(full) for full in timm.list_pretrained(f"{name}.*")}
    tags = [tag for tag, described in known.items() if described.hf_hub_id]
    if tag not in tags:
        told = f"one of timm's tags: {', '.join(tags)}" if tags else "timm has no tag of it"
        raise UserError(f"{name} has no weights {tag!r}; give a file, or {told}")
    address = f"{known[tag].hf_hub_id}/{known[tag].hf_hub_filename or 'model.safetensors'}"
    return fetch(address, os.environ.get("CLIPGUIDE_CACHE"))


def _is_classifier(key: str, trunk: nn.Module) -> bool:
    names = trunk.pretrained_cfg.get("classifier") or ()
    return key.startswith(tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names)))


def with_bert(config: dict[str, Any], folder: Path) -> tuple[dict[str, Any], BertConfig]:
    """(`config` with the BERT of a folder of transformers' as its text tower, what shapes that BERT).

    Errors: UserError for a folder that lacks a file, and for another kind of network.
    """
    for file in (BERT, TEXT_WEIGHTS, TOKENIZER):
        if not (folder / file).is_file():
            raise UserError(
                f"--text-weights {folder} has no {file}; give a folder with {BERT}, {TEXT_WEIGHTS}, {TOKENIZER}"
            )
    try:
        told = json.loads((folder / BERT).read_text(encoding="utf-8"))
        kind = (told["model_type"], told.get("hidden_act", "gelu"), told.get("position_embedding_type", "absolute"))
        bert = BertConfig.read(folder / BERT)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder / BERT} describes no network of transformers' ({error}); give another folder"
        ) from None
    if kind != ("bert", "gelu", "absolute"):
        raise UserError(
            f"{folder} holds {', '.join(kind)}; of transformers' text towers --text-weights takes BERT alone"
        )
    text = {
        "context_length": min(MINI["text_cfg"]["context_length"], bert.max_position_embeddings),
        "hf_model_name": folder.resolve().name,
        "hf_tokenizer_name": folder.resolve().name,
    }
    return config | {"custom_text": True, "text_cfg": MINI["text_cfg"] | text}, bert


def read_bert(tower: nn.Module, folder: Path) -> None:
    """Sets the weights of a BERT, in place, from transformers' file.  Errors: UserError where they do not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = {key.removeprefix("bert."): tensor for key, tensor in load_file(folder / TEXT_WEIGHTS).items()}
        tower.load_state_dict({key: stored[key] for key in tower.state_dict()})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{folder / TEXT_WEIGHTS} does not fit {folder / BERT} ({reason}); fetch both again") from None
