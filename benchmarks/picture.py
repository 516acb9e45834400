"""How long does the default picture take, networks opened and all?"""

from __future__ import annotations

import statistics
import time

import clipguide

RUNS = 3


def measure() -> dict[str, str]:
    times = []
    for seed in range(RUNS):
        began = time.perf_counter()
        last = clipguide.generate("a castle", seed=seed).step
        times.append(time.perf_counter() - began)
    return {f"default picture, {last.total} steps, 256 px": f"{statistics.median(times):.1f} s"}
