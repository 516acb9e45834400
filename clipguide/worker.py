"""A worker of a batch: makes one job after another, with networks that it opens once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from clipguide import api, runs
from clipguide.errors import UserError
from clipguide.jobs import Task
from clipguide.manifest import Outcome
from clipguide.plans import Plan
from clipguide.runs import Run
from clipguide.together import Table
from clipguide.weights import Models

WORK = "work"  # the folder of the runs that are on their way
OWN = ("recipe.json", "log.jsonl", "state.pt", "preview.png", runs.LOCK)  # files of a run that are no result


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a worker works.  out: the batch's folder.  threads: 0 leaves them as they are."""

    out: Path
    device: str = "auto"
    threads: int = 0


class Worker:
    """models: None opens them when they are needed."""

    def __init__(self, bench: Bench, models: Models | None = None) -> None:
        if bench.threads:
            torch.set_num_threads(bench.threads)
        self.out, self.models = bench.out, models or Models(bench.device)

    def make(self, tasks: Sequence[Task], asked_to_stop: Callable[[], bool] = lambda: False) -> list[Outcome]:
        """Makes jobs, together where there are several, or goes on with them.

        Whatever goes wrong is one job's own misfortune, told in one line.
        """
        if len(tasks) == 1:
            return [self._made(tasks[0], self.models, asked_to_stop)]
        table = Table(self.models)
        return table.run([partial(self._made, task, table.models, asked_to_stop) for task in tasks])

    def _made(self, task: Task, models: Models, asked_to_stop: Callable[[], bool]) -> Outcome:
        try:
            return self._make(task, models, asked_to_stop)
        except UserError as error:
            return Outcome("failed", error=_one_line(str(error)))
        except Exception as error:  # networks and decoders raise whatever they stumble over
            return Outcome("failed", error=_one_line(f"{type(error).__name__}: {error}"))

    def _make(self, task: Task, models: Models, asked_to_stop: Callable[[], bool]) -> Outcome:
        if not self.out.is_dir():
            raise UserError(f"{self.out} is not there for this worker; machines of a cluster must share that folder")
        planned = task.plan()
        run = _begin(self.out / WORK / task.name, planned, task.key)
        if not run.finished:
            with closing(api.follow(planned, models, run)) as steps:
                for progress in steps:
                    if not progress.step.last and asked_to_stop():
                        return Outcome("stopped", (), round(progress.seconds, 2), progress.step.index)
        return self._deliver(task.name, run)

    def _deliver(self, name: str, run: Run) -> Outcome:
        """Moves what was made beside the manifest.

        The picture goes first: without it a run that is cut short here is made again, and whole.
        """
        made = [path for path in sorted(run.folder.iterdir()) if path.is_file() and path.name not in OWN]
        made.sort(key=lambda path: path != run.picture)
        last, files = run.log()[-1], []
        for path in made:
            kind = path.name.removeprefix("picture").lstrip(".-")  # a name has no dot: no two jobs share a file
            files.append(f"{name}.{kind}")
            os.replace(path, self.out / files[-1])
        run.remove()
        return Outcome("done", tuple(files), last["seconds"], last["step"], last["score"])


def _begin(folder: Path, planned: Plan, key: str) -> Run:
    """The run that was left half made with this very key, or an empty one."""
    run = Run(folder)
    try:
        if run.recipe.get("key") == key:
            run.load_state()
            runs.sweep(folder)  # else it would count as a result
            return run
    except UserError:  # none was left, or a damaged one
        pass
    run.remove()
    folder.mkdir(parents=True)
    recipe = json.dumps(planned.recipe | {"key": key}, ensure_ascii=False, sort_keys=True)
    run.write("recipe.json", recipe.encode(errors="backslashreplace"))  # a photo's name may be no UTF-8
    return run


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
