"""`python -m pretrain begin`: an untrained CLIP of a named size, its vocabulary learned from the captions of shards."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from clipguide.errors import UserError
from clipguide.models.clip import TOKENIZER, build_network
from pretrain.configs import PREPROCESS, model_config
from pretrain.feed import english, samples
from pretrain.models import write_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer


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
    """Every English caption of the shards in a folder."""
    found = sorted(shards.glob("*.tar"))
    if not found:
        raise UserError(f"{shards} holds no .tar shards; build them with: python -m pretrain data build")
    for sample in samples(found, Counter()):
        if "json" in sample:
            yield from english(json.loads(sample["json"]))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pretrain begin", description=__doc__)
    parser.add_argument("--config", required=True, help="a model of open_clip's, such as ViT-S-32-alt")
    parser.add_argument("--shards", type=Path, required=True, help="folder of shards whose captions are learned")
    parser.add_argument("--out", type=Path, required=True, help="CLIP folder to write")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    config = model_config(options.config)
    if "hf_model_name" in config["text_cfg"]:
        command = {"clip-mini": "align", "clip-mini-b": "align-pairs"}[options.config]
        raise UserError(f"{options.config} begins with pretrained towers; start it with: python -m pretrain {command}")
    tokenizer = learn_vocabulary(captions(options.shards), config["text_cfg"]["vocab_size"])
    torch.manual_seed(options.seed)
    model = build_network(config)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(options.out / TOKENIZER))
    write_folder(options.out, model, config, PREPROCESS, None)
    count = sum(p.numel() for p in model.parameters())
    print(f"{options.out}: {count / 1e6:.1f} million weights, {tokenizer.get_vocab_size()} tokens, untrained")
    return 0
