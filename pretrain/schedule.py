"""Schedules of training: plain functions of the step."""

from __future__ import annotations

import math


def warmup_cosine(step: int, total: int, warmup: int, floor: float = 0.0) -> float:
    """Factor on the rate: in a line to 1 over `warmup` steps, then half a cosine to `floor` at `total` (CLIP's)."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def ramp(step: int, start: int, length: int, low: float, high: float) -> float:
    """`low` until `start`, then in a line to `high` over `length` steps, then `high`."""
    return low + (high - low) * min(1.0, max(0.0, (step - start) / max(1, length)))
