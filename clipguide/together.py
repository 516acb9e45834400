"""Together: several runs side by side, each as if it were alone, whose networks see the pictures of all in one batch.

    table = Table(models)
    results = table.run([partial(make, job, table.models) for job in jobs])

Every run has a thread of its own, and one of them works at a time.  A run that shows views to a CLIP waits; when nobody
can go on without an answer, the image tower answers all who ask alike at once, and its gradient comes back to them in
the same way.  Nothing else is shared: photos, sizes, dice, steps and even methods may differ, and a
run that fails or ends leaves the others alone.

Round-off would grow tenfold in a step, to another picture.  So a network answers at once only those to whom it gives
the very bits that it would give them alone, which depends on its kernels, the number of threads and the sizes.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from typing import Any, TypeVar

import torch
from torch import Tensor

from clipguide.weights import Models

T = TypeVar("T")
Network = Callable[[Tensor], Tensor]  # of pictures (N, ...), none of which knows of another


class Table:
    """Where runs meet.  models: what is to be given to them, in place of `models`."""

    def __init__(self, models: Models) -> None:
        self._turn = threading.Condition()  # held by the run that works
        self._runs, self._asks, self._own = 0, [], threading.local()
        self._exact: dict[Hashable, bool] = {}  # network and sizes of those that ask -> whether at once is as alone
        self.models = copy.copy(models)
        self.models.encoder = cache(lambda name: models.encoder(name).through(self._shared))

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

    def _shared(self, network: Network) -> Network:
        def see(pictures: Tensor) -> Tensor:
            wanted = torch.is_grad_enabled() and pictures.requires_grad
            alike = id(network), pictures.shape[1:], wanted
            share = self.ask(alike, partial(self._look, network, wanted), pictures.detach())
            return _Seen.apply(self, share, pictures)

        return see

    def _look(self, network: Network, wanted: bool, pictures: list[Tensor]) -> list[_Share]:
        sizes = id(network), *(own.shape for own in pictures)
        if len(pictures) > 1 and sizes not in self._exact:
            self._exact[sizes] = same_bits(network, pictures)
        if len(pictures) > 1 and not self._exact[sizes]:
            raise ArithmeticError("at once they would not get what they get alone")
        return _look(network, wanted, pictures)

    def ask(self, alike: Hashable, answer: Callable[[list[Any]], list[Any]], given: Any) -> Any:
        """Waits until no run can go on, and is then answered together with those who ask alike, in the runs' order.

        Where it fails for all at once, as for want of memory, each is answered by itself, and only those for whom that
        fails too get its error.
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
    """What a network saw at once, and its output: the graph lies between.  left: runs whose gradient is to come."""

    seen: Tensor | None
    output: Tensor | None
    left: int


@dataclass(frozen=True, slots=True)
class _Share:
    """A run's rows of a batch."""

    batch: _Batch
    rows: slice


class _Seen(torch.autograd.Function):
    """What a network made of a run's own pictures; the way back leads through the table."""

    @staticmethod
    def forward(ctx: Any, table: Table, share: _Share, pictures: Tensor) -> Tensor:
        ctx.table, ctx.share = table, share
        return share.batch.output.detach()[share.rows]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.table.ask(ctx.share.batch, _pull, (ctx.share, gradient))


def _look(network: Network, wanted: bool, pictures: list[Tensor]) -> list[_Share]:
    with torch.set_grad_enabled(wanted):
        seen = torch.cat(pictures).requires_grad_(wanted)
        batch = _Batch(seen, network(seen), len(pictures))
    ends = list(accumulate(map(len, pictures)))
    return [_Share(batch, slice(end - len(own), end)) for own, end in zip(pictures, ends, strict=True)]


def _pull(asks: list[tuple[_Share, Tensor]]) -> list[Tensor]:
    """The gradient in each run's rows; those of runs that did not ask yet are left for later."""
    batch = asks[0][0].batch
    gradient = torch.zeros_like(batch.output)
    for share, own in asks:
        gradient[share.rows] = own
    (pulled,) = torch.autograd.grad(batch.output, batch.seen, gradient, retain_graph=True)
    batch.left -= len(asks)
    if not batch.left:  # the graph goes with them
        batch.seen = batch.output = None
    return [pulled[share.rows] for share, _ in asks]


def same_bits(network: Network, pictures: Sequence[Tensor]) -> bool:
    """Whether each gets the same output and gradient from the network at once with the others as it gets alone."""

    def bits(own: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            seen = own.clone().requires_grad_()
            output = network(seen)
        (gradient,) = torch.autograd.grad(output, seen, output.detach())  # any way will do that is each row's own
        return output.detach(), gradient

    alone = zip(*map(bits, pictures), strict=True)
    return all(torch.equal(torch.cat(own), joint) for own, joint in zip(alone, bits(torch.cat(pictures)), strict=True))
