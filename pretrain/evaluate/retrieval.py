"""Image-to-text and text-to-image retrieval: the share of queries whose answer is among the k nearest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def recall(queries: Tensor, gallery: Tensor, fits: Tensor, ks: Sequence[int] = (1, 5, 10)) -> dict[int, float]:
    """R@k: the share of queries with at least one fitting gallery item among the k most similar ones.

    queries (N, D) and gallery (M, D) of unit norm; fits (N, M) bool; queries without any fitting item are left out.
    Ties count against the query, so equal embeddings score nothing. How it misleads: the figure depends on M (chance is
    about k / M) and on how many items fit; only rows with the same gallery can be compared.
    """
    near = queries @ gallery.T
    asked = fits.any(1)
    best = near.masked_fill(~fits, -torch.inf).amax(1, keepdim=True)  # (N, 1)
    ahead = ((near >= best) & ~fits).sum(1)[asked]  # (asked,)
    return {k: (ahead < k).float().mean().item() for k in ks}
