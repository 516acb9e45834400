"""Engines: who makes the jobs of a batch, in this process or in several; `cluster` has one for Ray.

An engine is given loads: jobs that a worker makes together, often one.  It yields (number of the load, the outcomes
of its jobs) as they are over, in any order.  asked_to_stop is looked at again and again; once it is true, jobs at hand
end as "stopped" and no further ones begin.
"""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path

from filelock import FileLock

from clipguide.errors import Notice
from clipguide.jobs import Task
from clipguide.manifest import Outcome
from clipguide.weights import Models
from clipguide.worker import WORK, Bench, Worker

Load = Sequence[Task]
Outcomes = Iterator[tuple[int, Sequence[Outcome]]]
Stop = Callable[[], bool]
PATIENCE = 0.2  # seconds between two looks at asked_to_stop


def here(loads: Sequence[Load], bench: Bench, asked_to_stop: Stop, models: Models | None = None) -> Outcomes:
    """In this very process."""
    worker = Worker(bench, models) if loads else None
    for number, load in enumerate(loads):
        if asked_to_stop():
            return
        yield number, worker.make(load, asked_to_stop)


def processes(loads: Sequence[Load], bench: Bench, asked_to_stop: Stop, workers: int) -> Outcomes:
    """In `workers` processes of this machine.  One that dies fails its load alone, and another takes its place."""
    waiting = deque(enumerate(loads))
    crew = [_Hand(bench, number) for number in range(min(workers, len(loads)))]
    try:
        yield from _worked(crew, waiting, asked_to_stop)
    except KeyboardInterrupt:  # not the wish to stop, but to be gone
        for hand in crew:
            hand.process.kill()
        raise
    finally:
        for hand in crew:
            hand.dismiss()


def _worked(crew: Sequence[_Hand], waiting: deque[tuple[int, Load]], asked_to_stop: Stop) -> Outcomes:
    for hand in crew:
        hand.give(waiting)
    while busy := {hand.pipe: hand for hand in crew if hand.number is not None}:
        if asked_to_stop():
            waiting.clear()
            for hand in busy.values():
                hand.stop()
        for pipe in wait(list(busy), PATIENCE):
            yield busy[pipe].take()
            busy[pipe].give(waiting)


class _Hand:
    """A process that makes one load after another.  number: of the load at hand, or None."""

    def __init__(self, bench: Bench, place: int) -> None:
        self.bench, self.place, self.number, self.load, self.stopped = bench, place, None, (), False
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit locks of torch's threads
        self.pipe, theirs = context.Pipe()
        self.lock = self.bench.out / WORK / f"worker-{self.place}.lock"
        self.process = context.Process(target=_serve, args=(theirs, self.bench, self.lock), daemon=True)
        with _deaf_to_interrupts():
            self.process.start()
        theirs.close()  # so that its death is the pipe's end

    def give(self, waiting: deque[tuple[int, Load]]) -> None:
        """Hands it the next load, if any."""
        self.number, self.load = waiting.popleft() if waiting else (None, ())
        if self.load:
            if not self.process.is_alive():
                self._start()
            self.pipe.send(self.load)

    def take(self) -> tuple[int, Sequence[Outcome]]:
        """What came of the load, or that the process died."""
        try:
            return self.number, self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
            error = f"its worker died ({how}); short of memory, take fewer workers, or fewer pictures --together"
            return self.number, [Outcome("failed", error=error)] * len(self.load)

    def stop(self) -> None:
        """Asks it once to end the job at hand after the step at hand."""
        if not self.stopped:
            self.stopped = True
            self._tell_end()

    def _tell_end(self) -> None:
        try:
            self.pipe.send(None)
        except OSError:  # it died: `take` will tell
            pass

    def dismiss(self) -> None:
        """Lets it go after the step at hand; one that does not go is ended."""
        self.stop()
        self.process.join(30)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
        self.lock.unlink(missing_ok=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A terminal sends Ctrl-C to all of its processes; those started here leave it to the first to decide.

    The mask is inherited, so that one is deaf from its first moment on, and not only when all is imported.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, bench: Bench, lock: Path) -> None:
    """The life of a worker's process.

    A message that comes while it works is the wish to stop; so is the pipe's end, when the process that started it was
    killed.  It holds its lock until it is gone, so that the next start waits for what this one still writes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    warnings.simplefilter("default", Notice)
    with FileLock(lock):
        worker = Worker(bench)
        try:
            while (load := pipe.recv()) is not None:
                pipe.send(worker.make(load, pipe.poll))
        except (EOFError, OSError):  # the other end is gone
            return
