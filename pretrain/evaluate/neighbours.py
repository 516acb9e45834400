"""Nearest neighbours: the pictures nearest to some texts, as a table and a contact sheet for the eye.

How it misleads. A nearest neighbour always exists: a prompt whose thing is in no picture still shows six. What is shown
is chosen by the model, so it looks better than retrieval is; and one prompt is an anecdote.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from clipguide import images
from pretrain.evaluate.classes import pictures_of
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.samples import Sample, decode, read_split
from pretrain.evaluate.suites import Job

PROMPTS = ("a bicycle", "a red apple", "a castle", "a cute cat", "a sketch of a house", "a person who sings", "night")
NEAREST, SIDE = 6, 112
TASKS = ("photos", "style", "style-concepts", "concepts")


def measure(job: Job) -> Report:
    """For each prompt the nearest pictures of the test split, or of `job.images`."""
    samples = pictures_of(job.images) if job.images else read_split(job.need_shards(), "test", TASKS)
    prompts = job.prompts or PROMPTS
    near = job.subject.texts(prompts) @ job.subject.images(samples).T  # (prompts, samples)
    best = near.topk(min(NEAREST, len(samples)), dim=1)
    rows = []
    for prompt, places, scores in zip(prompts, best.indices.tolist(), best.values.tolist(), strict=True):
        told = [f"{samples[at].concept} {score:.2f}" for at, score in zip(places, scores, strict=True)]
        rows.append((prompt, *told))
    columns = ("prompt", *(f"nearest {place}" for place in range(1, best.indices.shape[1] + 1)))
    table = Table(f"nearest of {len(samples)} pictures", columns, rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"sheet": sheet(samples, prompts, best.indices)})


def sheet(samples: Sequence[Sample], prompts: Sequence[str], places: Tensor) -> bytes:
    """A row of pictures for each prompt; below each its concept, below the first the prompt."""
    pictures, captions = [], []
    for prompt, row in zip(prompts, places.tolist(), strict=True):
        for number, at in enumerate(row):
            pictures.append(decode(samples[at], SIDE) / 255)
            captions.append(samples[at].concept if number else f"{prompt}:")
    return images.png(images.sheet(pictures, captions, columns=places.shape[1], side=SIDE))
