"""New word embeddings beside the old ones of a BERT, and how they begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretrain import vocabulary


class GrownEmbedding(nn.Module):
    """Word embeddings whose first rows are fixed and whose later ones are trained."""

    def __init__(self, old: Tensor, new: Tensor) -> None:
        super().__init__()
        self.old = nn.Parameter(old, requires_grad=False)
        self.new = nn.Parameter(new)

    def forward(self, tokens: Tensor) -> Tensor:
        count = len(self.old)
        old = F.embedding(tokens.clamp(max=count - 1), self.old)
        new = F.embedding((tokens - count).clamp(min=0), self.new, sparse=True)
        return torch.where((tokens < count)[..., None], old, new)


def grow(text: nn.Module, rows: Tensor) -> None:
    """Gives a BertText further word embeddings, in place."""
    embeddings = text.transformer.embeddings
    embeddings.word_embeddings = GrownEmbedding(embeddings.word_embeddings.weight.detach(), rows)


def settle(text: nn.Module) -> None:
    """Makes one table of old and new rows again, in place."""
    grown = text.transformer.embeddings.word_embeddings
    weight = torch.cat([grown.old, grown.new]).detach()
    text.transformer.embeddings.word_embeddings = nn.Embedding.from_pretrained(weight)
    text.config, text.vocab_size = replace(text.config, vocab_size=len(weight)), len(weight)


def first_rows(
    old: Tensor, stored: Mapping[str, Any], words: Sequence[str], labels: Sequence[tuple[str, str]]
) -> Tensor:
    """(len(words), hidden): a row is the mean of the English rows aligned with it, of their length; else the mean row.

    labels: (foreign, English) texts of one meaning; stored: the tokenizer.json that has the words.
    """
    tokenizer = vocabulary.opened(stored)

    def cut(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    foreign, english = (cut(side) for side in zip(*labels, strict=True))
    table = vocabulary.translations(list(zip(foreign, english, strict=True)))
    rows = old.mean(0).repeat(len(words), 1)
    for at in range(len(words)):
        likely = {piece: share for piece, share in table.get(len(old) + at, {}).items() if share > 0.05}
        if likely:
            pieces, shares = torch.tensor(list(likely)), torch.tensor(list(likely.values()))
            row = (old[pieces] * shares[:, None]).sum(0)
            rows[at] = row * old[pieces].norm(dim=1).mean() / row.norm()
    return rows
