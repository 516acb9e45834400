"""A classification task: names, and pictures to train, choose and test on; from a folder of pictures or from shards."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """keys: the classes as samples name them; names: the words for them, in the same order. Splits may be empty.

    note: what a table's title adds about the parts.
    """

    keys: Sequence[str]
    names: Sequence[str]
    train: Sequence[Sample]
    validation: Sequence[Sample]
    test: Sequence[Sample]
    templates: Sequence[str]
    single: str
    note: str = ""

    def labels(self, samples: Sequence[Sample]) -> Tensor:
        """(N,) int64, places in `keys`."""
        place = {key: at for at, key in enumerate(self.keys)}
        return torch.tensor([place[sample.concept] for sample in samples])


def read_task(job: Job) -> Classes:
    """The task in `job.images` if given, else one of the shards' concepts in the held-out style.

    A folder may hold test/, train/ and val/ or validation/ with class folders in each (see `part_folders`), or class
    folders alone, whose pictures are then dealt 60 : 20 : 20 by their names.
    """
    if job.images is None:
        return shard_task(job.need_shards(), job.seed)
    folders = part_folders(job.images)
    parts = {side: read_classes(folder) for side, folder in folders.items()} or deal(read_classes(job.images))
    keys = sorted({sample.concept for part in parts.values() for sample in part})
    names = class_names(keys, job.labels)
    splits = (parts.get(side, ()) for side in SPLITS)
    tested = folders["test"].name if folders else "test"
    note = "" if tested == "test" else f"; tested on {tested}/, there is no test part"
    return Classes(keys, names, *splits, imagenet_templates(), "a photo of a {}.", note)


def part_folders(images: Path) -> dict[str, Path]:
    """The folder of each part, by its side. Without test/, as in ImageNet's own layout, val/ or validation/ is it.

    Empty where `images` holds class folders alone. A part without class folders, such as ImageNet's test/, is none.
    """
    found: dict[str, Path] = {}
    for side, name in (("train", "train"), ("validation", "val"), ("validation", "validation"), ("test", "test")):
        if (images / name).is_dir() and any(path.is_dir() for path in (images / name).iterdir()):
            found[side] = images / name
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    return found if "test" in found else {}


def pictures_of(images: Path) -> list[Sample]:
    """The pictures of the test part of a folder, all of them when it has none."""
    return read_classes(part_folders(images).get("test", images))


def trainable(task: Classes) -> Classes:
    """The task as a probe needs it: without a validation part, a fifth of each class's training pictures become one.

    Errors: UserError for a class without a picture to train on, and where no class has two.
    """
    trained = {sample.concept for sample in task.train}
    bare = [key for key in task.keys if key not in trained]
    if bare:
        raise UserError(f"class {bare[0]} has no picture to train on; give 3 or more of each class, or a train folder")
    if task.validation:
        return task
    held: list[Sample] = []
    rest: list[Sample] = []
    for group in by_class(task.train):
        count = max(len(group) // 5, 1) if len(group) > 1 else 0
        held += group[:count]
        rest += group[count:]
    if not held:
        raise UserError("no class has 2 training pictures, one to choose the penalty on; give more, or a val folder")
    note = f"{task.note}; penalty chosen on {len(held)} of the training pictures"
    return replace(task, train=rest, validation=held, note=note)


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


def by_class(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Each class's pictures in the order of their names' hashes."""
    found = defaultdict(list)
    for sample in samples:
        found[sample.concept].append(sample)
    return [
        sorted(group, key=lambda sample: hashlib.sha256(Path(sample.key).name.encode()).digest())
        for group in found.values()
    ]


def deal(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Each class's pictures dealt 60 : 20 : 20 in the order of `by_class`; every class has one to test on."""
    parts: dict[str, list[Sample]] = {side: [] for side in SPLITS}
    for group in by_class(samples):
        test = max(len(group) // 5, 1)
        parts["test"] += group[:test]
        parts["validation"] += group[test : 2 * test]
        parts["train"] += group[2 * test :]
    return parts
