"""Few-shot linear probes of 1 to 16 pictures a class, against zero-shot (Radford et al. 2021, section 3.1.5).

How it misleads. Which pictures are drawn moves a one-shot figure by several points: the spread over three draws stands
beside it. Pictures of the shards' training split were seen with their names in training, which zero-shot used and the
probe did not. Classes with fewer than k training pictures give all they have.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence

import torch

from pretrain.evaluate import plots
from pretrain.evaluate.classes import Classes, read_task, trainable
from pretrain.evaluate.logistic import best, fit, search
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.samples import Sample
from pretrain.evaluate.subject import Subject
from pretrain.evaluate.suites import Job
from pretrain.evaluate.zero_shot import accuracy, prompts

SHOTS, DRAWS = (1, 2, 4, 8, 16), 3
COARSE = (-4.0, -2.0, 0.0, 2.0)


def measure(job: Job) -> Report:
    """A row for each k, the zero-shot row, and their curve."""
    subject, task = job.subject, trainable(read_task(job))
    images, labels = subject.images(task.test), task.labels(task.test)
    texts = list(prompts(subject, task).values())[-1]
    zero = accuracy(images @ texts.T, labels)[0]
    most = max(len([s for s in task.train if s.concept == key]) for key in task.keys)
    shots = [k for k in SHOTS if k <= most]
    rows = [(0, zero, None, None)]
    for k in shots:
        shares = torch.tensor([one_draw(subject, task, k, job.seed + draw) for draw in range(DRAWS)])
        rows.append((k, shares.mean().item(), shares.min().item(), shares.max().item()))
    equal = shots_equal(zero, [row[0] for row in rows[1:]], [row[1] for row in rows[1:]])
    title = f"few-shot probes, {len(task.keys)} classes, {len(labels)} pictures; zero-shot equals {equal}{task.note}"
    picture = plots.few_shot(zero, rows[1:])
    columns = ("pictures a class", "top-1", "lowest", "highest")
    return Report([Table(title, columns, rows, __doc__.partition("How it misleads. ")[2])], {"curve": picture})


def one_draw(subject: Subject, task: Classes, k: int, seed: int) -> float:
    """Top-1 of a probe of k drawn pictures a class; the penalty is chosen on the validation part, to a decade."""
    chosen = draw(task.train, k, random.Random(seed))
    device = subject.encoder.device
    train, validation, test = (
        (subject.features(part).to(device), task.labels(part).to(device))
        for part in (chosen, task.validation, task.test)
    )
    classes = len(task.keys)

    def score(decade: float) -> float:
        return fit(*train, classes, 10**decade, steps=60).accuracy(*validation)

    decade = best(search(score, COARSE, finest=1.0))
    return fit(*train, classes, 10**decade, steps=300).accuracy(*test)


def draw(samples: Sequence[Sample], k: int, rng: random.Random) -> list[Sample]:
    """k samples of each concept, or all it has."""
    by_class = defaultdict(list)
    for sample in samples:
        by_class[sample.concept].append(sample)
    return [sample for _, group in sorted(by_class.items()) for sample in rng.sample(group, min(k, len(group)))]


def shots_equal(zero: float, shots: Sequence[int], shares: Sequence[float]) -> str:
    """How many pictures a class a probe needs to reach zero-shot, log-linear between two measured k."""
    if shares[0] >= zero:
        return "less than 1 shot"
    for (low, a), (high, b) in zip(
        zip(shots, shares, strict=True), zip(shots[1:], shares[1:], strict=True), strict=False
    ):
        if a < zero <= b:
            part = (zero - a) / (b - a)
            return f"{math.exp(math.log(low) + part * math.log(high / low)):.1f} shots"
    return f"more than {shots[-1]} shots"
