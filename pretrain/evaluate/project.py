"""The project's own test: what was kept out of training, by photograph, by drawing style and by name.

photos: photographs of names of which no photograph was trained on, among the names of all photographs of their source.
snapshots, to choose by (validation): photographs of a source never trained on, among its own names.
style: a drawing style never trained on, of concepts that were. style-concepts: that style, concepts never trained on.
concepts: styles that were trained on, of names that were not. ImageNet: glosses of 200 held-out classes against the
rows of Lite0's classifier, for towers of that kind.

How it misleads. "Never trained on" means the exact name: a longer name that holds it may have been, and both towers
saw the idea long before. The held-out style has dark outlines around flat colours; its drawings are never trained on,
but the source `outlines` draws such lines around those of other styles. Shards hold small pictures, so a larger size
shows no further detail. R@k falls with the number of candidates; the last columns thin the candidates to a number that
other tables used. Emoji of one style are easier to tell apart than the world. Photos are few: one standard error of R@5
is the column "error".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.same_padding import PadsInside
from clipguide.ops.vision_import import import_torchvision
from pretrain.evaluate import plots
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.retrieval import chance, ranks, recall_among
from pretrain.evaluate.samples import Sample, read_split
from pretrain.evaluate.subject import Subject
from pretrain.evaluate.suites import Job
from pretrain.pairs import fitting

# task -> candidates to thin to
TASKS = {"photos": 128, "snapshots": 79, "style": 550, "style-concepts": 550, "concepts": 170}
COLUMNS = (
    *("test", "px", "direction", "queries", "candidates", "R@1", "R@5", "error", "chance@1", "chance@5"),
    *("fewer", "R@1 of fewer", "R@5 of fewer"),
)


def measure(job: Job) -> Report:
    """Retrieval both ways on each test, and the held-out ImageNet classes, at each size."""
    shards = job.need_shards()
    samples = read_split(shards, job.split, tuple(TASKS))
    names = {task: candidates(task, samples, shards) for task in TASKS}
    rows = []
    for size in job.sizes or (job.subject.size,):
        for task in TASKS:
            chosen = [sample for sample in samples if sample.task == task]
            if chosen:
                rows += task_rows(job.subject, task, chosen, names[task], size)
    title = "held-out tests" if job.split == "test" else f"{job.split} part"
    table = Table(title, COLUMNS, rows, __doc__.partition("How it misleads. ")[2])
    held = held_classes(job.subject) if job.split == "test" else None
    picture = plots.bars(table, ("test", "px", "direction"), ("R@1", "R@5"))
    return Report([table, held] if held else [table], {"bars": picture})


def candidates(task: str, samples: Sequence[Sample], shards: Path) -> list[str]:
    """The names among which pictures find theirs: of all splits for photos, of the whole style for its two tests."""
    tasks = ("style", "style-concepts") if task.startswith("style") else (task,)
    names = {sample.concept for sample in samples if sample.task in tasks}
    if task == "photos":
        names |= photo_names(shards)
    return sorted(names)


def photo_names(shards: Path) -> set[str]:
    """The names of GCompris photographs in the training and validation splits, as far as these are there."""
    found = set()
    for side in ("validation", "train"):
        try:
            found |= {sample.concept for sample in read_split(shards, side) if sample.style == "gcompris"}
        except UserError:  # a folder with test shards alone is enough; the column "candidates" shows the difference
            continue
    return found


def task_rows(subject: Subject, task: str, samples: Sequence[Sample], names: Sequence[str], size: int) -> list[tuple]:
    """Two rows: pictures to names, and names to pictures."""
    images, texts = subject.images(samples, size), subject.texts(names)
    fits = fitting([sample.concept for sample in samples], names)
    forth, back = ranks(images, texts, fits), ranks(texts, images, fits.T)
    few = min(TASKS[task], len(names))
    thinned = (few, recall_among(forth, len(names), few, 1), recall_among(forth, len(names), few, 5))
    return [
        (task, size, "image to text", *figures(forth, fits), *thinned),
        (task, size, "text to image", *figures(back, fits.T), None, None, None),
    ]


def figures(ahead: Tensor, fits: Tensor) -> tuple:
    """Queries, candidates, R@1, R@5, the standard error of R@5, and chance."""
    first, five = ((ahead < k).float().mean().item() for k in (1, 5))
    error = (five * (1 - five) / len(ahead)) ** 0.5
    return len(ahead), fits.shape[1], first, five, error, chance(fits, 1), chance(fits, 5)


def held_classes(subject: Subject) -> Table | None:
    """Top-1 and top-5 of the held-out ImageNet classes, gloss to classifier row; None for other towers than Lite0's.

    How it misleads: rows stand in for photographs, and for a tuned tower they are only what its photographs used to be.
    """
    from pretrain.align import class_texts, mean_feature
    from pretrain.anchor import HELD_CLASSES, Anchor
    from pretrain.configs import PREPROCESS
    from pretrain.models import lite0

    visual = getattr(subject.encoder.model, "visual", None)
    if visual is None or not has_lite0(visual):
        return None
    trunk, classifier = lite0()
    held = list(HELD_CLASSES)
    wordings = class_texts()
    glosses = subject.texts([wordings[index][2] for index in held])
    texts = torch.zeros(len(wordings), 3, glosses.shape[1])
    texts[held, 2] = glosses
    anchor = Anchor.of(trunk, classifier, texts, mean_feature(trunk, PREPROCESS))
    device = subject.encoder.device
    first, five = anchor.held_top(lambda rows: visual.head(rows.to(device)).cpu(), nn.Identity())
    size = len(held)
    misleads = held_classes.__doc__.partition("How it misleads: ")[2]
    columns = ("classes", "top-1", "top-5", "chance@1", "chance@5")
    row = (size, first, five, 1 / size, 5 / size)
    return Table("ImageNet held-out classes, gloss to row", columns, [row], misleads)


def has_lite0(visual: nn.Module) -> bool:
    """Whether the image tower is an EfficientNet-Lite0, told by the shapes of its own convolutions."""
    import_torchvision()
    import timm

    def kernels(network: nn.Module) -> list[torch.Size]:
        convolutions = (m for m in network.modules() if isinstance(m, nn.Conv2d) and not isinstance(m, PadsInside))
        return [m.weight.shape for m in convolutions]

    trunk = getattr(visual, "trunk", None)
    return trunk is not None and kernels(trunk) == kernels(timm.create_model("tf_efficientnet_lite0", num_classes=0))
