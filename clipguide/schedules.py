"""Schedules: functions from progress in [0, 1] to a factor.

A schedule is any `float -> float`; these are the usual three.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """1 at every progress."""
    return 1.0


def ramp(start: float, end: float, *, until: float = 1.0) -> Schedule:
    """Straight line from `start` at progress 0 to `end` at progress `until`, then flat.  `until` in (0, 1]."""
    return lambda progress: start + (end - start) * min(1.0, progress / until)


def cosine(final: float = 0.0, *, warm_up: float = 0.0) -> Schedule:
    """Straight from a tenth to 1 during `warm_up`, then half a cosine wave down to `final` at progress 1.

    Not from 0: the first step of a run would be wasted, and a run of one step would do nothing.
    """

    def schedule(progress: float) -> float:
        if progress < warm_up:
            return 0.1 + 0.9 * progress / warm_up
        fraction = (progress - warm_up) / max(1.0 - warm_up, 1e-9)
        return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, fraction)))

    return schedule
