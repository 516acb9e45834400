"""Image-to-text and text-to-image retrieval: the share of queries whose answer is among the k nearest.

How it misleads. R@k falls with the number of candidates and rises with the number that fit. Captions here are templates
around a name, not sentences people wrote, so figures say nothing about Flickr30k or COCO. A picture fits every caption
of its own concept; a caption that fits it by chance ("a tree" beside "an evergreen tree") counts as an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pretrain.evaluate import plots
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.samples import Sample, read_split
from pretrain.evaluate.suites import Job
from pretrain.pairs import fitting

TASKS = ("composed", "photos", "style", "concepts")
KS = (1, 5, 10)
COLUMNS = (
    *("test", "direction", "queries", "candidates", *(f"R@{k}" for k in KS), *(f"chance@{k}" for k in KS)),
    "median rank",
)


def measure(job: Job) -> Report:
    """Two rows for each test of the shards: pictures to captions, each caption once, and captions to pictures."""
    samples = read_split(job.need_shards(), job.split)
    rows = []
    for task in TASKS:
        chosen = [sample for sample in samples if sample.task == task]
        if chosen:
            rows += both_ways(job, task, chosen)
    table = Table("retrieval", COLUMNS, rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"bars": plots.bars(table, ("test", "direction"), [f"R@{k}" for k in KS])})


def both_ways(job: Job, task: str, samples: Sequence[Sample]) -> list[tuple]:
    """The first caption of each sample is its text."""
    concept = {sample.captions["en"][0]: sample.concept for sample in samples}
    images, texts = job.subject.images(samples), job.subject.texts(list(concept))
    fits = fitting([sample.concept for sample in samples], list(concept.values()))
    rows = []
    for direction, queries, gallery, fit in [
        ("image to text", images, texts, fits),
        ("text to image", texts, images, fits.T),
    ]:
        ahead = ranks(queries, gallery, fit)
        shares = [(ahead < k).float().mean().item() for k in KS]
        size = fit.shape[1]
        chances = [chance(fit, min(k, size)) for k in KS]
        rows.append((task, direction, len(ahead), size, *shares, *chances, int(ahead.median()) + 1))
    return rows


def recall(queries: Tensor, gallery: Tensor, fits: Tensor, ks: Sequence[int] = (1, 5, 10)) -> dict[int, float]:
    """R@k: the share of queries with at least one fitting gallery item among the k most similar ones.

    queries (N, D) and gallery (M, D) of unit norm; fits (N, M) bool; queries without any fitting item are left out.
    Ties count against the query, so equal embeddings score nothing. How it misleads: the figure depends on M (chance is
    about k / M) and on how many items fit; only rows with the same gallery can be compared.
    """
    ahead = ranks(queries, gallery, fits)
    return {k: (ahead < k).float().mean().item() for k in ks}


def ranks(queries: Tensor, gallery: Tensor, fits: Tensor) -> Tensor:
    """How many unfitting gallery items are at least as similar as the best fitting one, for each query that has any."""
    near = queries @ gallery.T
    asked = fits.any(1)
    best = near.masked_fill(~fits, -torch.inf).amax(1, keepdim=True)  # (N, 1)
    return ((near >= best) & ~fits).sum(1)[asked]  # (asked,)


def chance(fits: Tensor, k: int) -> float:
    """R@k of a random order, over the queries that have a fitting item."""
    size = fits.shape[1]
    shares = [1 - math.comb(size - fit, k) / math.comb(size, min(k, size)) for fit in fits.sum(1).tolist() if fit]
    return sum(shares) / len(shares)


def recall_among(ahead: Tensor, size: int, smaller: int, k: int) -> float:
    """The expected R@k when a gallery of `size` is thinned at random to `smaller` items, the one that fits among them.

    ahead: `ranks` of queries with one fitting item each. Exact: how many of the items ahead stay is hypergeometric.
    """
    from scipy.stats import hypergeom

    if size == 1:
        return 1.0
    return float(hypergeom.cdf(k - 1, size - 1, ahead.cpu().numpy(), smaller - 1).mean())
