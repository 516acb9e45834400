"""Other languages: a foreign label finds its English label, and pictures of its thing.

names: "seen" are concepts whose labels may have been trained on, "held out" those of the test split. Texts are sought
among the English names of all emoji of the held-out style, pictures among all pictures of that style.

How it misleads. Labels are official names, often one word, so nothing here says that sentences are understood. A held
label shares words with trained ones ("person biking" when "bicycle" was seen), or none at all; the mean hides which.
Languages without spaces are cut into longer pieces, so their unseen words have less to stand on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from torch import Tensor

from pretrain.evaluate import plots
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.retrieval import ranks
from pretrain.evaluate.samples import Sample, read_split
from pretrain.evaluate.suites import Job
from pretrain.pairs import fitting

LANGUAGES = ("en", "ja", "zh", "de", "es", "fr", "it", "pt", "ru", "ko")
ASKED = 150  # seen labels of each language; all the held-out ones
COLUMNS = ("language", "names", "labels", "candidates", "English R@1", "English R@5", "pictures R@1", "pictures R@5")


def measure(job: Job) -> Report:
    """Two rows for each language, and bars."""
    samples = read_split(job.need_shards(), "test", ("style", "style-concepts"))
    concepts = [sample.concept for sample in samples]
    english, images = job.subject.texts(concepts), job.subject.images(samples)
    dice = random.Random(job.seed)
    groups = {
        "seen": [sample for sample in samples if sample.task == "style"],
        "held out": [sample for sample in samples if sample.task == "style-concepts"],
    }
    groups["seen"] = dice.sample(groups["seen"], min(ASKED, len(groups["seen"])))
    rows = []
    for language in LANGUAGES:
        for names, group in groups.items():
            asked = [sample for sample in group if sample.captions.get(language)]
            if asked:
                texts = job.subject.texts([label(sample, language) for sample in asked])
                fits = fitting([sample.concept for sample in asked], concepts)
                shares = (*recalls(texts, english, fits), *recalls(texts, images, fits))
                rows.append((language, names, len(asked), len(concepts), *shares))
    table = Table("languages", COLUMNS, rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"bars": plots.bars(table, ("language", "names"), ("English R@1", "pictures R@1"))})


def label(sample: Sample, language: str) -> str:
    """The name in a language; in English the concept, as the candidates are written."""
    return sample.concept if language == "en" else sample.captions[language][0]


def recalls(texts: Tensor, gallery: Tensor, fits: Tensor, ks: Sequence[int] = (1, 5)) -> tuple[float, ...]:
    ahead = ranks(texts, gallery, fits)
    return tuple((ahead < k).float().mean().item() for k in ks)
