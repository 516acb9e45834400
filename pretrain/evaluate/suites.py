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
    "zero-shot": ("pretrain.evaluate.zero_shot", "name, one sentence and ensemble of sentences; published protocol"),
    "retrieval": ("pretrain.evaluate.retrieval", "R@1, R@5 and R@10 both ways"),
    "linear-probe": ("pretrain.evaluate.linear_probe", "logistic regression on features, penalty swept"),
    "few-shot": ("pretrain.evaluate.few_shot", "probes of 1 to 16 pictures a class against zero-shot"),
    "shift": ("pretrain.evaluate.shift", "the same classes as emoji, photo, sketch, 3D, clip art"),
    "languages": ("pretrain.evaluate.languages", "foreign labels to English labels and to pictures"),
    "overlap": ("pretrain.evaluate.overlap", "test pictures that are also in the training split"),
    "neighbours": ("pretrain.evaluate.neighbours", "the nearest pictures of some prompts, as a sheet"),
    "confusion": ("pretrain.evaluate.confusion", "which class is taken for which"),
}

SPLIT = ("project", "retrieval")  # suites that also measure on the validation part, to choose by


@dataclass(frozen=True)
class Job:
    """What a suite is given.

    shards: of this project; split: of them, for suites of SPLIT; images: a folder of class folders, labels: a file
    with a word for each; sizes: sides in px.
    """

    subject: Subject
    shards: Path | None = None
    images: Path | None = None
    labels: Path | None = None
    prompts: Sequence[str] = ()
    sizes: Sequence[int] = ()
    seed: int = 0
    split: str = "test"

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
        raise UserError(f"no suite {(unknown or [names])[0]!r}; use some of {', '.join(SUITES)}, joined by commas")
    return list(dict.fromkeys(chosen))


def measure(name: str, job: Job) -> Report:
    """Runs one suite of the table."""
    return import_module(SUITES[name][0]).measure(job)
