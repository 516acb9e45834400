"""CLIP networks: opened from a folder in open_clip's layout, or by open_clip's name and tag.

A folder holds `open_clip_config.json`, `open_clip_model.safetensors`, `tokenizer.json` (without one the text is cut by
CLIP's own byte-pair vocabulary, which open_clip carries) and, where the text tower is a BERT, its `config.json`.
Opening a folder needs no network and no transformers. open_clip builds every tower but BERT, which is ours. Where
`text_cfg` says `tower_of`, BERT and tokenizer are those of the folder of that name beside this one: two CLIPs of one
text tower, which open_clip itself cannot read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.bert import PROJECTIONS, Bert, BertConfig, BertText
from clipguide.models.hub import fetch
from clipguide.ops.vision_import import import_torchvision

CONFIG, WEIGHTS, TOKENIZER, BERT = (
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "tokenizer.json",
    "config.json",
)
TOWER = "text.transformer."  # what the weights of a BERT begin with
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class OpenedClip:
    """A CLIP ready for use, in float32 on the CPU and in eval mode.

    model: encode_image((N, 3, size, size) after `mean` and `std`) and encode_text((N, L) int64), both -> (N, D), of any
    length.
    tokenise: texts -> (N, L) int64, each cut at `context_length` tokens.
    token_count: how many tokens a text has, end marks included; more than `context_length` means that it is cut.
    """

    model: nn.Module
    tokenise: Callable[[Sequence[str]], Tensor]
    token_count: Callable[[str], int]
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    context_length: int


def build_network(config: dict[str, Any], bert: BertConfig | None = None, tower: Bert | None = None) -> nn.Module:
    """An untrained CLIP. config: open_clip's `model_cfg`; bert: its text tower's, new or already there as `tower`."""
    import_torchvision()
    import open_clip

    import clipguide.models.resnet_thin  # noqa: F401  names itself to timm

    config = dict(config)
    custom = config.pop("custom_text", False) or "timm_model_name" in config["vision_cfg"] or bert is not None
    if bert is None:
        return (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**config)
    placeholder = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1, "context_length": 1}
    model = open_clip.CustomTextCLIP(**(config | {"text_cfg": placeholder}))
    projection = config["text_cfg"].get("hf_proj_type", "mlp")  # open_clip's own default
    if projection not in PROJECTIONS:
        raise UserError(f"hf_proj_type {projection!r} of a text tower is not known; use {' or '.join(PROJECTIONS)}")
    model.text = BertText(bert, config["embed_dim"], projection, tower)
    model.context_length, model.vocab_size = config["text_cfg"].get("context_length", 77), bert.vocab_size
    return model


def open_folder(path: str | Path, towers: dict[Path, Bert] | None = None) -> OpenedClip:
    """Opens a folder in open_clip's layout (see the module's text), or a weights file that lies in one.

    towers: BERTs by the file they are read from: one that is there is shared instead of read, a new one is added.
    Errors: UserError when it is not one.
    """
    towers = {} if towers is None else towers
    given = Path(path)
    folder, weights = (given.parent, given) if given.is_file() else (given, given / WEIGHTS)
    if weights is given and not (folder / CONFIG).is_file():
        raise UserError(f"{given} has no {CONFIG} beside it; name its model as MODEL/FILE, such as ViT-B-32/{given}")
    stored = read_config(folder)
    try:
        config, preprocess = stored["model_cfg"], stored.get("preprocess_cfg", {})
        text = text_home(folder, config)
        bert = BertConfig.read(text / BERT) if "hf_model_name" in config["text_cfg"] else None
        source = (weights if text == folder else text / WEIGHTS).resolve()
        model = build_network(config, bert, towers.get(source))
    except (KeyError, TypeError, AttributeError, OSError, RuntimeError, json.JSONDecodeError) as error:
        raise UserError(f"{folder / CONFIG} describes no CLIP that can be built ({error}); export it again") from error
    read = _read_weights(weights)
    if source in towers:
        read |= {name: tensor for name, tensor in model.state_dict().items() if name.startswith(TOWER)}
    elif text != folder:
        read |= text_tower(text)
    _load_weights(model, read, weights)
    if bert is not None:
        towers[source] = model.text.transformer
    context = config["text_cfg"].get("context_length", 77)
    tokenise, token_count = read_tokeniser(text / TOKENIZER, context, fixed=bert is None)
    return _opened(model, tokenise, token_count, context, preprocess)


def open_name(model: str, pretrained: str, cache: str | Path | None = None) -> OpenedClip:
    """Any model that open_clip knows, with a tag (fetched once into `cache`) or a local weights file.

    Weights trained with QuickGELU, OpenAI's among them, get it though the name does not say so. No pickle is executed.
    Errors: UserError for an unknown name or tag, listing the tags there are, and when the weights cannot be had.
    """
    import_torchvision()
    import open_clip

    if open_clip.get_model_config(model) is None:
        raise UserError(f"open_clip has no model {model!r}; open_clip.list_models() names them, for example ViT-B-32")
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained not in tags and not Path(pretrained).is_file():
        raise UserError(f"{model} has no weights {pretrained!r}; give a weights file or one of: {', '.join(tags)}")
    tag = open_clip.get_pretrained_cfg(model, pretrained)
    file = fetch(tag["hf_hub"], cache) if tag.get("hf_hub") else pretrained
    quick = tag.get("quick_gelu", False)
    try:
        network = open_clip.create_model(
            model, str(file), force_quick_gelu=quick, cache_dir=cache and str(cache), require_pretrained=True
        )
    except Exception as error:  # file and shape errors share no base class
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the weights {pretrained!r} of {model} could not be opened ({reason}); give another tag or file"
        ) from error
    preprocess = open_clip.get_model_preprocess_cfg(network) | tag
    tokenizer = open_clip.get_tokenizer(model)
    return _opened(network, tokenizer, lambda text: _count(tokenizer, text), tokenizer.context_length, preprocess)


def _count(tokenizer: Any, text: str) -> int:
    if hasattr(tokenizer, "encode"):  # open_clip's byte pairs, two end marks
        return len(tokenizer.encode(text)) + 2
    return len(tokenizer.tokenizer(text)["input_ids"])


def _opened(model: nn.Module, tokenise: Any, token_count: Any, context: int, preprocess: dict[str, Any]) -> OpenedClip:
    size = model.visual.image_size
    mean, std = preprocess.get("mean", _CLIP_MEAN), preprocess.get("std", _CLIP_STD)
    size = size if isinstance(size, int) else size[0]
    return OpenedClip(model.float().eval(), tokenise, token_count, size, tuple(mean), tuple(std), context)


def read_config(folder: Path) -> dict[str, Any]:
    """What `open_clip_config.json` says.  Errors: UserError when it is not there, or no JSON."""
    path = folder / CONFIG
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read; a CLIP folder holds {CONFIG} and {WEIGHTS}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); export or download the model again") from error


def text_home(folder: Path, config: dict[str, Any]) -> Path:
    """Where the BERT and the tokenizer of a folder's CLIP lie: in the folder, or in the one beside it that it names.

    Errors: UserError for anything but the name of such a folder with both.
    """
    other = config["text_cfg"].get("tower_of")
    if other is None:
        return folder
    home = Path(os.path.abspath(folder)).parent / str(other)
    if Path(home.name) != Path(str(other)) or not all((home / file).is_file() for file in (BERT, TOKENIZER, WEIGHTS)):
        raise UserError(f"{folder} takes its text tower from '{other}': put that CLIP's folder beside it")
    return home


def text_tower(folder: Path) -> dict[str, Tensor]:
    """The weights of the BERT of a CLIP folder.  Errors: UserError when it is not there, or damaged."""
    return {name: tensor for name, tensor in _read_weights(folder / WEIGHTS).items() if name.startswith(TOWER)}


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _misfit(path, error) from error


def _load_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError as error:
        raise _misfit(path, error) from error


def _misfit(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:160]
    return UserError(f"{path} does not fit its config or is damaged ({reason}); export or download it again")


def read_tokeniser(
    path: Path, context: int, *, fixed: bool
) -> tuple[Callable[[Sequence[str]], Tensor], Callable[[str], int]]:
    """fixed: pad every text to `context` tokens, else to the longest of the batch."""
    if not path.exists():
        import open_clip

        tokenizer = open_clip.SimpleTokenizer(context_length=context)
        return tokenizer, lambda text: _count(tokenizer, text)
    from tokenizers import Tokenizer

    cut, whole = Tokenizer.from_file(str(path)), Tokenizer.from_file(str(path))
    cut.enable_truncation(context)
    cut.enable_padding(length=context if fixed else None)
    whole.no_truncation()
    whole.no_padding()

    def tokenise(texts: Sequence[str]) -> Tensor:
        return torch.tensor([encoding.ids for encoding in cut.encode_batch(list(texts))], dtype=torch.int64)

    return tokenise, lambda text: len(whole.encode(text).ids)
