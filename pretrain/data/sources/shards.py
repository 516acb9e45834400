"""Webdataset shards of the user's own: tar files of pictures with .json or .txt captions under the same key.

A JSON's captions are read from `captions`, `caption` or `text`, those in other languages from `languages`; `concept`,
`medium`, `style` and `licence` are kept. Pictures are read when they are drawn, by their place in the tar, so that a
large set needs no room in memory but for its captions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from clipguide.errors import UserError
from pretrain.data.pair import MEDIA, Pair, concept_of, phrase
from pretrain.data.pictures import read_bytes
from pretrain.data.shards import Stored, read_place, read_shard
from pretrain.data.sources.folder import UNKNOWN


def pairs(place: Path, left_out: Counter[str]) -> Iterator[Pair]:
    """The pairs of one tar file or of all below a folder; what has no picture or no caption is counted in `left_out`.
    Raises UserError where there is no shard, or one cannot be read.
    """
    shards = [place] if place.is_file() else sorted(place.rglob("*.tar"))
    if not shards:
        raise UserError(f"{place} holds no .tar shard; give a webdataset tar file or a folder of them")
    for shard in shards:
        name = shard.name if shard == place else str(shard.relative_to(place))
        for stored in read_shard(shard, left_out):
            yield pair(stored, f"{name}/{stored.key}")


def pair(stored: Stored, origin: str) -> Pair:
    """One sample as a pair."""
    told = stored.told
    medium = told.get("medium")
    return Pair(
        image=partial(read_member, stored.shard, *stored.place),
        captions={"en": tuple(map(phrase, told["captions"])), **told["languages"]},
        concept=concept_of(told["concept"]),
        medium=medium if medium in MEDIA else "photo",
        licence=str(told.get("licence") or told.get("license") or UNKNOWN),
        origin=origin,
        style=str(told.get("style") or "own"),
    )


def read_member(shard: Path, offset: int, size: int, side: int) -> Image.Image:
    """The picture at a place in a tar file."""
    return read_bytes(read_place(shard, offset, size), side)
