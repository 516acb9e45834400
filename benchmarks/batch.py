"""What a batch costs beside its pictures, and what pictures optimised at once would save.

    python -m benchmarks.batch [CLIP]

CPU time, for a busy machine's wall clock says nothing.  Jobs of the batch and single runs (planned, followed and
written as the command line does, with networks that are open already) take turns: what slows one slows the other.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

JOBS, STEPS, SIDE, CUTOUTS = 20, 10, 64, 4
TOGETHER = 4


class Watch:
    """Seconds of CPU time, summed up."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds += time.process_time() - began


def overhead(clip: str, folder: Path) -> tuple[float, float]:
    """CPU seconds of JOBS jobs of a batch, its manifest and sheet with them, and of as many single runs."""
    from clipguide import api, batch, jobs, runs

    models = api.Models("cpu")
    settings = {"steps": STEPS, "size": SIDE, "cutouts": CUTOUTS, "clip": clip, "features": clip}
    wanted = jobs.grid(_photos(folder, JOBS), ["a mosaic"], method="clipstyler", settings=settings)
    ours, single = Watch(), Watch()

    def alone(job: jobs.Job, root: Path) -> None:
        planned = api.plan(job.prompts, job.method, job.settings)
        for _ in api.follow(planned, models, runs.create(root, planned.recipe)):
            pass

    alone(wanted[0], folder / "warm")
    with ours.running():
        results = batch.run(wanted, folder / "batch", batch.Crew(models=models))
    for job in wanted:
        with ours.running():
            next(results)
        with single.running():
            alone(job, folder / "single")
    with ours.running():
        assert next(results, None) is None  # the contact sheet
    return ours.seconds, single.seconds


def together(clip: str, folder: Path) -> tuple[float, float]:
    """CPU seconds of TOGETHER pictures of one photo and style, one by one, and at once (`--batch`)."""
    from clipguide import api

    models = api.Models("cpu")
    (photo,) = _photos(folder, 1)
    settings = {"steps": STEPS, "size": 128, "cutouts": 8, "clip": clip, "features": clip, "init": photo}
    watches = {1: Watch(), TOGETHER: Watch()}
    for turn in range(3):  # the first warms up
        for count, watch in watches.items():
            for seed in range(TOGETHER // count):
                with watch.running():
                    values = {**settings, "batch": count, "seed": seed}
                    api.generate("a mosaic", method="clipstyler", models=models, **values)
        if not turn:
            watches = {count: Watch() for count in watches}
    return watches[1].seconds / 2, watches[TOGETHER].seconds / 2


def _photos(folder: Path, count: int) -> list[Path]:
    """Clouds of colour, 160 x 120 px."""
    import torch

    from clipguide import images

    (folder / "photos").mkdir(exist_ok=True)
    for number in range(count):
        noise = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(number))
        picture = torch.nn.functional.interpolate(noise, (120, 160), mode="bicubic").clamp(0, 1)
        images.write(folder / "photos" / f"{number}.png", images.png(picture))
    return sorted((folder / "photos").iterdir())[:count]


def measure(clip: str = "clip-mini") -> dict[str, str]:
    """Figure -> value, in words."""
    with tempfile.TemporaryDirectory() as root:
        ours, single = overhead(clip, Path(root))
        one_by_one, at_once = together(clip, Path(root))
    return {
        f"{JOBS} jobs of one worker": f"{ours:.2f} s CPU, {ours / single:.3f} times single runs ({single:.2f} s)",
        f"{TOGETHER} pictures at once": f"{at_once:.2f} s CPU, one by one {one_by_one:.2f} s",
    }


if __name__ == "__main__":
    print(measure(*sys.argv[1:2]))
