"""Batches from webdataset shards: one order for a seed, resumable at any sample, bad samples skipped and counted."""

from __future__ import annotations

import io
import json
import math
import random
import tarfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipguide.errors import UserError
from pretrain.data.pictures import PICTURES, upright
from pretrain.data.shards import listed
from pretrain.pairs import Pairs

BUFFER = 4096  # undecoded samples that are mixed
AHEAD, DECODERS = 2, 4  # batches, threads
_PICTURES = tuple(suffix[1:] for suffix in PICTURES)
Sample = dict[str, Any]
Decoded = tuple[Tensor, str, str]  # uint8 (3, size, size), caption, concept


class Feed:
    """Endless batches from `folder`/*.tar, each sample a picture and a .json with "captions" and "concept".

    Shards are read in a drawn order and mixed through a buffer of undecoded samples, so that memory does not grow with
    the data. Threads read and decode the next batches while one is trained on. Of n * `batch` samples in order, batch n
    takes its own: what cannot be read is counted in `skipped`, by reason, and the batch repeats others of its samples
    instead. `skip` samples are passed over: a run that resumes after n steps of N pairs skips n * N and sees what it
    would have seen. `rank` of `ranks` takes every `ranks`-th sample.

    Errors: UserError without shards, for less data than one batch, and for a batch without one readable sample.
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
        self.folder, self.shards = folder, sorted(Path(folder).glob("*.tar"))
        if not self.shards:
            raise UserError(f"{folder} holds no .tar shards; build them with: python -m pretrain data build")
        self.batch, self.seed, self.size, self.skip = batch, seed, size, skip
        self.rank, self.ranks = rank, ranks
        self.skipped: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Pairs]:
        windows = self._windows()
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(DECODERS) as decoders:

            def read() -> list[Future[tuple[Decoded | None, Counter[str]]]]:
                return [decoders.submit(self._decode, *numbered) for numbered in next(windows)]

            ahead = deque(reader.submit(read) for _ in range(AHEAD))
            while True:
                decoded = [future.result() for future in ahead.popleft().result()]
                ahead.append(reader.submit(read))
                yield self._batch(decoded)

    def _windows(self) -> Iterator[list[tuple[int, Sample]]]:
        """The numbered, undecoded samples of this process, a batch at a time."""
        window: list[tuple[int, Sample]] = []
        for number, sample in enumerate(self._endless()):
            if number < self.skip * self.ranks or number % self.ranks != self.rank:
                continue
            window.append((number, sample))
            if len(window) == self.batch:
                yield window
                window = []

    def _decode(self, number: int, sample: Sample) -> tuple[Decoded | None, Counter[str]]:
        skipped: Counter[str] = Counter()
        return decode(sample, self.size, random.Random(f"{self.seed}:{number}"), skipped), skipped

    def _batch(self, decoded: list[tuple[Decoded | None, Counter[str]]]) -> Pairs:
        reasons = sum((skipped for _, skipped in decoded), Counter())
        self.skipped += reasons
        good = [pair for pair, _ in decoded if pair is not None]
        if not good:
            told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            raise UserError(
                f"{self.folder}: none of {len(decoded)} samples can be used ({told}); build the shards again"
            )
        images, texts, concepts = zip(*islice(cycle(good), self.batch), strict=True)
        return Pairs(torch.stack(images), texts, concepts)

    def _endless(self) -> Iterator[Sample]:
        epoch = 0
        while True:
            rng, seen = random.Random(f"{self.seed}/{epoch}"), 0
            for sample in mixed(samples(rng.sample(self.shards, len(self.shards)), self.skipped), BUFFER, rng):
                seen += 1
                yield sample
            if not seen:
                faults = f" ({', '.join(self.skipped)})" if self.skipped else ""
                raise UserError(f"{self.folder} has shards without one readable sample{faults}; build them again")
            if seen < self.batch * self.ranks:
                whole = f"{self.batch} pairs" + (f" for each of {self.ranks} processes" if self.ranks > 1 else "")
                raise UserError(f"{self.folder} holds {seen} pairs, a batch takes {whole}; give a smaller --batch")
            epoch += 1


def decode_side(views: Sequence[int]) -> int:
    """The side to decode pictures at for square views of those sides, which show a part of each: 128 px or more."""
    return max(128, math.ceil(max(views) * 8 / 7))


def samples(shards: Iterable[Path], skipped: Counter[str]) -> Iterator[Sample]:
    """The undecoded samples of some shards, in order; a damaged shard is left where it breaks, and counted."""
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    for shard in shards:
        try:
            with open(shard, "rb") as stream:
                yield from group_by_keys(entry | {"__url__": shard.name} for entry in tar_file_iterator(stream))
        except (OSError, ValueError, tarfile.TarError) as error:
            skipped[f"damaged shard {shard.name} ({type(error).__name__})"] = 1  # however often it is read again


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


def decode(sample: Sample, size: int, rng: random.Random, skipped: Counter[str]) -> Decoded | None:
    """The picture, one of the English captions and the concept, or None and a count of why not."""
    try:
        described = json.loads(sample["json"])
        captions, concept = english(described), described["concept"]
    except (KeyError, ValueError, TypeError):
        skipped["without a .json that has captions and a concept"] += 1
        return None
    if not captions:
        skipped["without a caption"] += 1
        return None
    kind = next((kind for kind in _PICTURES if kind in sample), None)
    try:
        return read_picture(sample[kind], size), rng.choice(captions), concept
    except (KeyError, ValueError, OSError):
        skipped["without a readable picture" if kind else f"without a picture ({', '.join(_PICTURES)})"] += 1
        return None


def english(described: dict[str, Any]) -> list[str]:
    """The captions to train on, best first; blank ones are none."""
    return list(listed(described["captions"]))


def read_picture(data: bytes, size: int) -> Tensor:
    """Encoded picture -> uint8 (3, size, size), upright, stretched where it is not square."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        picture = upright(opened).convert("RGB")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    # by numpy: torch would start a team of threads for so small a copy, in each of the threads that decode
    return torch.from_numpy(np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1)))
