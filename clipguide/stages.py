"""Stages: several runs of the loop, one after the other, as one: a picture that grows, a film in which it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from clipguide.core import Step

SEED_STEP = 7919  # between the seeds of two stages: their dice must not be the same


@dataclass(frozen=True, slots=True)
class Leg:
    """What a stage is given, for `core.optimise`.

    picture: (B, 3, H, W), what the stage before came to; None for the first one, and for one that is resumed.
    steps, seconds, seed, resume, span: as the arguments of `core.optimise`.
    """

    picture: Tensor | None
    steps: int
    seconds: float | None
    seed: int
    resume: Mapping[str, Any] | None
    span: tuple[float, float]


Stage = tuple[int, Callable[[Leg], Iterator[Step]]]  # (steps, what runs them)


def staged(
    stages: Sequence[Stage], *, seed: int = 0, seconds: float | None = None, resume: Mapping[str, Any] | None = None
) -> Iterator[Step]:
    """Runs the stages, each from the picture of the one before, and counts their steps on.

    Yields one more time than there are steps, as `core.optimise`: between two stages the picture that the first came
    to, and not the start of the second.  seconds: shared among the stages by their steps.  All pictures must be of one
    size.  resume: the state of one of its steps.
    """
    first, done = (resume["stage"], resume["done"]) if resume else (0, 0)
    wanted = [steps for steps, _ in stages]
    pace = seconds and seconds / max(1, sum(wanted[first:]))
    end, step = _End(), None
    for number in range(first, len(stages)):
        steps, left = wanted[number], sum(wanted[number + 1 :])
        if end.asked:
            steps, left = min(steps, int(end.at == done)), 0  # as in `core.optimise`, one more step is taken
        leg = Leg(
            picture=None if step is None else step.image,
            steps=steps,
            seconds=pace and pace * steps,
            seed=(seed + SEED_STEP * number) % 2**32,
            resume={**resume, "step": resume["step"] - done} if resume and number == first else None,
            span=tuple(sum(wanted[:n]) / max(1, sum(wanted)) for n in (number, number + 1)),
        )
        final = number == len(stages) - 1
        for step in stages[number][1](leg):
            if final or not (step.last and (end.asked or not left)):  # else the next stage shows the end
                if step.index or leg.picture is None or (final and step.last):  # else the stage before showed it
                    yield _counted(step, number, done, left, end)
        done += step.index


class _End:
    """Whether, and at which step, the whole run was asked to end."""

    at = -1

    @property
    def asked(self) -> bool:
        return self.at >= 0

    def ask(self, step: Step, index: int) -> None:
        self.at = index
        step.finish()


def _counted(step: Step, number: int, done: int, left: int, end: _End) -> Step:
    """A stage's step as one of the whole run."""

    def state() -> dict[str, Any]:
        inner = step.state()
        return {**inner, "step": done + inner["step"], "stage": number, "done": done}

    index, total = done + step.index, done + step.total + (0 if end.asked else left)
    return replace(step, index=index, total=total, state=state, finish=lambda: end.ask(step, index))
