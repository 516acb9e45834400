"""Which class is taken for which: the commonest errors of zero-shot classification, and their matrix as a picture.

How it misleads. Confusions between names of one thing are the label list's fault. The matrix shows the classes with the
most errors only, so it looks worse than the whole; a class with few pictures is there by chance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pretrain.evaluate import plots
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.suites import Job
from pretrain.evaluate.zero_shot import prompts, tasks

SHOWN, LISTED = 30, 20


def measure(job: Job) -> Report:
    """The commonest errors by (true, said), and a matrix of the classes with most errors."""
    found = tasks(job)
    test = "concepts" if "concepts" in found else next(iter(found))
    subject, task = job.subject, found[test]
    texts = list(prompts(subject, task).values())[-1]
    said = (subject.images(task.test) @ texts.T).argmax(1)
    counts = count_pairs(task.labels(task.test), said, len(task.keys))
    wrong = counts.clone().fill_diagonal_(0)
    ranked = [divmod(at, len(task.keys)) for at in wrong.flatten().argsort(descending=True)[:LISTED].tolist()]
    rows = [(task.names[a], task.names[b], int(wrong[a, b]), int(counts[a].sum())) for a, b in ranked if wrong[a, b]]
    chosen = worst(wrong, SHOWN)
    picture = plots.confusion(counts[chosen][:, chosen], [task.names[at] for at in chosen])
    counted = f"{len(task.keys)} classes, {int(counts.sum())} pictures, {int(wrong.sum())} errors"
    title = f"confusions in {test}, {counted}{task.note}"
    table = Table(title, ("true", "said", "times", "of"), rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"matrix": picture})


def count_pairs(labels: Tensor, said: Tensor, classes: int) -> Tensor:
    """(C, C) counts: rows are the truth, columns what was said."""
    flat = torch.bincount(labels * classes + said, minlength=classes * classes)
    return flat.view(classes, classes)


def worst(wrong: Tensor, count: int) -> list[int]:
    """The classes that most errors leave or reach, in the order of the list."""
    involved = wrong.sum(0) + wrong.sum(1)
    return sorted(involved.argsort(descending=True)[:count].tolist())
