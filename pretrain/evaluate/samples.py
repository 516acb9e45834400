"""The pictures that suites measure on: shards of this project, or a folder with a folder of pictures for each class."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clipguide.errors import UserError
from clipguide.images import eight_bit
from pretrain.data.pictures import PICTURES
from pretrain.data.shards import read_place, read_shard

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture. key: unique; read(): its encoded bytes; concept: its class; captions: by language, best first."""

    key: str
    read: Callable[[], bytes]
    concept: str
    captions: dict[str, Sequence[str]]
    task: str = ""
    style: str = ""
    medium: str = ""
    source: str = ""


def split_folder(shards: Path, side: str) -> Path:
    """The folder of one split. shards: what `python -m pretrain data build` wrote, or the folder of one split of it."""
    for root in (shards, shards.parent):
        if (root / side).is_dir() and (root == shards or shards.name in SPLITS):
            return root / side
    if side == "test" and any(shards.glob("*.tar")):
        return shards
    raise UserError(f"{shards} has no {side} split; give --shards the folder of `python -m pretrain data build`")


def read_split(shards: Path, side: str, tasks: Sequence[str] = ()) -> list[Sample]:
    """The samples of a split in a fixed order, of some tasks or of all. Errors: UserError for a folder without them."""
    folder = split_folder(shards, side)
    files = sorted(folder.glob("*.tar"))
    if not files:
        raise UserError(f"{folder} holds no .tar shard; build some with `python -m pretrain data build`")
    found = [sample for file in files for sample in read_index(file)]
    kept = [sample for sample in found if not tasks or sample.task in tasks]
    if not kept:
        known = ", ".join(sorted({sample.task for sample in found})) or "none"
        raise UserError(f"{folder} has no sample of {', '.join(tasks) or 'any task'}; its tasks: {known}")
    return kept


def held_style(shards: Path) -> list[Sample]:
    """The test pictures in the style that was never trained on.  Errors: UserError for shards without one."""
    found = [sample for sample in read_split(shards, "test") if sample.task == "style"]
    if not found:
        raise UserError(
            f"{shards} has no held-out style, which this suite tests on; give --images with pictures by class"
        )
    return found


def read_index(shard: Path) -> Iterator[Sample]:
    """The samples of one shard; their pictures stay in the file until they are read."""
    for stored in read_shard(shard):
        told = stored.told
        captions = {"en": tuple(told["captions"])} | told["languages"]
        rest = {name: str(told.get(name) or "") for name in ("task", "style", "medium", "source")}
        key = f"{told.get('task')}/{told.get('id') or stored.key}"
        yield Sample(key, partial(read_place, shard, *stored.place), told["concept"], captions, **rest)


def read_classes(folder: Path) -> list[Sample]:
    """A folder of class folders, in the order of their names. concept: the class folder's name.

    Errors: UserError where there is no class folder or one is empty.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give a folder that holds a folder of pictures for each class")
    samples = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in place.rglob("*") if path.suffix.lower() in PICTURES)
        if not files:
            raise UserError(f"{place} holds no picture ({', '.join(PICTURES[:4])}); fill it or remove it")
        samples += [Sample(str(file), file.read_bytes, place.name, {}, source=str(folder)) for file in files]
    if not samples:
        raise UserError(f"{folder} holds no class folder; put the pictures of each class into a folder of its name")
    return samples


def decode(sample: Sample, size: int) -> Tensor:
    """(3, size, size) uint8: the shorter side resized to `size` (bicubic), then the centre, as CLIP's own protocol."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(sample.read())) as opened:
            whole = eight_bit(ImageOps.exif_transpose(opened)).convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{sample.key} is no picture that can be read ({error}); mend it or remove it") from None
    ground = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    picture = ground if ground.size == (size, size) else ImageOps.fit(ground, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1)))
