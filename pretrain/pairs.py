"""A batch of pairs, and what is remembered of texts: all the trainer knows of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """images: uint8 (N, 3, H, W); texts: one caption each; concepts: equal where picture and text fit."""

    images: Tensor
    texts: tuple[str, ...]
    concepts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


class TextCache:
    """Vectors of a locked text tower, computed once per caption; forgets everything at `limit` captions."""

    def __init__(self, embed: Callable[[Sequence[str]], Tensor], limit: int = 300_000) -> None:
        self._embed, self._limit, self._known = embed, limit, {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(N, hidden) float32, as `embed` gives them."""
        new = sorted({text for text in texts if text not in self._known})
        if len(self._known) + len(new) > self._limit:
            self._known, new = {}, sorted(set(texts))
        if new:
            self._known.update(zip(new, self._embed(new).half(), strict=True))
        return torch.stack([self._known[text] for text in texts]).float()


@dataclass
class Bank:
    """The last `size` text vectors and their concepts: further negatives, exact because the text tower is locked."""

    size: int
    vectors: Tensor = field(default_factory=lambda: torch.empty(0))
    concepts: list[str] = field(default_factory=list)

    def push(self, vectors: Tensor, concepts: Sequence[str]) -> None:
        if self.size == 0:
            return
        kept = self.vectors.new_empty(0, vectors.shape[1]) if not len(self.concepts) else self.vectors
        self.vectors = torch.cat([kept, vectors])[-self.size :]
        self.concepts = [*self.concepts, *concepts][-self.size :]


def fitting(images: Sequence[str], texts: Sequence[str]) -> Tensor:
    """Concepts of N images and M texts -> (N, M) bool, True where they are the same."""
    number = {concept: i for i, concept in enumerate(dict.fromkeys([*images, *texts]))}
    return torch.tensor([number[c] for c in images])[:, None] == torch.tensor([number[c] for c in texts])[None]
