"""Runs go on in threads that own them; pages only watch.  A closed tab stops nothing."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from clipguide import api, runs
from clipguide.errors import UserError
from clipguide.options import Guided
from clipguide.weights import Models

MAX_WAITING = 200
VIDEO_FRAMES = 60  # kept of a run, for its video
MEMORY_OF_A_RUN = 4 << 30  # bytes, of a large CLIP at a large size


class Job:
    """One run on its way: waiting, running, and then done, stopped or failed.

    image: the newest frame, (B, 3, H, W), while it runs; afterwards the pictures lie in the run's folder.
    scores: (step, score), oldest first.  version: grows with everything that a page may show.
    """

    def __init__(self, planned: api.Plan, run: runs.Run, *, video: bool) -> None:
        self.planned, self.run = planned, run
        self.frame_every = max(1, getattr(planned.settings, "steps", 0) // VIDEO_FRAMES) if video else 0
        self.state, self.error, self.asked_to_stop, self.version = "waiting", "", False, 0
        self.image: Tensor | None = None
        self.scores = [(entry["step"], entry["score"]) for entry in run.log() if entry["score"] is not None]
        self.step, self.total = 0, getattr(planned.settings, "steps", 0)
        self._began: tuple[int, float] | None = None  # (step, time) at the first frame here

    @property
    def name(self) -> str:
        return self.run.folder.name

    @property
    def over(self) -> bool:
        return self.state in ("done", "stopped", "failed")

    @property
    def score(self) -> float | None:
        return self.scores[-1][1] if self.scores else None

    @property
    def seconds_left(self) -> float | None:
        """None before the second frame."""
        if self._began is None or self.step == self._began[0]:
            return None
        first, when = self._began
        return (time.monotonic() - when) / (self.step - first) * (self.total - self.step)

    def become(self, state: str, error: str = "") -> None:
        self.state, self.error = state, error
        if self.over:
            self.image = None
        self.version += 1

    def show(self, progress: api.Progress) -> None:
        step = progress.step
        self.step, self.total, self.image = step.index, step.total, step.image
        if self._began is None:
            self._began = (step.index, time.monotonic())
        if progress.score is not None and progress.score != self.score:
            self.scores.append((step.index, progress.score))
        self.version += 1


class Runner:
    """Works through the jobs, in the order they came, `workers` at a time."""

    def __init__(self, models: Models, root: Path, workers: int = 1) -> None:
        self.models, self.root, self.workers = models, root, workers
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: dict[str, Job] = {}  # by the name of the run's folder
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, planned: api.Plan, *, run: runs.Run | None = None, video: bool = True) -> Job:
        """Puts a plan in the queue.  run: one to go on with.  UserError when too many wait."""
        with self._lock:
            if sum(job.state == "waiting" for job in self._jobs.values()) >= MAX_WAITING:
                raise UserError(f"{MAX_WAITING} pictures are waiting already; try again later")
            if run is not None and (job := self._jobs.get(run.folder.name)) is not None and not job.over:
                return job
            job = Job(planned, run or runs.create(self.root, planned.recipe), video=video)
            self._jobs.pop(job.name, None)  # its place in the queue is a new one
            self._jobs[job.name] = job
        self._queue.put(job)
        return job

    def find(self, name: str) -> Job | None:
        """The job of that run, unless it ran in another life of the server."""
        return self._jobs.get(name)

    def active(self) -> Iterator[Job]:
        return (job for job in list(self._jobs.values()) if not job.over)

    def before(self, job: Job) -> int:
        """How many jobs the queue holds before this one, the running ones with them."""
        jobs = list(self._jobs.values())
        return sum(not other.over for other in jobs[: jobs.index(job)])

    def stop(self, job: Job) -> None:
        """Ends it after the step at hand; what there is of it is kept."""
        job.asked_to_stop = True
        if job.state == "waiting":
            job.become("stopped")

    def forget(self, job: Job, timeout: float = 30) -> None:
        """Stops it, waits until its thread has let go of its folder, and drops it."""
        self.stop(job)
        until = time.monotonic() + timeout
        while not job.over and time.monotonic() < until:
            time.sleep(0.05)
        self._jobs.pop(job.name, None)

    def close(self, timeout: float = 30) -> None:
        """Stops everything, and keeps it so that it can go on after a restart."""
        for job in self.active():
            job.asked_to_stop = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        if not torch.cuda.is_available():
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // self.workers))  # this thread's share of the cores
        with contextlib.suppress(UserError):  # a first picture that wants another CLIP says what is wrong
            self.models.judges(Guided.model_fields["clip"].default)
        while (job := self._queue.get()) is not None:
            if job.asked_to_stop:
                job.become("stopped")
            else:
                self._run(job)
            self._trim()

    def _run(self, job: Job) -> None:
        job.become("running")
        try:
            last = False
            with closing(api.follow(job.planned, self.models, job.run, frame_every=job.frame_every)) as steps:
                for progress in steps:
                    job.show(progress)
                    last = progress.step.last
                    if job.asked_to_stop:
                        break
            job.become("done" if last else "stopped")
        except UserError as error:
            job.become("failed", str(error))
        except Exception as error:  # whatever it is, the next job must run, and the page must say why
            said = " ".join(str(error).split())[:300]
            job.become("failed", f"{type(error).__name__}: {said}")

    def _trim(self) -> None:
        """Forgets the oldest jobs that are over: History reads their folders."""
        with self._lock:
            for name in [name for name, job in self._jobs.items() if job.over][:-MAX_WAITING]:
                del self._jobs[name]


def affordable_workers() -> int:
    """How many runs at once: by free memory and cores, from 1 to 4."""
    cores, free = os.cpu_count() or 1, MEMORY_OF_A_RUN
    if torch.cuda.is_available():
        free, cores = torch.cuda.mem_get_info()[0], 8
    elif "SC_AVPHYS_PAGES" in os.sysconf_names:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(4, cores // 2, free // MEMORY_OF_A_RUN))
