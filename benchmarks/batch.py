"""What a batch costs beside its pictures, and what pictures made side by side save.

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

JOBS, STEPS, SIDE = 20, 50, 192
TOGETHER, ROUNDS, VIEWS = 4, 3, (4, 16)


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
    """CPU seconds that a job costs beside its steps, manifest and sheet with them, and those of a single run."""
    from clipguide import api, batch, jobs, runs

    models = api.Models("cpu")
    settings = {"steps": 0, "size": SIDE, "clip": clip, "features": clip}
    wanted = jobs.grid(_photos(folder, JOBS), ["a mosaic"], method="clipstyler", settings=settings)
    ours, single, whole = Watch(), Watch(), Watch()

    def alone(job: jobs.Job, **settings: int) -> None:
        planned = api.plan(job.prompts, job.method, {**job.settings, **settings})
        for _ in api.follow(planned, models, runs.create(folder / "single", planned.recipe)):
            pass

    alone(wanted[0], steps=1)  # warms up
    with ours.running():
        results = batch.run(wanted, folder / "batch", batch.Crew(models=models))
    for job in wanted:
        with ours.running():
            next(results)
        with single.running():
            alone(job)
    with ours.running():
        assert next(results, None) is None  # the contact sheet
    with whole.running():
        alone(wanted[0], steps=STEPS)
    return (ours.seconds - single.seconds) / JOBS, whole.seconds


def together(clip: str, folder: Path, views: int) -> tuple[float, float]:
    """CPU seconds of TOGETHER photos in one style, of `views` views each, made one by one, and side by side."""
    from clipguide import api, batch, jobs

    models = api.Models("cpu")
    settings = {"steps": 4, "size": SIDE, "cutouts": views, "clip": clip, "features": clip}
    wanted = jobs.grid(_photos(folder, TOGETHER), ["a mosaic"], method="clipstyler", settings=settings)
    times: dict[int, list[float]] = {1: [], TOGETHER: []}
    for turn in range(ROUNDS + 1):  # the first warms up
        for count, found in times.items():
            watch, out = Watch(), folder / f"{views}-{turn}-{count}"
            with watch.running():
                results = list(batch.run(wanted, out, batch.Crew(models=models, together=count)))
            assert all(result.state == "done" for result in results)
            found += [watch.seconds] * (turn > 0)
    return min(times[1]), min(times[TOGETHER])


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
        beside, whole = overhead(clip, Path(root))
        gains = {views: together(clip, Path(root), views) for views in VIEWS}
    share = f"{1 + beside / whole:.4f} times a single run of {SIDE} px, {STEPS} steps ({whole:.1f} s; aim: 1.02)"
    return {f"a job of {JOBS}, beside its steps": f"{beside * 1000:.0f} ms CPU, {share}"} | {
        f"{TOGETHER} side by side, {views} views each": f"{one_by_one / at_once:.3f} times faster ({at_once:.2f} s CPU)"
        for views, (one_by_one, at_once) in gains.items()
    }


if __name__ == "__main__":
    print(measure(*sys.argv[1:2]))
