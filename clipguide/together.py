"""Together: several runs side by side, each as if it were alone, whose networks see the pictures of all in one batch.

    table = Table(models)
    results = table.run([partial(make, job, table.models) for job in jobs])

Every run has a thread of its own, and one of them works at a time.  A run that asks a frozen network for something
waits; when nobody can go on without an answer, the network answers all who ask alike at once, and its gradient comes
back to them in the same way.  Nothing else is shared: photos, sizes, dice, steps and even methods may differ, and a
run that fails or ends leaves the others alone.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import accumulate
from typing import Any, TypeVar

import torch
from torch import Tensor

from clipguide.weights import Models

T = TypeVar("T")
Network = Callable[[Tensor], Tensor | list[Tensor]]  # of pictures (N, ...), none of which knows of another


class Table:
    """Where runs meet.  models: what is to be given to them, in place of `models`."""

    def __init__(self, models: Models) -> None:
        self._turn = threading.Condition()  # held by the run that works
        self._runs, self._asks, self._own = 0, [], threading.local()
        self.models = copy.copy(models)
        self.models.encoder = cache(lambda name: models.encoder(name).through(self._shared))
        self.models.features = cache(lambda name: self._shared_features(models, name))

    def run(self, runs: Sequence[Callable[[], T]]) -> list[T]:
        """What each run returns, in their order.  An error of one is raised when all are over."""
        self._runs = len(runs)
        with ThreadPoolExecutor(len(runs)) as threads:
            return list(threads.map(self._sit, range(len(runs)), runs))

    def _sit(self, number: int, run: Callable[[], T]) -> T:
        self._own.number = number
        # a gradient that waits for others may not hold up the one thread that torch keeps for a GPU's gradients
        with self._turn, torch.autograd.set_multithreading_enabled(False):
            try:
                return run()
            finally:
                self._runs -= 1
                self._answer_when_all_wait()

    def _shared_features(self, models: Models, name: str) -> Any:
        features = models.features(name)
        return replace(features, network=self._shared(features.network))

    def _shared(self, network: Network) -> Network:
        def see(pictures: Tensor) -> Tensor | list[Tensor]:
            wanted = torch.is_grad_enabled() and pictures.requires_grad
            alike = id(network), pictures.shape[1:], wanted
            share = self.ask(alike, partial(_look, network, wanted), pictures.detach())
            outputs = _Seen.apply(self, share, pictures)
            return outputs[0] if share.batch.single else list(outputs)

        return see

    def ask(self, alike: Hashable, answer: Callable[[list[Any]], list[Any]], given: Any) -> Any:
        """Waits until no run can go on, and is then answered together with those who ask alike, in the runs' order.

        The answer to some must not depend on the others: where it fails for all at once, as for want of memory, each is
        answered by itself, and only those whom that fails too get its error.
        """
        ask = _Ask(self._own.number, alike, answer, given)
        self._asks.append(ask)
        self._answer_when_all_wait()
        while not ask.answered:
            self._turn.wait()
        if ask.error is not None:
            raise ask.error
        return ask.result

    def _answer_when_all_wait(self) -> None:
        if len(self._asks) < self._runs:
            return
        groups: dict[Hashable, list[_Ask]] = {}
        for ask in sorted(self._asks, key=lambda ask: ask.run):
            groups.setdefault(ask.alike, []).append(ask)
        self._asks.clear()
        for group in groups.values():
            _answer(group)
        self._turn.notify_all()


@dataclass(eq=False, slots=True)
class _Ask:
    run: int
    alike: Hashable
    answer: Callable[[list[Any]], list[Any]]
    given: Any
    result: Any = None
    error: Exception | None = None
    answered: bool = False


def _answer(asks: list[_Ask]) -> None:
    try:
        results = asks[0].answer([ask.given for ask in asks])
    except Exception as error:
        if len(asks) > 1:
            for ask in asks:
                _answer([ask])
            return
        asks[0].error, results = error, [None]
    for ask, ask.result in zip(asks, results, strict=True):
        ask.answered = True


@dataclass(eq=False, slots=True)
class _Batch:
    """What a network saw at once, and its outputs: the graph lies between.

    single: the network has one output, and not a list.  left: runs whose gradient is to come.
    """

    seen: Tensor | None
    outputs: list[Tensor]
    single: bool
    left: int


@dataclass(frozen=True, slots=True)
class _Share:
    """A run's rows of a batch."""

    batch: _Batch
    rows: slice


class _Seen(torch.autograd.Function):
    """What a network made of a run's own pictures; the way back leads through the table."""

    @staticmethod
    def forward(ctx: Any, table: Table, share: _Share, pictures: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.table, ctx.share = table, share
        return tuple(output.detach()[share.rows] for output in share.batch.outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[None, None, Tensor]:
        return None, None, ctx.table.ask(ctx.share.batch, _pull, (ctx.share, gradients))


def _look(network: Network, wanted: bool, pictures: list[Tensor]) -> list[_Share]:
    with torch.set_grad_enabled(wanted):
        seen = torch.cat(pictures).requires_grad_(wanted)
        outputs = network(seen)
    single = isinstance(outputs, Tensor)
    batch = _Batch(seen, [outputs] if single else list(outputs), single, len(pictures))
    ends = list(accumulate(map(len, pictures)))
    return [_Share(batch, slice(end - len(own), end)) for own, end in zip(pictures, ends, strict=True)]


def _pull(asks: list[tuple[_Share, tuple[Tensor | None, ...]]]) -> list[Tensor]:
    """The gradient in each run's rows; those of runs that did not ask yet are left for later."""
    batch = asks[0][0].batch
    outputs, gradients = [], []
    for number, output in enumerate(batch.outputs):
        own = [(share.rows, given[number]) for share, given in asks if given[number] is not None]
        if own:
            gradient = torch.zeros_like(output)
            for rows, part in own:
                gradient[rows] = part
            outputs.append(output)
            gradients.append(gradient)
    (pulled,) = torch.autograd.grad(outputs, batch.seen, gradients, retain_graph=True)
    batch.left -= len(asks)
    if not batch.left:  # the graph goes with them
        batch.seen, batch.outputs = None, []
    return [pulled[share.rows] for share, _ in asks]
