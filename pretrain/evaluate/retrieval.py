"""Image-to-text and text-to-image retrieval: the share of queries whose answer is among the k nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


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

    return float(hypergeom.cdf(k - 1, size - 1, ahead.cpu().numpy(), smaller - 1).mean())
