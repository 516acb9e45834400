"""Webdataset shards of the user's own: tar files of pictures with .json or .txt captions under the same key.

A JSON's captions are read from `captions`, `caption` or `text`; `concept` and `licence` are kept. Pictures are read
when they are drawn, by their place in the tar, so that a large set needs no room in memory but for its captions.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from clipguide.errors import UserError
from pretrain.data.pair import MEDIA, Pair, normalise, phrase
from pretrain.data.pictures import read_bytes
from pretrain.data.sources.folder import PICTURES, UNKNOWN


def pairs(place: Path) -> Iterator[Pair]:
    """The pairs of one tar file or of all below a folder. Raises UserError where there is none, or one cannot be
    read.
    """
    shards = [place] if place.is_file() else sorted(place.rglob("*.tar"))
    if not shards:
        raise UserError(f"{place} holds no .tar shard; give a webdataset tar file or a folder of them")
    for shard in shards:
        yield from pairs_of(shard, place)


def pairs_of(shard: Path, place: Path) -> Iterator[Pair]:
    """The pairs of one shard, in its order."""
    name = shard.name if shard == place else str(shard.relative_to(place))
    for key, (texts, picture) in samples(shard).items():
        if picture is None or not texts:
            continue
        captions = captions_in(texts)
        first = next((text for told in captions.values() for text in told), "")
        medium = str(texts.get("medium", "photo"))
        yield Pair(
            image=partial(read_member, shard, *picture),
            captions=captions,
            concept=normalise(str(texts.get("concept") or first)),
            medium=medium if medium in MEDIA else "photo",
            licence=str(texts.get("licence") or texts.get("license") or UNKNOWN),
            origin=f"{name}/{key}",
            style=str(texts.get("style") or "own"),
        )


def samples(shard: Path) -> dict[str, tuple[dict[str, Any], tuple[int, int] | None]]:
    """Key -> (what its JSON and text say, place and size of its picture). Raises UserError for a file that is no
    tar.
    """
    found: dict[str, tuple[dict[str, Any], tuple[int, int] | None]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                key, _, suffix = member.name.rpartition(".")
                told, picture = found.get(key, ({}, None))
                if suffix == "json":
                    told |= json.loads(tar.extractfile(member).read())
                elif suffix == "txt":
                    told["text"] = tar.extractfile(member).read().decode("utf-8", "replace")
                elif f".{suffix}" in PICTURES:
                    picture = (member.offset_data, member.size)
                found[key] = (told, picture)
    except (tarfile.TarError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{shard} is no webdataset shard ({error}); leave it out or write it again") from error
    return found


def captions_in(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Captions by language: English from the first of the known keys, others from `languages`."""
    english = next((told[key] for key in ("captions", "caption", "text") if told.get(key)), ())
    english = [english] if isinstance(english, str) else list(english)
    captions = {"en": tuple(phrase(str(text)) for text in english if phrase(str(text)))}
    return captions | {language: tuple(texts) for language, texts in dict(told.get("languages") or {}).items()}


def read_member(shard: Path, place: int, size: int, side: int) -> Image.Image:
    """The picture of `size` bytes at `place` in a tar file."""
    with shard.open("rb") as stream:
        stream.seek(place)
        return read_bytes(stream.read(size), side)
