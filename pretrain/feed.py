"""Batches from webdataset shards: one order for a seed, resumable at any sample, bad samples skipped and counted."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipguide.errors import UserError
from pretrain.pairs import Pairs

_PICTURES = ("webp", "png", "jpg", "jpeg")


class Feed:
    """Endless batches from `folder`/*.tar, each sample a picture and a .json with "captions" and "concept".

    Shards are read in a drawn order and mixed through a buffer of undecoded samples, so that memory does not grow with
    the data. `skip` samples are passed over: a run that resumes after n steps of N pairs skips n * N and sees what it
    would have seen. `rank` of `ranks` takes every `ranks`-th sample. `skipped` counts what was unreadable, by reason.
    """

    def __init__(
        self,
        folder: str | Path,
        batch: int,
        *,
        seed: int,
        size: int = 128,
        skip: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.shards = sorted(Path(folder).glob("*.tar"))
        if not self.shards:
            raise UserError(f"{folder} holds no .tar shards; build them with: python -m pretrain data build")
        self.batch, self.seed, self.size, self.skip = batch, seed, size, skip
        self.rank, self.ranks, self.buffer = rank, ranks, 4096
        self.skipped: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Pairs]:
        chosen: list[tuple[Tensor, str, str]] = []
        for number, sample in enumerate(self._endless()):
            if number < self.skip * self.ranks or number % self.ranks != self.rank:
                continue
            decoded = decode(sample, self.size, random.Random(f"{self.seed}:{number}"), self.skipped)
            if decoded is None:
                continue
            chosen.append(decoded)
            if len(chosen) == self.batch:
                images, texts, concepts = zip(*chosen, strict=True)
                yield Pairs(torch.stack(images), texts, concepts)
                chosen = []

    def _endless(self) -> Iterator[dict[str, Any]]:
        epoch = 0
        while True:
            rng, seen = random.Random(f"{self.seed}/{epoch}"), 0
            for sample in mixed(samples(rng.sample(self.shards, len(self.shards)), self.skipped), self.buffer, rng):
                seen += 1
                yield sample
            if not seen:
                raise UserError(f"{self.shards[0].parent} has shards without one readable sample; build them again")
            epoch += 1


def samples(shards: Iterable[Path], skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """The undecoded samples of some shards, in order; a damaged shard is left where it breaks, and counted."""
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    for shard in shards:
        try:
            with open(shard, "rb") as stream:
                yield from group_by_keys(entry | {"__url__": shard.name} for entry in tar_file_iterator(stream))
        except (OSError, ValueError, tarfile.TarError) as error:
            skipped[f"shard: {type(error).__name__}"] += 1


def mixed(items: Iterable[Any], size: int, rng: random.Random) -> Iterator[Any]:
    """The items in a random order as far as a buffer of `size` allows."""
    buffer: list[Any] = []
    for item in items:
        buffer.append(item)
        if len(buffer) >= size:
            at = rng.randrange(size)
            buffer[at], buffer[-1] = buffer[-1], buffer[at]
            yield buffer.pop()
    rng.shuffle(buffer)
    yield from buffer


def decode(
    sample: dict[str, Any], size: int, rng: random.Random, skipped: Counter[str]
) -> tuple[Tensor, str, str] | None:
    """(uint8 (3, size, size), one of the English captions, concept), or None and a count of why not."""
    try:
        described = json.loads(sample["json"])
        captions = english(described)
        picture = next(sample[kind] for kind in _PICTURES if kind in sample)
        return read_picture(picture, size), rng.choice(captions), described["concept"]
    except (KeyError, IndexError, ValueError, OSError, StopIteration, TypeError) as error:
        skipped[f"sample: {type(error).__name__}"] += 1
        return None


def english(described: dict[str, Any]) -> list[str]:
    """The captions to train on, best first."""
    captions = described["captions"]
    return [captions] if isinstance(captions, str) else list(captions)


def read_picture(data: bytes, size: int) -> Tensor:
    """Encoded picture -> uint8 (3, size, size), stretched where it is not square."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
