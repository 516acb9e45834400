"""Zero-shot classification: the class whose text embedding is nearest (Radford et al. 2021, section 3.1).

Three ways to say a class: its bare name; one sentence; and the ensemble, the unit mean of the embeddings of many
sentences. Pictures of a folder of ImageNet's classes follow the published protocol: CLIP's curated names and 80
templates, shorter side resized bicubically, centre crop.

How it misleads. On the shards, "style" and "concepts" classes were named by the same hand as the training captions, so
wording is easier than in the wild. Top-1 counts a synonym as an error ("sofa" for "couch"), and classes that hold each
other ("cat", "cat face") cap it well below one. The number of classes sets chance: compare rows of one test alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pretrain.evaluate import plots
from pretrain.evaluate.classes import Classes, part_folders, picture_templates, read_task
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.samples import Sample, read_classes, read_split
from pretrain.evaluate.subject import Subject
from pretrain.evaluate.suites import Job

COLUMNS = ("test", "prompt", "classes", "pictures", "top-1", "top-5", "class mean", "published top-1")
TESTS = ("style", "photos", "concepts")
PUBLISHED = {  # ImageNet top-1, Radford et al. 2021, table 11
    "openai-b32": 0.632,
    "ViT-B-32-quickgelu/openai": 0.632,
    "RN50-quickgelu/openai": 0.596,
    "ViT-L-14-336-quickgelu/openai": 0.762,
}


def measure(job: Job) -> Report:
    """A row for each test and prompt, and bars."""
    rows, found = [], tasks(job)
    for test, task in found.items():
        images, labels = job.subject.images(task.test), task.labels(task.test)
        known = PUBLISHED.get(job.subject.name) if len(task.keys) == 1000 and job.images else None
        for prompt, texts in prompts(job.subject, task).items():
            shares = accuracy(images @ texts.T, labels)
            rows.append((test, prompt, len(task.keys), len(labels), *shares, known if "ensemble" in prompt else None))
    title = "zero-shot classification" + "".join(task.note for task in found.values())
    table = Table(title, COLUMNS, rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"bars": plots.bars(table, ("test", "prompt"), ("top-1", "top-5"))})


def tasks(job: Job) -> dict[str, Classes]:
    """The folder of pictures, all of them when it has no test part; or those of three tests that the shards have."""
    if job.images is not None:
        task = read_task(job)
        return {job.images.name: task if part_folders(job.images) else replace(task, test=read_classes(job.images))}
    samples = read_split(job.need_shards(), "test", TESTS)
    by_test = {test: [sample for sample in samples if sample.task == test] for test in TESTS}
    return {test: read_task(job) if test == "style" else of_concepts(found) for test, found in by_test.items() if found}


def of_concepts(samples: Sequence[Sample]) -> Classes:
    """Every concept of some samples of shards is a class."""
    keys = sorted({sample.concept for sample in samples})
    return Classes(keys, keys, (), (), samples, picture_templates(), "a picture of {}")


def prompts(subject: Subject, task: Classes) -> dict[str, Tensor]:
    """What is said -> (classes, D), unit norm."""
    ensemble = torch.stack([subject.ensemble(name, task.templates) for name in task.names])
    return {
        "name": subject.texts(task.names),
        f'"{task.single.format("X")}"': subject.texts([task.single.format(name) for name in task.names]),
        f"ensemble of {len(task.templates)}": ensemble,
    }


def accuracy(scores: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """scores (N, C), labels (N,) -> top-1, top-5, and the mean over classes of top-1. Ties count as errors."""
    own = scores.gather(1, labels[:, None])
    ahead = (scores >= own).sum(1) - 1
    right = (ahead < 1).float()
    present = labels.unique()
    by_class = torch.stack([right[labels == label].mean() for label in present])
    return right.mean().item(), (ahead < 5).float().mean().item(), by_class.mean().item()
