"""Where does a step's time go, and how near is it to what the machine can multiply?

The networks' own share is the encoder, forward and backward, on views that are already cut, and the canvas, rendered
and differentiated alone; what is left of a step is ours: warp, losses, optimiser.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipguide import api
from clipguide.core import Tick
from clipguide.weights import Models

RUNS, VIEWS, SIDE = 25, 16, 2048


def measure() -> dict[str, str]:
    models = Models("cpu")
    encoder = models.encoder("clip-mini")
    views = torch.rand(VIEWS, 3, encoder.size, encoder.size)
    steps = api.plan(["a castle"], "fourier", {"steps": 10_000, "cutouts": VIEWS}).steps(models)
    canvas = next(steps).canvas
    square = torch.rand(SIDE, SIDE)
    jobs = {
        "step": lambda: next(steps),
        "encoder": lambda: _encode(encoder, views),
        "canvas": lambda: canvas.render(Tick(1, 100, torch.Generator())).image.sum().backward(),
        "product": lambda: square @ square,
    }
    seconds = _interleaved(jobs)
    with FlopCounterMode(display=False) as counter:
        _encode(encoder, views)
    ours = 1 - (seconds["encoder"] + seconds["canvas"]) / seconds["step"]
    reached, peak = counter.get_total_flops() / seconds["encoder"], 2 * SIDE**3 / seconds["product"]
    return {
        f"a step with {VIEWS} views": f"{seconds['step'] * 1e3:.0f} ms",
        "of it the encoder, forward and backward": f"{seconds['encoder'] * 1e3:.0f} ms",
        "of it the canvas, forward and backward": f"{seconds['canvas'] * 1e3:.1f} ms",
        "of it outside both": f"{ours:.0%} (aim: at most 10 %)",
        "encoder against a matrix product": f"{reached / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s",
    }


def _encode(encoder, views: torch.Tensor) -> None:
    views = views.detach().requires_grad_()
    encoder.encode_image(views).sum().backward()


def _interleaved(jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(RUNS + 1):  # the first one warms up
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            if run:
                times[name].append(time.perf_counter() - began)
    return {name: min(seconds) for name, seconds in times.items()}  # the least disturbed run of each
