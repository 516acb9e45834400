"""Batches: many pictures with one start, each of them made once.

    from clipguide import batch, jobs

    for result in batch.run(jobs.grid(photos, ["mosaic", "watercolour"]), Path("styled"), batch.Crew(workers=2)):
        print(result.name, result.state, result.score, result.error)

A batch lives in one folder:

    styled/
        manifest.jsonl          a line for each job; see `manifest`
        cat-mosaic.png          what was made
        contact-sheet.png       styles x photos, when the batch is over; see `sheets`
        work/                   jobs on their way; gone when none is left
A start in a folder that has a manifest does what is left of it: jobs that are done with the same inputs and settings
are skipped, those that were stopped or killed go on where they were, those that failed are tried again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout

from clipguide import manifest, runs, sheets
from clipguide.cluster import cluster
from clipguide.engines import Load, Outcomes, Stop, here, processes
from clipguide.errors import UserError
from clipguide.jobs import SHEETS, Job, Task, check
from clipguide.manifest import Manifest, Outcome
from clipguide.ops.device import pick_device
from clipguide.weights import Models
from clipguide.worker import WORK, Bench

LEAVING = 120  # seconds that a start waits for workers of a killed one, which go after the step at hand


@dataclass(frozen=True, slots=True)
class Crew:
    """Who makes the jobs.

    workers: processes, each with its own networks; 1 is this very process ("ray": one actor).  threads: of each; 0
    shares the cores out.  address: of a Ray cluster.  models: networks that are open already, for one worker here.
    together: pictures that a worker makes at once, see `together`; fewer where that would leave workers without any.
    """

    workers: int = 1
    engine: Literal["local", "ray"] = "local"
    threads: int = 0
    device: str = "auto"
    address: str | None = None
    models: Models | None = None
    together: int = 1


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a job.

    state: "done", "skipped" (done at an earlier start), "failed" or "stopped".  files: what was made, the picture
    first; none unless done or skipped.  seconds: of work.  score: None where nobody judges.  error: one line.
    """

    name: str
    photo: Path | None
    prompts: tuple[str, ...]
    state: str
    files: tuple[Path, ...] = ()
    seconds: float = 0.0
    score: float | None = None
    error: str = ""


def run(
    jobs: Sequence[Job], out: Path, crew: Crew | None = None, *, asked_to_stop: Stop = lambda: False
) -> Iterator[JobResult]:
    """Makes the jobs, and yields each as it is over, in any order; the skipped ones come first.

    asked_to_stop: looked at after every step; once it is true the jobs at hand end as "stopped", and a later start goes
    on from there.  Closing the iterator early does the same.  A script that takes several workers must be importable
    (`if __name__ == "__main__":`).
    UserError before anything is made: see `jobs.check`; a folder that cannot be written, that another batch is at work
    in, or that holds a file of a job's name which no batch made; a device or a cluster that is not there.
    """
    crew, out = crew or Crew(), out.expanduser().absolute()
    if crew.engine == "local":
        pick_device(crew.device)
        tasks = check(jobs, crew.models or Models("cpu"))
    else:  # the cluster's machines may have other networks
        tasks = check(jobs)
    with _held(out):
        noted = _opened(out, tasks)
        kept = {task.name: noted.done(task.name, task.key) for task in tasks}
        left = [task for task in tasks if kept[task.name] is None]
        yield from (_result(out, task, kept[task.name], "skipped") for task in tasks if kept[task.name] is not None)
        given = loads(left, crew)
        with closing(_start(given, out, crew, asked_to_stop)) as outcomes:
            for number, made in outcomes:
                pairs = list(zip(given[number], made, strict=True))
                for task, outcome in pairs:
                    noted.note(_facts(task), outcome)
                noted.append(task.name for task, _ in pairs)
                yield from (_result(out, task, outcome, outcome.state) for task, outcome in pairs)
        noted.write()
        done = {task.name: noted.done(task.name, task.key) for task in tasks}
        sheets.write(out, tasks, {name: out / outcome.files[0] for name, outcome in done.items() if outcome})
        with contextlib.suppress(OSError):  # stopped jobs are kept there
            (out / WORK).rmdir()


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """The folder, made where it was not, for this batch alone; it stays as it was where no batch comes of it."""
    fresh = not out.exists()
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", thread_local=False)  # a web page's iterator wanders through threads
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another batch is at work in {out}; wait for it, or give another --out") from None
    except OSError as error:
        raise UserError(f"--out {out} cannot be written ({error.strerror}); give another folder") from None
    try:
        _clear(out)
        yield
    finally:
        lock.release()
        if not (out / manifest.NAME).exists():
            _leave(out, fresh)


def _leave(out: Path, fresh: bool) -> None:
    (out / ".lock").unlink(missing_ok=True)
    for folder in (out / WORK, out) if fresh else (out / WORK,):
        with contextlib.suppress(OSError):  # something else lies there
            folder.rmdir()


def _clear(out: Path) -> None:
    """Waits for the workers that a killed start left, and takes away what it left half written."""
    for path in (out / WORK).glob("worker-*.lock"):
        try:
            with FileLock(path, timeout=LEAVING):
                path.unlink()
        except Timeout:
            raise UserError(f"workers of a batch that was killed are still at work in {out}; end them first") from None
    if (out / manifest.NAME).exists():  # else it is a stranger's folder
        runs.sweep(out)


def _opened(out: Path, tasks: Sequence[Task]) -> Manifest:
    """The manifest, with a line for every job.  UserError where a file of a job's name was made by nobody known."""
    noted = Manifest(out)
    new = {task.name.casefold() for task in tasks if noted.entry(task.name) is None}
    for path in sorted(path for path in out.iterdir() if path != noted.path and not path.is_dir()):
        sheet = not noted.path.exists() and path.suffix == ".png" and SHEETS.fullmatch(path.stem)
        if sheet or path.name.partition(".")[0].casefold() in new:  # a job's files are its name and endings
            raise UserError(f"{path} is there, and no batch made it; move it, or give another --out")
    for task in tasks:
        if noted.done(task.name, task.key) is None:
            noted.note(_facts(task), Outcome())
    noted.write()
    return noted


def loads(tasks: Sequence[Task], crew: Crew) -> list[Load]:
    """What each worker makes at once."""
    size = max(1, min(crew.together, -(-len(tasks) // max(1, crew.workers))))
    return [tasks[first : first + size] for first in range(0, len(tasks), size)]


def _start(loads: Sequence[Load], out: Path, crew: Crew, asked_to_stop: Stop) -> Outcomes:
    workers = max(1, min(crew.workers, len(loads)))
    if workers == 1 and crew.engine == "local":
        return here(loads, Bench(out, crew.device, crew.threads), asked_to_stop, crew.models)
    bench = Bench(out, crew.device, crew.threads or max(1, torch.get_num_threads() // workers))
    if crew.engine == "ray":
        return cluster(loads, bench, asked_to_stop, workers, crew.address)
    return processes(loads, bench, asked_to_stop, workers)


def _facts(task: Task) -> dict[str, Any]:
    names = ("name", "method", "prompts", "settings", "inputs", "key")
    return {name: getattr(task, name) for name in names}


def _result(out: Path, task: Task, outcome: Outcome, state: str) -> JobResult:
    files = tuple(out / file for file in outcome.files)
    photo = None if task.photo is None else Path(task.photo)
    return JobResult(task.name, photo, task.prompts, state, files, outcome.seconds, outcome.score, outcome.error)
