"""Webdataset shards: tar files of pictures and JSON, the same bytes for the same content, whole or not there."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from clipguide.errors import UserError

QUALITY = 93


def encode_jpeg(picture: Image.Image) -> bytes:
    """JPEG with full chroma: small drawings live on sharp colour edges."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def write_shard(path: Path, samples: Iterable[tuple[str, Image.Image, dict[str, Any]]]) -> int:
    """Write (key, picture, description) triples as `key.jpg` and `key.json`; returns how many. Atomic."""
    return write_members(path, ((key, encode_jpeg(picture), told) for key, picture, told in samples))


def write_members(path: Path, samples: Iterable[tuple[str, bytes, dict[str, Any]]]) -> int:
    """As `write_shard`, from pictures that are encoded already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tar.part")
    count = 0
    try:
        with tarfile.open(scratch, "w", format=tarfile.USTAR_FORMAT) as tar:
            for key, data, description in samples:
                add(tar, f"{key}.jpg", data)
                add(tar, f"{key}.json", json.dumps(description, ensure_ascii=False, sort_keys=True).encode())
                count += 1
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a member without time or owner, so that equal content gives equal bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def read_shards(folder: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each (JPEG bytes, description) below a folder, in order. Raises UserError where there is no shard."""
    for shard in shards_in(folder):
        for _, data, description in read_shard(shard):
            yield data, description


def read_descriptions(folder: Path) -> Iterator[dict[str, Any]]:
    """Each description below a folder, in order. Raises UserError where there is no shard."""
    return (description for _, description in read_shards(folder))


def copy_samples(folder: Path, out: Path, chosen: Sequence[bool]) -> int:
    """Write the chosen samples, in the order of `read_shards`, to shards of the same names below `out`; returns how
    many.
    """
    flags, count = iter(chosen), 0
    for shard in shards_in(folder):
        kept = [sample for sample in read_shard(shard) if next(flags)]
        if kept:
            count += write_members(out / shard.relative_to(folder), kept)
    return count


def shards_in(folder: Path) -> list[Path]:
    """The shards below a folder, sorted. Raises UserError where there is none."""
    shards = sorted(folder.rglob("*.tar"))
    if not shards:
        raise UserError(f"{folder} holds no .tar shard; build some with `python -m pretrain data build --out {folder}`")
    return shards


def read_shard(shard: Path) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Each (key, JPEG bytes, description) of one shard. Raises UserError for a file that is no shard."""
    try:
        with tarfile.open(shard) as tar:
            members = {member.name: member for member in tar.getmembers()}
            for name in sorted(name for name in members if name.endswith(".json")):
                key = name.removesuffix(".json")
                description = json.loads(tar.extractfile(members[name]).read())
                yield key, tar.extractfile(members[f"{key}.jpg"]).read(), description
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise UserError(f"{shard} is no shard of this project ({error}); build it again") from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_bytes(content)
    os.replace(scratch, path)
