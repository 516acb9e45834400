"""`python -m pretrain multilingual`: other languages for a CLIP with an English BERT, by new rows of word embeddings.

The vocabulary gets whole words of multilingual labels; only their rows are trained, so that the text tower's pooled
vector of a foreign label approaches that of its English label (Reimers and Gurevych 2020, arXiv 2004.09813, who train
the whole student). We leave the paper in that no old weight moves: English texts keep their cut and their vectors to
the last bit, and the image tower's training needs no repetition. A row begins as the mean of the English rows that an
alignment of the labels' words gives it.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipguide.errors import UserError
from clipguide.models.clip import CONFIG, TOKENIZER, OpenedClip, open_folder, read_tokeniser
from clipguide.ops.vision_import import import_torchvision
from pretrain import vocabulary
from pretrain.arguments import Parser
from pretrain.data.packages import default_cache
from pretrain.data.pair import phrase
from pretrain.data.sources import load
from pretrain.data.split import side_of_concept
from pretrain.distil_text import distil
from pretrain.grown import first_rows, grow, settle
from pretrain.models import embed_texts, refuse_shared_text, write_folder

LANGUAGES = ("ja", "zh", "de", "es", "fr", "it", "pt", "ru", "ko")
SOURCES = ("emoji", "stamps")
ROWS = "embeddings.word_embeddings.weight"
BATCH, MOST_TOKENS = 64, 12


@dataclass(frozen=True, slots=True)
class Label:
    """One label in one language beside its English form."""

    language: str
    text: str
    english: str


def read_labels(cache: Path, languages: Sequence[str] = LANGUAGES) -> list[Label]:
    """The labels of the emoji and stamps whose concepts are not of the test split, each once for a language."""
    found: dict[Label, None] = {}
    for source in SOURCES:
        for pair in load(source).pairs(cache):
            if side_of_concept(pair.concept) == "test":
                continue
            english = phrase(pair.captions["en"][0])
            for code, captions in pair.captions.items():
                language = spoken(code)
                if language in languages:
                    found |= {Label(language, phrase(text), english): None for text in captions if phrase(text)}
    return list(found)


def spoken(code: str) -> str:
    """The language of a code with a country: pt-br is pt and zh-cn is zh; Chinese in traditional signs is zh-hant."""
    return "zh-hant" if code in ("zh-tw", "zh-hk", "zh-hant") else code.split("-")[0]


def english_texts(labels: Sequence[Label]) -> list[str]:
    """What must be cut as before: the labels' English, and the names and glosses of 22 thousand WordNet nouns."""
    import_torchvision()
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-22k")
    glosses = [info.index_to_description(index, detailed=True) for index in range(info.num_classes())]
    return list(dict.fromkeys([*(label.english for label in labels), *glosses]))


def endless(
    labels: Sequence[Label], english: dict[str, Tensor], tokenise: Callable[[Sequence[str]], Tensor], seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of labels alike in length, in a drawn order, for ever; sentences are left out, for they cost most."""
    lengths = {label: len(tokenise([label.text])[0]) for label in labels}
    order = sorted((label for label in labels if lengths[label] <= MOST_TOKENS), key=lengths.get)
    groups = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    dice = random.Random(seed)
    while True:
        for group in dice.sample(groups, len(groups)):
            yield tokenise([label.text for label in group]), torch.stack([english[label.english] for label in group])


def learn(opened: OpenedClip, stored: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Gives the opened CLIP trained rows, in place; returns its new tokenizer.json."""
    text = opened.model.text
    labels = read_labels(options.cache)
    by_language = {name: [label.text for label in labels if label.language == name] for name in LANGUAGES}
    runs = vocabulary.split_scripts(stored)
    words = vocabulary.choose_words(runs, by_language, english_texts(labels), options.words)
    grown = vocabulary.with_words(runs, words)
    old = text.transformer.embeddings.word_embeddings.weight.detach()
    print(
        f"{len(labels)} labels {dict(Counter(label.language for label in labels))}, {len(words)} new words", flush=True
    )
    english = sorted({label.english for label in labels})
    targets = dict(zip(english, embed_texts(opened.model, opened.tokenise, english), strict=True))
    grow(text, first_rows(old, grown, words, [(label.text, label.english) for label in labels]))
    tokenise = tokeniser(grown, opened.context_length)
    text.requires_grad_(False)
    rows = text.transformer.embeddings.word_embeddings.new.requires_grad_()
    optimiser = torch.optim.SparseAdam([rows], lr=options.lr)
    distil(text, optimiser, endless(labels, targets, tokenise, options.seed), options.minutes * 60, show)
    settle(text)
    return grown


def reuse(opened: OpenedClip, source: Path) -> dict[str, Any]:
    """Gives the opened CLIP the further rows of another folder, in place; returns that folder's tokenizer.json.

    Errors: UserError where the two text towers differ, for rows fit only the tower they were trained for.
    """
    other = open_folder(source)
    mine, theirs = opened.model.text.transformer.state_dict(), other.model.text.transformer.state_dict()
    count = len(mine[ROWS])
    theirs_now = theirs | {ROWS: theirs[ROWS][:count]}
    if mine.keys() != theirs.keys() or not all(torch.equal(mine[name], theirs_now[name]) for name in mine):
        raise UserError(
            f"{source} has another text tower; its rows fit none but its own: train new ones without --rows"
        )
    grow(opened.model.text, theirs[ROWS][count:])
    settle(opened.model.text)
    return json.loads((source / TOKENIZER).read_text(encoding="utf-8"))


def tokeniser(stored: dict[str, Any], context: int) -> Callable[[Sequence[str]], Tensor]:
    """Texts to padded tokens by a tokenizer.json that lies in no file yet."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, TOKENIZER)
        file.write_text(json.dumps(stored), encoding="utf-8")
        return read_tokeniser(file, context, fixed=False)[0]


def write(folder: Path, opened: OpenedClip, start: Path, stored: dict[str, Any]) -> None:
    """The start's folder with the new rows and the new vocabulary."""
    config = json.loads((start / CONFIG).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, TOKENIZER)
        file.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        write_folder(folder, opened.model, config["model_cfg"], config["preprocess_cfg"], file)


def show(line: str) -> None:
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain multilingual", description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=Path, required=True, help="CLIP folder whose text tower is a BERT")
    parser.add_argument("--out", type=Path, required=True, help="CLIP folder to write")
    parser.add_argument("--rows", type=Path, help="take the rows of this folder instead of training any")
    parser.add_argument("--words", type=int, default=12_000, help="new rows at most, 768 bytes each")
    parser.add_argument("--minutes", type=float, default=10, help="of training")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where `data fetch` keeps the sources")
    options = parser.parse_args(arguments)
    opened = open_folder(options.start)
    for folder in filter(None, (options.start, options.rows)):
        refuse_shared_text(folder)
    if not hasattr(opened.model, "text") or not hasattr(opened.model.text, "pool"):
        raise UserError(f"{options.start} has no BERT as its text tower; start from clip-mini or another of `align`")
    stored = json.loads((options.start / TOKENIZER).read_text(encoding="utf-8"))
    if stored["model"]["type"] != "WordPiece":
        raise UserError(
            f"{options.start / TOKENIZER} holds {stored['model']['type']}; only WordPiece can get more words"
        )
    grown = reuse(opened, options.rows) if options.rows else learn(opened, stored, options)
    write(options.out, opened, options.start, grown)
    print(f"{options.out}: {opened.model.text.vocab_size} word embeddings")
    return 0
