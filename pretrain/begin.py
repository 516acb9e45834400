"""`python -m pretrain begin`: a CLIP of a named size to train, untrained or with pretrained weights.

Its vocabulary is learned from the captions of --shards, or is CLIP's own without them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from clipguide.errors import UserError
from clipguide.models.clip import CONFIG, TOKENIZER, build_network
from pretrain.arguments import Parser
from pretrain.configs import PREPROCESS, model_config
from pretrain.feed import english, samples
from pretrain.models import write_folder
from pretrain.pretrained import read_bert, read_image_weights, whole_clip, with_bert

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CLIPS_OWN = 49408  # tokens of CLIP's own vocabulary


def learn_vocabulary(texts: Iterable[str], size: int) -> Tokenizer:
    """Lower-case byte pairs between a start and an end mark; padding is 0 and the end mark the highest id.

    CLIP reads a text's feature at the highest id. size: how many ids there are at most.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size - 2, special_tokens=["<pad>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(["<start>", "<end>"])
    marks = [(mark, tokenizer.token_to_id(mark)) for mark in ("<start>", "<end>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=marks)
    return tokenizer


def captions(shards: Path) -> Iterator[str]:
    """Every English caption of the shards in a folder.  Errors: UserError when there is none."""
    found = sorted(shards.glob("*.tar"))
    if not found:
        raise UserError(f"{shards} holds no .tar shards; build them with: python -m pretrain data build")
    skipped: Counter[str] = Counter()
    read = 0
    for sample in samples(found, skipped):
        try:
            texts = english(json.loads(sample["json"]))
        except (KeyError, ValueError, TypeError):
            skipped["without a .json that has captions"] += 1
            continue
        read += len(texts)
        yield from texts
    told = ", ".join(f"{count} {reason}" for reason, count in skipped.most_common()) or "no captions"
    if not read:
        raise UserError(f"{shards} has no caption to learn words from ({told}); build the shards again")
    if skipped:
        print(f"skipped: {told}")


def pretrained_clip(config: dict[str, Any], options: argparse.Namespace) -> tuple[nn.Module, dict, dict]:
    """(CLIP, its `model_cfg`, its `preprocess_cfg`): towers with the weights that were named, the rest untrained."""
    bert, preprocess = None, PREPROCESS
    if options.text_weights:
        config, bert = with_bert(config, options.text_weights)
    torch.manual_seed(options.seed)
    model = build_network(config, bert)
    if options.image_weights:
        name = config["vision_cfg"]["timm_model_name"]
        preprocess = PREPROCESS | read_image_weights(model.visual.trunk, name, options.image_weights)
    if bert is not None:
        read_bert(model.text.transformer, options.text_weights)
    return model, config, preprocess


def check(config: dict[str, Any], options: argparse.Namespace) -> None:
    """UserError for what does not go together."""
    text = config["text_cfg"]
    if (options.out / CONFIG).exists():
        raise UserError(f"{options.out} holds a CLIP already; give another --out")
    if options.weights and (options.shards or options.image_weights or options.text_weights):
        raise UserError("--weights are those of a whole CLIP with its vocabulary; leave out --shards and other weights")
    if options.text_weights and options.shards:
        raise UserError("--text-weights come with their own vocabulary; leave --shards out")
    if options.image_weights and "timm_model_name" not in config["vision_cfg"]:
        raise UserError(f"--image-weights are timm's, and {options.config} has no tower of timm's; try convnext_tiny")
    if options.weights or options.text_weights:
        return
    if "hf_model_name" in text:
        command = {"clip-mini": "align", "clip-mini-b": "align-pairs"}.get(options.config)
        other = f"start it with: python -m pretrain {command}" if command else "give a BERT with --text-weights FOLDER"
        raise UserError(f"{options.config} begins with a pretrained text tower; {other}")
    if not options.shards and text.get("vocab_size", CLIPS_OWN) < CLIPS_OWN:
        raise UserError(f"{options.config} knows {text['vocab_size']} tokens, CLIP's own {CLIPS_OWN}; give --shards")


def make_parser() -> Parser:
    parser = Parser(prog="python -m pretrain begin", description=__doc__)
    parser.add_argument("--config", required=True, help="a model of open_clip's, such as ViT-S-32-alt")
    parser.add_argument("--shards", type=Path, help="folder of shards whose captions are learned; CLIP's own without")
    parser.add_argument("--out", type=Path, required=True, help="CLIP folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of what is untrained")
    weights = parser.add_argument_group("pretrained weights")
    weights.add_argument("--weights", metavar="TAG_OR_FILE", help="of the whole CLIP: open_clip's, such as openai")
    weights.add_argument("--image-weights", metavar="TAG_OR_FILE", help="of an image tower of timm's, by timm's names")
    weights.add_argument(
        "--text-weights", metavar="FOLDER", type=Path, help="a BERT of transformers' in place of the text tower"
    )
    return parser


def main(arguments: list[str]) -> int:
    options = make_parser().parse_args(arguments)
    config = model_config(options.config)
    check(config, options)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = options.text_weights / TOKENIZER if options.text_weights else None
        if options.shards:
            tokenizer = Path(scratch, TOKENIZER)
            learn_vocabulary(captions(options.shards), config["text_cfg"]["vocab_size"]).save(str(tokenizer))
        if options.weights:
            model, config, preprocess = whole_clip(options.config, options.weights)
        else:
            model, config, preprocess = pretrained_clip(config, options)
        write_folder(options.out, model, config, preprocess, tokenizer)
    count = sum(p.numel() for p in model.parameters())
    named = {"the CLIP": options.weights, "its image": options.image_weights, "its text": options.text_weights}
    told = [f"{what} from {where}" for what, where in named.items() if where] or ["untrained"]
    print(f"{options.out}: {count / 1e6:.1f} million weights, {', '.join(told)}")
    return 0
