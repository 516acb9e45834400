"""The stroke renderer: milliseconds and memory for a forward and backward pass at 224 px.

    python -m benchmarks strokes

Strokes are random walks of two cubic curves, 1 to 5 px wide, as CLIPDraw starts; each count runs in a process of its
own, so that its peak memory is its own.  A background load makes the times longer, never shorter: read the least.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import time
from dataclasses import dataclass

COUNTS = (64, 256, 1024)
SIZE = (224, 224)
REPEATS = 15


@dataclass(frozen=True, slots=True)
class Result:
    """One count's times in ms, and how many MB the process grew by at its largest."""

    strokes: int
    least: float
    median: float
    memory: float


def time_one(strokes: int, repeats: int = REPEATS) -> Result:
    """Draws and differentiates `strokes` strokes on white, to every parameter."""
    import torch

    from clipguide.canvases.looks import LOOKS
    from clipguide.canvases.starts import Amount, random
    from clipguide.ops.strokes import Paths, draw, over

    paths = random(Amount(strokes), SIZE, LOOKS["paint"], torch.Generator().manual_seed(0)).map(lambda part: part[0])
    leaves = [part.requires_grad_() for part in (paths.points, paths.widths, paths.colours, paths.opacity)]
    drawn, times, before = Paths(*leaves, paths.filled), [], _peak()
    for _ in range(repeats):
        began = time.perf_counter()
        over(draw(drawn, SIZE[::-1]), torch.ones(3, 1, 1)).square().mean().backward()
        times.append(1000 * (time.perf_counter() - began))
    return Result(strokes, min(times), statistics.median(times), _peak() - before)


def _peak() -> float:
    """The process's largest resident memory so far, MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure() -> dict[str, str]:
    figures = {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # a process each: memory only grows
        for r in pool.imap(time_one, COUNTS):
            figures[f"{r.strokes} strokes at {SIZE[0]} px, forward and backward"] = (
                f"{r.least:.0f} ms at best, {r.median:.0f} ms in the middle, {r.memory:.0f} MB"
            )
    return figures
