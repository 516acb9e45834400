"""Runs go on in threads that own them; pages only watch.  A closed tab stops nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import torch
from torch import Tensor

from apps.words import tidy
from clipguide import api, runs
from clipguide.errors import UserError
from clipguide.weights import Models

MAX_WAITING = 200
VIDEO_FRAMES = 60  # kept of a run, for its video
MEMORY_OF_A_RUN = 4 << 30  # bytes, of a large CLIP at a large size


class Work:
    """Something in the line: waiting, running, and then done, stopped or failed.

    version: grows with everything that a page may show.  after: work that has still to let go of the same folder.
    """

    def __init__(self, name: str, after: Work | None = None) -> None:
        self.name, self.after = name, after
        self.state, self.error, self.asked_to_stop, self.version = "waiting", "", False, 0

    @property
    def over(self) -> bool:
        return self.state in ("done", "stopped", "failed")

    @property
    def ready(self) -> bool:
        """Whether it waits for nothing but a worker."""
        return self.state == "waiting" and (self.after is None or self.after.over)

    @property
    def news(self) -> tuple:
        """What a page shows as soon as it changes."""
        return (self.state,)

    def become(self, state: str, error: str = "") -> None:
        self.state, self.error = state, error
        self.version += 1

    def do(self, models: Models) -> bool:
        """Does it all, or as much as there is until `asked_to_stop`; whether that was all."""
        raise NotImplementedError


class Job(Work):
    """One run on its way.

    image: the newest frame, (B, 3, H, W), while it runs; afterwards the pictures lie in the run's folder.
    scores: (step, score), oldest first.
    """

    def __init__(self, planned: api.Plan, run: runs.Run, *, video: bool, after: Work | None = None) -> None:
        super().__init__(run.folder.name, after)
        self.planned, self.run = planned, run
        every = planned.film_every or max(1, getattr(planned.settings, "steps", 0) // VIDEO_FRAMES)
        self.frame_every = every if video or planned.film_every else 0
        self.image: Tensor | None = None
        self.scores = [(entry["step"], entry["score"]) for entry in run.log() if entry["score"] is not None]
        self.step, self.total = 0, getattr(planned.settings, "steps", 0)
        self._began: tuple[int, float] | None = None  # (step, time) at the first frame here

    @property
    def news(self) -> tuple:
        return self.state, self.image is not None

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
        if state not in ("waiting", "running"):
            self.image = None
        super().become(state, error)

    def do(self, models: Models) -> bool:
        if self.run.finished:  # the one before it came to its end all the same
            return True
        with closing(api.follow(self.planned, models, self.run, frame_every=self.frame_every)) as steps:
            for progress in steps:
                self.show(progress)
                if progress.step.last or self.asked_to_stop:
                    return progress.step.last
        return False

    def show(self, progress: api.Progress) -> None:
        step = progress.step
        self.step, self.total, self.image = step.index, step.total, step.image
        if self._began is None:
            self._began = (step.index, time.monotonic())
        if progress.score is not None and progress.score != self.score:
            self.scores.append((step.index, progress.score))
        self.version += 1


class Runner:
    """Works through the line, in the order things came, `workers` at a time."""

    def __init__(self, models: Models, root: Path, workers: int = 1) -> None:
        self.models, self.root, self.workers = models, root, workers
        self._all: dict[str, Work] = {}  # by name, runs by that of their folder: the line, and what was in it lately
        self._line = threading.Condition()
        self._closing = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, *planned: api.Plan, video: bool = True) -> list[Job]:
        """Puts plans in the line, all or none of them.  UserError when too many wait, or no folder can be made."""
        with self._line:
            self._refuse_a_crowd(len(planned))
            made = runs.create_all(self.root, [plan.recipe for plan in planned])
            jobs = [Job(plan, run, video=video) for plan, run in zip(planned, made, strict=True)]
            for job in jobs:
                self._put(job)
        return jobs

    def resume(self, planned: api.Plan, run: runs.Run, *, video: bool = True) -> Job:
        """Goes on with a run; the job that is at it already, unless that was asked to stop.  UserError as `submit`."""
        with self._line:
            last = self.find(run.folder.name)
            if last is not None and not last.over and not last.asked_to_stop:
                return last
            self._refuse_a_crowd()
            job = Job(planned, run, video=video, after=last and (last.after if last.over else last))
            self._put(job)
        return job

    def add(self, work: Work) -> None:
        """Puts other work in the line, again where it was stopped.  UserError when too many wait."""
        with self._line:
            self._refuse_a_crowd()
            work.asked_to_stop = False
            work.become("waiting")
            self._put(work)

    def _refuse_a_crowd(self, more: int = 1) -> None:
        if sum(work.state == "waiting" for work in self._all.values()) + more > MAX_WAITING:
            raise UserError(f"{MAX_WAITING} pictures are waiting already; try again later")

    def _put(self, work: Work) -> None:
        self._all.pop(work.name, None)  # its place in the line is a new one
        self._all[work.name] = work
        self._line.notify_all()

    def find(self, name: str) -> Job | None:
        """The job of that run, unless it ran in another life of the server."""
        job = self._all.get(name)
        return job if isinstance(job, Job) else None

    def find_work(self, name: str) -> Work | None:
        """What stands in the line under that name, or stood there lately."""
        return self._all.get(name)

    def active(self) -> Iterator[Work]:
        return (job for job in list(self._all.values()) if not job.over)

    def before(self, job: Work) -> int:
        """How many jobs the line holds before this one, the running ones with them."""
        return sum(not other.over for other in takewhile(lambda other: other is not job, list(self._all.values())))

    def stop(self, *jobs: Work) -> None:
        """Ends each after the step at hand; what there is of it is kept."""
        with self._line:
            for job in jobs:
                job.asked_to_stop = True
                if job.state == "waiting":
                    job.become("stopped")

    def forget(self, job: Job, timeout: float = 30) -> None:
        """Stops it, waits until its thread has let go of its folder, and drops it."""
        self.stop(job)
        until = time.monotonic() + timeout
        while not (job.over and (job.after is None or job.after.over)) and time.monotonic() < until:
            time.sleep(0.05)
        with self._line:
            self._all.pop(job.name, None)

    def close(self, timeout: float = 30) -> None:
        """Stops everything, and keeps it so that it can go on after a restart."""
        with self._line:
            self.stop(*self.active())
            self._closing = True
            self._line.notify_all()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        if not torch.cuda.is_available():
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // self.workers))  # this thread's share of the cores
        while (job := self._next()) is not None:
            self._run(job)
            self._trim()

    def _next(self) -> Work | None:
        """Waits for work, and marks it as running; None once the runner closes."""
        with self._line:
            while not self._closing:
                for work in self._all.values():
                    if work.ready:
                        work.become("running")
                        return work
                self._line.wait()
        return None

    def _run(self, work: Work) -> None:
        try:
            work.become("done" if work.do(self.models) else "stopped")
        except UserError as error:
            work.become("failed", tidy(str(error)))
        except Exception as error:  # whatever it is, the next one must run, and the page must say why
            work.become("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def _trim(self) -> None:
        """Forgets the oldest jobs that are over: History reads their folders."""
        with self._line:
            for name in [name for name, job in self._all.items() if job.over][:-MAX_WAITING]:
                del self._all[name]
            self._line.notify_all()  # another may have waited for this one


def affordable_workers() -> int:
    """How many runs at once: by free memory and cores, from 1 to 4."""
    cores, free = os.cpu_count() or 1, MEMORY_OF_A_RUN
    if torch.cuda.is_available():
        free, cores = torch.cuda.mem_get_info()[0], 8
    elif "SC_AVPHYS_PAGES" in os.sysconf_names:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(4, cores // 2, free // MEMORY_OF_A_RUN))
