"""A classification task: names, and pictures to train, choose and test on; from a folder of pictures or from shards."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clipguide.errors import UserError
from clipguide.ops.vision_import import import_torchvision
from pretrain.data.captions import TEMPLATES
from pretrain.data.pair import normalise
from pretrain.evaluate.samples import SPLITS, Sample, held_style, read_classes, read_split
from pretrain.evaluate.suites import Job

CHOOSING_STYLE = "noto-v1"  # of the shards' emoji: its pictures choose settings, those of the held-out style test
MOST_CLASSES = 120  # of shards: enough to tell models apart, few enough for minutes on a CPU


@dataclass(frozen=True)
class Classes:
    """keys: the classes as samples name them; names: the words for them, in the same order. Splits may be empty."""

    keys: Sequence[str]
    names: Sequence[str]
    train: Sequence[Sample]
    validation: Sequence[Sample]
    test: Sequence[Sample]
    templates: Sequence[str]
    single: str

    def labels(self, samples: Sequence[Sample]) -> Tensor:
        """(N,) int64, places in `keys`."""
        place = {key: at for at, key in enumerate(self.keys)}
        return torch.tensor([place[sample.concept] for sample in samples])


def read_task(job: Job) -> Classes:
    """The task in `job.images` if given, else one of the shards' concepts in the held-out style.

    A folder may hold train/, test/ and validation/ with class folders in each, or class folders alone, whose pictures
    are then dealt 60 : 20 : 20 by their names.
    """
    if job.images is None:
        return shard_task(job.need_shards(), job.seed)
    if (job.images / "test").is_dir():
        parts = {side: read_classes(job.images / side) for side in SPLITS if (job.images / side).is_dir()}
    else:
        parts = deal(read_classes(job.images))
    keys = sorted({sample.concept for part in parts.values() for sample in part})
    names = class_names(keys, job.labels)
    splits = (parts.get(side, ()) for side in SPLITS)
    return Classes(keys, names, *splits, imagenet_templates(), "a photo of a {}.")


def imagenet_templates() -> list[str]:
    """The 80 published sentences; open_clip keeps them as functions of a name."""
    import_torchvision()
    import open_clip

    return [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]


def shard_task(shards: Path, seed: int) -> Classes:
    """Concepts with three or more training pictures, one in the choosing style, and one in the held-out style."""
    test = held_style(shards)
    train = read_split(shards, "train")
    count = Counter(sample.concept for sample in train if sample.style != CHOOSING_STYLE)
    choosing = {sample.concept for sample in train if sample.style == CHOOSING_STYLE}
    known = sorted({sample.concept for sample in test if count[sample.concept] >= 3} & choosing)
    if len(known) < 2:
        raise UserError(f"{shards} has no two concepts in its training split and in the test 'style'; build more pairs")
    keys = sorted(random.Random(seed).sample(known, min(MOST_CLASSES, len(known))))
    chosen = set(keys)
    train = [sample for sample in train if sample.concept in chosen]
    validation = [sample for sample in train if sample.style == CHOOSING_STYLE]
    train = [sample for sample in train if sample.style != CHOOSING_STYLE]
    test = [sample for sample in test if sample.concept in chosen]
    return Classes(keys, keys, train, validation, test, picture_templates(), "a picture of {}")


def picture_templates() -> list[str]:
    """The sentences that the shards' captions are written in, for pictures of any medium."""
    return list(dict.fromkeys(template for templates in TEMPLATES.values() for template in templates))


def class_names(keys: Sequence[str], labels: Path | None) -> list[str]:
    """The words for class folders: a file of labels, one a line; ImageNet's curated names; or the folders' own names.

    Errors: UserError for another number of labels than folders, and for two classes of one name.
    """
    if labels is not None:
        names = read_labels(labels)
        if len(names) != len(keys):
            raise UserError(f"{labels} has {len(names)} labels for {len(keys)} class folders; give one line for each")
        return names
    if all(re.fullmatch(r"n\d{8}", key) for key in keys):
        return imagenet_names(keys)
    names = [key.replace("_", " ") for key in keys]
    refuse_duplicates(names, "the class folders")
    return names


def read_labels(file: Path) -> list[str]:
    """The lines of a file of labels. Errors: UserError where it cannot be read, is empty or names a class twice."""
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}); give a text file with a label in each line") from None
    if not names:
        raise UserError(f"{file} holds no label; write one in each line")
    refuse_duplicates(names, str(file))
    return names


def refuse_duplicates(names: Sequence[str], where: str) -> None:
    """Errors: UserError for the first two names that read alike."""
    seen: dict[str, str] = {}
    for name in names:
        if normalise(name) in seen:
            raise UserError(
                f"{where} name one class twice: {seen[normalise(name)]!r} and {name!r}; merge or rename them"
            )
        seen[normalise(name)] = name


def imagenet_names(keys: Sequence[str]) -> list[str]:
    """CLIP's curated names of ImageNet classes, by WordNet number."""
    import_torchvision()
    import open_clip
    from timm.data import ImageNetInfo

    place = {number: at for at, number in enumerate(ImageNetInfo("imagenet-1k").label_names())}
    unknown = [key for key in keys if key not in place]
    if unknown:
        raise UserError(f"class folder {unknown[0]} is none of the 1000 ImageNet classes; give --labels FILE")
    return [open_clip.IMAGENET_CLASSNAMES[place[key]] for key in keys]


def deal(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Each class's pictures dealt 60 : 20 : 20 in the order of their names' hashes; every class has one to test on."""
    by_class = defaultdict(list)
    for sample in samples:
        by_class[sample.concept].append(sample)
    parts: dict[str, list[Sample]] = {side: [] for side in SPLITS}
    for group in by_class.values():
        group = sorted(group, key=lambda sample: hashlib.sha256(Path(sample.key).name.encode()).digest())
        test = max(len(group) // 5, 1)
        parts["test"] += group[:test]
        parts["validation"] += group[test : 2 * test]
        parts["train"] += group[2 * test :]
    return parts
