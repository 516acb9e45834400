"""Where the figures of a run go: TensorBoard always, Weights & Biases where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from clipguide.errors import UserError


class Log(Protocol):
    """Takes the figures of a step."""

    def add(self, values: Mapping[str, float], step: int) -> None: ...


class TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def add(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)


class WeightsAndBiases:
    def __init__(self, run: Any) -> None:
        self._run = run

    def add(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)


class Logs:
    """Several logs as one."""

    def __init__(self, logs: list[Log]) -> None:
        self._logs = logs

    def add(self, values: Mapping[str, float], step: int) -> None:
        for log in self._logs:
            log.add(values, step)


def import_wandb() -> ModuleType:
    """Weights & Biases' package.  Errors: UserError where it is not installed."""
    try:
        import wandb
    except ImportError as error:
        raise UserError("--wandb needs Weights & Biases; run: pip install wandb, or leave --wandb out") from error
    return wandb


@contextmanager
def open_logs(folder: Path, project: str | None, described: Mapping[str, Any]) -> Iterator[Log]:
    """TensorBoard in `folder`/log; with `project` a run of that project, named after the folder and gone on with it.

    described: what the run is made of, shown beside its figures. All logs are closed at the end, whatever happens.
    """
    from torch.utils.tensorboard import SummaryWriter

    with ExitStack() as opened:
        logs: list[Log] = [TensorBoard(opened.enter_context(SummaryWriter(folder / "log")))]
        if project:
            name = folder.resolve().name
            run = import_wandb().init(
                project=project, name=name, id=name, resume="allow", dir=str(folder), config=dict(described)
            )
            logs.append(WeightsAndBiases(opened.enter_context(run)))
        yield Logs(logs)
