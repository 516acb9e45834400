"""Schedules: functions from progress in [0, 1] to a factor.

A schedule is any `float -> float`; these are the usual ones.
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


def chapter(number: int, count: int, *, fade: float = 0.5) -> Schedule:
    """1 while chapter `number` (from 0) of `count` equally long ones is told, 0 during the others.

    Neighbours are cross-faded, their sum 1, during a time of `fade` chapters about the change; fade in (0, 1].
    """

    def schedule(progress: float) -> float:
        since, left = progress * count - number, number + 1 - progress * count  # in chapters
        begins = 1.0 if number == 0 else since / fade + 0.5
        ends = 1.0 if number == count - 1 else left / fade + 0.5
        return max(0.0, min(1.0, begins, ends))

    return schedule


def within(span: tuple[float, float], schedule: Schedule) -> Schedule:
    """The schedule, run through between two moments of a longer run."""
    start, end = span
    return lambda progress: schedule((progress - start) / max(end - start, 1e-9))
