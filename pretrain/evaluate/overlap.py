"""Overlap: test pictures nearly the same as a training picture, and their worth (Radford et al. 2021, section 5).

Pictures are compared as 12 x 12 px colour thumbnails without mean and contrast, also mirrored: no part of the measured
model, so that its own blindness hides nothing. As in the paper the score of all pictures stands beside that of the
clean ones; p is the chance that pictures as hard as the clean ones score as the overlapping ones do (one-sided
binomial test), and low and high are Clopper and Pearson's interval of 99.5 % for the overlapping ones.

How it misleads. A thumbnail finds the same picture at the same place, not the same drawing moved on another ground, so
the share is a lower bound; and plain drawings on white look alike without being the same. Look at the sheet of the most
similar pairs before believing a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide import images
from pretrain.evaluate.report import Cell, Report, Table
from pretrain.evaluate.samples import Sample, decode, read_split
from pretrain.evaluate.subject import Subject, decoded
from pretrain.evaluate.suites import Job

SIDE, TASKS, THRESHOLDS = 12, ("photos", "style", "concepts"), (0.98, 0.95)
COLUMNS = (
    *("test", "likeness", "pictures", "overlapping", "share", "R@1 all", "R@1 clean", "all - clean"),
    *("R@1 overlapping", "low", "high", "p"),
)


def measure(job: Job) -> Report:
    """Two rows for each test, one for each threshold, and the nearest pairs as a sheet."""
    shards = job.need_shards()
    train = read_split(shards, "train")
    known = thumbnails(train)
    rows, pairs = [], []
    tests = read_split(shards, "test", TASKS)
    for task in TASKS:
        samples = [sample for sample in tests if sample.task == task]
        if not samples:
            continue
        likeness, nearest = most_alike(thumbnails(samples), known)
        right = found(job.subject, samples)
        rows += [(task, limit, *compare(likeness >= limit, right)) for limit in THRESHOLDS]
        order = likeness.argsort(descending=True)[:8].tolist()
        pairs += [(samples[at], train[int(nearest[at])], float(likeness[at])) for at in order]
    table = Table("overlap with the training split", COLUMNS, rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"pairs": sheet(pairs)})


def thumbnails(samples: Sequence[Sample]) -> Tensor:
    """(N, 3 * SIDE * SIDE), unit norm, without mean: what is left of pictures when brightness and contrast go."""
    small = [F.interpolate(views.float(), SIDE, mode="area") for _, views in decoded(samples, 48)]
    flat = torch.cat(small).flatten(1)
    return F.normalize(flat - flat.mean(1, keepdim=True))


def most_alike(tests: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """For each test thumbnail the cosine of the most similar known one, as it is or mirrored, and its place."""
    mirrored = tests.unflatten(1, (3, SIDE, SIDE)).flip(-1).flatten(1)
    best = [
        torch.maximum(a @ known.T, b @ known.T).max(1)
        for a, b in zip(tests.split(256), mirrored.split(256), strict=True)
    ]
    return torch.cat([part.values for part in best]), torch.cat([part.indices for part in best])


def found(subject: Subject, samples: Sequence[Sample]) -> Tensor:
    """(N,) bool: whether a picture's own concept is the nearest of all concepts of its test."""
    names = sorted({sample.concept for sample in samples})
    said = (subject.images(samples) @ subject.texts(names).T).argmax(1).tolist()
    return torch.tensor([names[at] == sample.concept for at, sample in zip(said, samples, strict=True)])


def compare(overlapping: Tensor, right: Tensor) -> list[Cell]:
    """From two (N,) bools: counts, scores of all, clean and overlapping pictures, interval and p; None where empty."""
    from scipy.stats import binomtest

    hits, count = int(right[overlapping].sum()), int(overlapping.sum())
    whole = right.float().mean().item()
    head: list[Cell] = [len(right), count, count / len(right), whole]
    if count in (0, len(right)):
        return [*head, *(whole, 0.0) * (count == 0), *(None,) * (4 if count == 0 else 6)]
    clean = right[~overlapping].float().mean().item()
    test = binomtest(hits, count, clean, alternative="greater")
    low, high = binomtest(hits, count).proportion_ci(0.995, "exact")
    return [*head, clean, whole - clean, hits / count, float(low), float(high), float(test.pvalue)]


def sheet(pairs: Sequence[tuple[Sample, Sample, float]]) -> bytes:
    """Each test picture beside its most similar training picture."""
    pictures = [decode(sample, 112) / 255 for test, train, _ in pairs for sample in (test, train)]
    captions = [text for test, train, likeness in pairs for text in (f"{likeness:.2f} {test.concept}", train.concept)]
    return images.png(images.sheet(pictures, captions, columns=8, side=112))
