"""Natural distribution shift: the same classes in other kinds of picture (Radford et al. 2021, section 3.3).

A supervised probe on the image tower's own features, trained on one domain, against zero-shot; the gap is what a domain
loses against the first one. With --images the folder holds a folder for each domain, with class folders inside; the
first in alphabetical order trains the probe, with four fifths of its pictures.

How it misleads. The paper's models never saw the shifted sets; a model trained on these shards saw every domain but
the held-out style with its names, so only that row is a shift for its zero-shot classifier, while for a CLIP from
elsewhere all are. Domains differ in how hard their pictures are, not only in style: a gap holds both. Pictures of the
shards are composed on grounds except in the held-out style, which is plain.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipguide.errors import UserError
from pretrain.evaluate import plots
from pretrain.evaluate.classes import (
    MOST_CLASSES,
    Classes,
    class_names,
    deal,
    imagenet_templates,
    picture_templates,
    trainable,
)
from pretrain.evaluate.logistic import fit_chosen
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.samples import Sample, held_style, read_classes, read_split
from pretrain.evaluate.suites import Job
from pretrain.evaluate.zero_shot import accuracy, prompts

TRAINED = ("noto", "emojione", "emojione-v1", "fluent", "fluent-flat")
DOMAINS = {  # of the shards -> their styles; the first is the domain of the supervised probe, in styles of its own
    "emoji": ("twemoji", "noto-v1"),
    "outlined emoji, held out": ("openmoji",),
    "black and white": ("fluent-mono",),
    "3D": ("fluent-3d",),
    "clip art": ("openclipart",),
    "photo": ("stamp", "gcompris"),
    "sketch": ("sketch", "crayon", "woodcut"),
    "painting": ("oil painting", "watercolour", "starry night", "mosaic"),
}
EACH = 2  # pictures of a class in a domain, at most
COLUMNS = ("domain", "classes", "pictures", "supervised", "zero-shot", "supervised gap", "zero-shot gap")


@dataclass(frozen=True)
class Shift:
    """task: classes with the pictures the probe is fitted on; domains: the pictures it is tested on, first its own."""

    task: Classes
    domains: Mapping[str, Sequence[Sample]]


def measure(job: Job) -> Report:
    """A row for each domain, and bars."""
    shift = folder_shift(job) if job.images else shard_shift(job.need_shards(), job.seed)
    subject, task = job.subject, trainable(shift.task)
    device = subject.encoder.device
    train, validation = (
        (subject.features(part).to(device), task.labels(part).to(device)) for part in (task.train, task.validation)
    )
    probe, _ = fit_chosen(train, validation, len(task.keys), coarse=(-4, -2, 0, 2, 4), finest=1.0)
    texts = list(prompts(subject, task).values())[-1]
    rows: list[tuple] = []
    for domain, samples in shift.domains.items():
        labels = task.labels(samples)
        supervised = accuracy(probe(subject.features(samples).to(device)).cpu(), labels)[0]
        zero = accuracy(subject.images(samples) @ texts.T, labels)[0]
        first = rows[0][3:5] if rows else (supervised, zero)
        gaps = first[0] - supervised, first[1] - zero
        rows.append((domain, len(labels.unique()), len(labels), supervised, zero, *gaps))
    title = f"distribution shift, {len(task.keys)} classes{task.note}"
    picture = plots.shift([row[0] for row in rows], [row[3] for row in rows], [row[4] for row in rows])
    return Report([Table(title, COLUMNS, rows, __doc__.partition("How it misleads. ")[2])], {"bars": picture})


def shard_shift(shards: Path, seed: int) -> Shift:
    """The concepts that most domains share, at least three pictures of each to train on."""
    samples = read_split(shards, "train") + held_style(shards)
    fitted = [sample for sample in samples if sample.style in TRAINED]
    enough = {concept for concept, count in Counter(sample.concept for sample in fitted).items() if count >= 3}
    domain_of = {style: domain for domain, styles in DOMAINS.items() for style in styles}
    # a stamp may be a photograph or a drawing
    shown = [s for s in samples if s.style in domain_of and (domain_of[s.style] != "photo" or s.medium == "photo")]
    covered = Counter(concept for concept, _ in {(s.concept, domain_of[s.style]) for s in shown} if concept in enough)
    if len(covered) < 2:
        raise UserError(f"{shards} has no two concepts with three emoji each and another domain; build more pairs")
    dice = random.Random(seed)
    ranked = sorted(covered, key=lambda concept: (-covered[concept], dice.random()))
    keys = sorted(ranked[:MOST_CLASSES])
    fitted = [sample for sample in fitted if sample.concept in keys]
    parts = deal(fitted)
    task = Classes(
        keys, keys, parts["train"] + parts["test"], parts["validation"], (), picture_templates(), "a picture of {}"
    )
    domains = {
        domain: at_most(EACH, [s for s in shown if s.concept in keys and domain_of[s.style] == domain])
        for domain in DOMAINS
    }
    return Shift(task, {domain: found for domain, found in domains.items() if found})


def at_most(count: int, samples: Sequence[Sample]) -> list[Sample]:
    """The first `count` samples of each concept."""
    seen: Counter[str] = Counter()
    kept = []
    for sample in samples:
        seen[sample.concept] += 1
        if seen[sample.concept] <= count:
            kept.append(sample)
    return kept


def folder_shift(job: Job) -> Shift:
    """Domain folders with class folders; classes are those of the first domain, others must not have further ones."""
    folders = sorted(path for path in job.images.iterdir() if path.is_dir())
    if len(folders) < 2:
        raise UserError(
            f"{job.images} holds {len(folders)} domain folder; give two or more, with class folders in each"
        )
    domains = {folder.name: read_classes(folder) for folder in folders}
    keys = sorted({sample.concept for sample in domains[folders[0].name]})
    for domain, samples in domains.items():
        unknown = sorted({sample.concept for sample in samples} - set(keys))
        if unknown:
            raise UserError(f"{job.images / domain} has a class {unknown[0]!r} that {folders[0].name} lacks; remove it")
    parts = deal(domains[folders[0].name])
    domains[folders[0].name] = parts["test"]
    names = class_names(keys, job.labels)
    templates = imagenet_templates()
    return Shift(Classes(keys, names, parts["train"], parts["validation"], (), templates, "a photo of a {}."), domains)
