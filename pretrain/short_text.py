"""A MiniLM with fewer layers and fewer words: the text tower of clip-mini-b.

Words that are left out are still understood by their pieces: WordPiece takes the longest piece it has, and every
letter stays. Layers are taken at even distances, the last among them, and trained to give the whole network's vectors.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pretrain import vocabulary
from pretrain.distil_text import distil

BATCH = 64
Tokenise = Callable[[Sequence[str]], Tensor]


def choose_pieces(stored: Mapping[str, Any], texts: Sequence[str], most: int) -> list[int]:
    """The ids to keep, in order: special ones, ASCII letters, what the cut of the texts uses, then what stands first.

    BERT's vocabulary has its most frequent words first, so the last part is everyday English.
    """
    vocab = stored["model"]["vocab"]
    special = [token["id"] for token in stored["added_tokens"]]
    letters = [number for piece, number in vocab.items() if len(piece.removeprefix("##")) == 1 and piece.isascii()]
    uses: Counter[int] = Counter()
    for encoding in vocabulary.opened(stored).encode_batch(list(texts), add_special_tokens=False):
        uses.update(set(encoding.ids))
    used = [number for number, _ in uses.most_common()]
    common = [number for piece, number in vocab.items() if piece.isascii() and not piece.startswith("[unused")]
    return sorted(list(dict.fromkeys([*special, *letters, *used, *sorted(common)]))[:most])


def with_pieces(stored: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """The tokenizer.json whose vocabulary holds only these ids, numbered anew from 0 in their order."""
    stored, number = copy.deepcopy(dict(stored)), {old: new for new, old in enumerate(kept)}
    vocab = stored["model"]["vocab"]
    stored["model"]["vocab"] = {piece: number[old] for piece, old in vocab.items() if old in number}
    for token in stored["added_tokens"]:
        token["id"] = number[token["id"]]
    for mark in stored["post_processor"]["special_tokens"].values():
        mark["ids"] = [number[old] for old in mark["ids"]]
    return stored


def shorten(text: nn.Module, kept: Sequence[int], layers: int, positions: int) -> None:
    """Keeps these rows of a BertText's words, so many layers, and its first positions, in place."""
    embeddings, encoder = text.transformer.embeddings, text.transformer.encoder
    words = embeddings.word_embeddings.weight.detach()[list(kept)]
    embeddings.word_embeddings = nn.Embedding.from_pretrained(words, freeze=False)
    places = embeddings.position_embeddings.weight.detach()[:positions]
    embeddings.position_embeddings = nn.Embedding.from_pretrained(places.clone(), freeze=False)
    last = len(encoder.layer) - 1
    chosen = [last * at // (layers - 1) for at in range(layers)] if layers > 1 else [last]
    encoder.layer = nn.ModuleList(encoder.layer[at] for at in chosen)
    text.config = replace(
        text.config, vocab_size=len(words), num_hidden_layers=layers, max_position_embeddings=len(places)
    )
    text.vocab_size, text.context_length = len(words), len(places)


def learn(
    short: nn.Module,
    cut: Tokenise,
    whole: nn.Module,
    tokenise: Tokenise,
    texts: Sequence[str],
    seconds: float,
    told: Callable[[str], None],
    lr: float = 3e-4,
    seed: int = 0,
) -> None:
    """Trains a shortened BertText for so many seconds to give the pooled vectors of the whole one, in place.

    cut, tokenise: texts to the tokens of the short and of the whole one.
    """
    short.requires_grad_(True)
    optimiser = torch.optim.AdamW(short.transformer.parameters(), lr=lr, weight_decay=0.0)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for part in endless(texts, seed):
            with torch.no_grad():
                target = whole.pool(tokenise(part))
            yield cut(part), target

    distil(short, optimiser, batches(), seconds, told)
    short.requires_grad_(False)


def endless(texts: Sequence[str], seed: int) -> Iterator[list[str]]:
    """Batches of texts alike in length, in a drawn order, for ever."""
    order = sorted(texts, key=len)
    groups = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    dice = random.Random(seed)
    while True:
        yield from dice.sample(groups, len(groups))
