"""What can be measured: SUITES names a module for each, with `measure(job) -> Report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from clipguide.errors import UserError
from pretrain.evaluate.report import Report
from pretrain.evaluate.subject import Subject

SUITES = {
    "project": ("pretrain.evaluate.project", "held-out photos, style and names of this project; ImageNet class rows"),
}


@dataclass(frozen=True)
class Job:
    """What a suite is given. shards: of this project; images: a folder of class folders; sizes: sides in px."""

    subject: Subject
    shards: Path | None = None
    images: Path | None = None
    sizes: Sequence[int] = ()
    seed: int = 0

    def need_shards(self) -> Path:
        """The folder of shards. Errors: UserError where none was given."""
        if self.shards is None:
            raise UserError("this suite measures on shards; give --shards FOLDER (`python -m pretrain data build`)")
        return self.shards


def choose(names: str) -> list[str]:
    """'project,retrieval' -> the names. Errors: UserError for an unknown one."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in SUITES]
    if unknown or not chosen:
        raise UserError(f"no suite {(unknown or [names])[0]!r}; use one or more of {', '.join(SUITES)}, joined by commas")
    return list(dict.fromkeys(chosen))


def measure(name: str, job: Job) -> Report:
    """Runs one suite of the table."""
    return import_module(SUITES[name][0]).measure(job)
