"""Trains a text tower, or rows of one, to give the vectors of another (Reimers and Gurevych 2020, arXiv 2004.09813)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def distil(
    text: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    seconds: float,
    told: Callable[[str], None],
) -> None:
    """Trains what `optimiser` holds for so many seconds: one minus the cosine of pooled vectors and their targets.

    text: a BertText; batches: (tokens, target vectors (N, hidden)). The rates fall to zero.
    """
    begun, kept, seen = time.monotonic(), 1.0, 0
    rates = [group["lr"] for group in optimiser.param_groups]
    for step, (tokens, targets) in enumerate(batches):
        left = 1 - (time.monotonic() - begun) / seconds
        if left <= 0:
            break
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * left
        loss = 1 - F.cosine_similarity(text.pool(tokens), targets).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        kept, seen = 0.95 * kept + 0.05 * loss.item() if step else loss.item(), seen + len(tokens)
        if step % 25 == 0:
            told(f"{time.monotonic() - begun:4.0f} s, {seen} texts, distance {kept:.3f}")
