"""Webdataset shards: tar files of pictures with .json or .txt under the same key. Written whole or not at all, the
same bytes for the same content; read as this project and as others write them.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from clipguide.errors import UserError
from pretrain.data.pair import concept_of, phrase
from pretrain.data.pictures import PICTURES

QUALITY = 93
Place = tuple[int, int]  # where in a tar file, and how many bytes


@dataclass(slots=True)
class Stored:
    """One sample of a shard: what is told of it (see `described`), and the places of its members by suffix."""

    shard: Path
    key: str
    told: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Place] = field(default_factory=dict)

    @property
    def place(self) -> Place | None:
        """Where its picture lies."""
        return next((place for suffix, place in self.members.items() if f".{suffix.lower()}" in PICTURES), None)

    def picture(self) -> bytes:
        """The encoded picture."""
        return read_place(self.shard, *self.place)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Its members by name, the picture before its words."""
        for suffix, place in sorted(self.members.items(), key=lambda member: member[1] != self.place):
            yield f"{self.key}.{suffix}", read_place(self.shard, *place)


def encode_jpeg(picture: Image.Image) -> bytes:
    """JPEG with full chroma: small drawings live on sharp colour edges."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def write_shard(path: Path, samples: Iterable[tuple[str, Image.Image, dict[str, Any]]]) -> int:
    """Write (key, picture, description) triples as `key.jpg` and `key.json`; returns how many. Atomic."""
    return write_members(path, encoded(samples)) // 2


def encoded(samples: Iterable[tuple[str, Image.Image, dict[str, Any]]]) -> Iterator[tuple[str, bytes]]:
    """Samples as the members of a tar file, by name."""
    for key, picture, told in samples:
        yield f"{key}.jpg", encode_jpeg(picture)
        yield f"{key}.json", json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


def write_members(path: Path, members: Iterable[tuple[str, bytes]]) -> int:
    """Write (name, content) pairs as a tar file; returns how many. Atomic; without one there is no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tar.part")
    count = 0
    try:
        with tarfile.open(scratch, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, data in members:
                add(tar, name, data)
                count += 1
        if count:
            os.replace(scratch, path)
        else:
            path.unlink(missing_ok=True)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a member without time or owner, so that equal content gives equal bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def copy_samples(folder: Path, out: Path, chosen: Sequence[bool]) -> int:
    """Write the chosen samples, in the order of `read_folder`, to shards of the same names below `out`, with the bytes
    that they have; returns how many.
    """
    flags, count = iter(chosen), 0
    for shard in shards_in(folder):
        kept = [sample for sample in read_shard(shard) if next(flags)]
        if kept:
            write_members(out / shard.relative_to(folder), chain.from_iterable(map(Stored.contents, kept)))
            count += len(kept)
    return count


def read_shards(folder: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each (encoded picture, description) below a folder, in order. Raises UserError where there is no shard."""
    return ((sample.picture(), sample.told) for sample in read_folder(folder))


def read_descriptions(folder: Path) -> Iterator[dict[str, Any]]:
    """Each description below a folder, in order. Raises UserError where there is no shard."""
    return (sample.told for sample in read_folder(folder))


def read_folder(folder: Path, left_out: Counter[str] | None = None) -> Iterator[Stored]:
    """The samples of all shards below a folder, as `read_shard` gives them. Raises UserError where there is none."""
    return (sample for shard in shards_in(folder) for sample in read_shard(shard, left_out))


def shards_in(folder: Path) -> list[Path]:
    """The shards below a folder, sorted. Raises UserError where there is none."""
    shards = sorted(folder.rglob("*.tar"))
    if not shards:
        raise UserError(f"{folder} holds no .tar shard; build some with `python -m pretrain data build --out {folder}`")
    return shards


def read_shard(shard: Path, left_out: Counter[str] | None = None) -> Iterator[Stored]:
    """The samples of one shard that have a picture and a caption, in the order of their keys; the others are counted
    in `left_out`, by reason. Pictures stay in the file until they are read.

    Raises UserError for a file that is no tar, and for a .json that is no JSON object.
    """
    try:
        found = index(shard)
    except (OSError, tarfile.TarError, ValueError, TypeError) as error:
        raise UserError(f"{shard} is no webdataset shard ({error}); leave it out or write it again") from error
    for key in sorted(found):
        sample = found[key]
        sample.told = described(sample.told)
        lacking = "picture" if sample.place is None else "caption" if not sample.told["captions"] else ""
        if not lacking:
            yield sample
        elif left_out is not None:
            left_out[f"without a {lacking}"] += 1


def index(shard: Path) -> dict[str, Stored]:
    """All samples by key: members of one name up to its last dot. What is told is what their .json and .txt say."""
    found: dict[str, Stored] = {}
    with tarfile.open(shard, "r:") as tar:
        for member in (member for member in tar if member.isfile()):
            key, _, suffix = member.name.rpartition(".")
            sample = found.setdefault(key, Stored(shard, key))
            sample.members[suffix] = member.offset_data, member.size
            if suffix == "json":
                sample.told |= dict(json.loads(tar.extractfile(member).read()))
            elif suffix == "txt":
                sample.told["text"] = tar.extractfile(member).read().decode("utf-8", "replace")
    return found


def described(told: Mapping[str, Any]) -> dict[str, Any]:
    """A description as this project writes it: `captions` in English, `languages` with theirs, and a `concept`, which
    is the first caption where none is told.
    """
    captions = captions_in(told)
    english = captions.pop("en")
    concept = told.get("concept") or (concept_of(english[0]) if english else "")
    return {**told, "captions": list(english), "languages": captions, "concept": str(concept)}


def captions_in(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Captions by language, without blank ones: English from the first of `captions`, `caption` and `text` that says
    something, the others from `languages`.
    """
    english = next((texts for key in ("captions", "caption", "text") if (texts := listed(told.get(key)))), ())
    languages = told.get("languages")
    others = {name: listed(texts) for name, texts in languages.items()} if isinstance(languages, Mapping) else {}
    return {"en": english} | {name: texts for name, texts in others.items() if texts}


def listed(texts: Any) -> tuple[str, ...]:
    """One text or several, as several; what is no text is left out."""
    several = (texts,) if isinstance(texts, str) else texts if isinstance(texts, (list, tuple)) else ()
    return tuple(text for text in several if isinstance(text, str) and phrase(text))


def read_place(file: Path, offset: int, size: int) -> bytes:
    """Some bytes of a file."""
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_bytes(content)
    os.replace(scratch, path)
