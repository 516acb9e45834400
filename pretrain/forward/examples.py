"""What a feed-forward network learns from: small pictures, and CLIP's embeddings of their captions, made once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipguide.encoders import ClipEncoder
from clipguide.errors import UserError
from pretrain.data.shards import read_shards, shards_in
from pretrain.feed import english, read_picture

PICTURES, TEXTS, INDEX = "pictures.npy", "texts.npy", "index.json"
SCENES = ("scenes", "portraits", "avatars", "wallpapers")  # sources whose pictures are whole, not an object on a ground
TEXT_BATCH = 256


@dataclass(frozen=True)
class Examples:
    """pictures: uint8 (N, 3, S, S).  texts: float16 (M, D), unit norm.  captions: N lists of numbers of texts.

    whole: the numbers of those pictures that are scenes; they say what belongs where, and are drawn more often.
    """

    pictures: NDArray
    texts: NDArray
    captions: list[list[int]]
    whole: list[int]

    def draw(self, count: int, scenes: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, S, S) in [0, 1], and of each the embedding of one of its captions, (B, D)."""

        def pick(among: int) -> int:
            return int(torch.randint(among, (), generator=rng))

        chosen = []
        for dice in torch.rand(count, generator=rng).tolist():
            scene = self.whole and dice < scenes
            chosen.append(self.whole[pick(len(self.whole))] if scene else pick(len(self.captions)))
        texts = [self.captions[at][pick(len(self.captions[at]))] for at in chosen]
        pictures = torch.from_numpy(self.pictures[chosen]).float() / 255
        return pictures, torch.from_numpy(self.texts[texts]).float()


def gather(folder: Path, shards: Sequence[Path], encoder: ClipEncoder, side: int) -> Examples:
    """The examples of `folder`, which are made there from the shards if there are none.  UserError without shards."""
    if not (folder / INDEX).is_file():
        _make(folder, shards, encoder, side)
    told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    if (told["clip"], told["side"]) != (encoder.name, side):
        raise UserError(f"{folder} was made for {told['clip']} at {told['side']} px; remove it, or give another --out")
    files = (np.load(folder / name, mmap_mode="r") for name in (PICTURES, TEXTS))
    return Examples(*files, told["captions"], told["whole"])


def _make(folder: Path, shards: Sequence[Path], encoder: ClipEncoder, side: int) -> None:
    from tqdm import tqdm

    pictures, captions, whole, numbers = [], [], [], {}
    for shard in shards:
        shards_in(shard)  # refuses a wrong folder before a bar is drawn
    for shard in shards:
        for data, told in tqdm(read_shards(shard), str(shard)):
            if not (words := english(told)):
                continue
            if told.get("source") in SCENES:
                whole.append(len(pictures))
            pictures.append(read_picture(data, side).numpy())
            captions.append([numbers.setdefault(text, len(numbers)) for text in words])
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / PICTURES, np.stack(pictures))
    _save(folder / TEXTS, _embedded(list(numbers), encoder))
    told = {"clip": encoder.name, "side": side, "captions": captions, "whole": whole}
    (folder / INDEX).write_text(json.dumps(told), encoding="utf-8")  # the last one: it says that all are there


def _embedded(texts: list[str], encoder: ClipEncoder) -> NDArray:
    from tqdm import tqdm

    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # a batch is padded to its longest text
    found: list[NDArray] = [np.empty(0)] * len(texts)
    for first in tqdm(range(0, len(order), TEXT_BATCH), "texts"):
        batch = order[first : first + TEXT_BATCH]
        vectors = encoder.encode_text([texts[at] for at in batch]).half().cpu().numpy()
        for at, vector in zip(batch, vectors, strict=True):
            found[at] = vector
    return np.stack(found)


def _save(path: Path, values: NDArray) -> None:
    scratch = path.with_name(f".{path.name}")
    np.save(scratch, values)
    os.replace(scratch, path)
