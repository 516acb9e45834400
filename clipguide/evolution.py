"""Evolution: follows the terms without any gradient, by trying many pictures a step.

PGPE (Sehnke et al. 2010) with ClipUp (Toklu et al. 2020), as in Tian and Ha, "Modern evolution strategies for
creativity" (2022).  The canvas need not be differentiable; nor need the terms.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipguide.core import Canvas, Clock, Scene, Step, Term, Tick

MOMENTUM = 0.9  # of ClipUp's velocity
SPEED_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Search:
    """How the neighbourhood is searched.

    population: pictures tried in a step; an even number, as they come in pairs of opposite changes.  spread: standard
    deviation of a change, speed: the longest step of the mean, both in units of each parameter group's "lr"; the
    speed is that of all numbers together, as in ClipUp.  adapt: how fast the spread follows what was learned.
    """

    population: int = 32
    spread: float = 2.0
    speed: float = 8.0
    adapt: float = 0.1


def evolve(
    canvas: Canvas,
    terms: Sequence[Term],
    search: Search,
    *,
    steps: int,
    seconds: float | None = None,
    seed: int = 0,
    resume: Mapping[str, Any] | None = None,
) -> Iterator[Step]:
    """Yields steps + 1 times, as `core.optimise` does: the mean picture with its losses, then the next generation.

    All pictures of a step are seen through the same windows, so that they differ by themselves alone.
    """
    rng, step = torch.Generator().manual_seed(seed), 0
    centre = _Centre.of(canvas, search)
    if resume is not None:
        step = resume["step"]
        rng.set_state(resume["rng"])
        canvas.load_state_dict(resume["canvas"])
        centre = _Centre(centre.unit, **resume["optimiser"])
    clock = Clock(steps, seconds, step)
    while True:
        total = clock.total(step)
        tick, dice, crops = Tick(step, total, rng, preview=step >= total), rng.get_state(), {}
        image, losses, _ = _seen(canvas, terms, tick, crops)

        def state(step: int = step, dice: Tensor = dice, centre: _Centre = centre) -> dict[str, Any]:
            inner = {"spread": centre.spread, "velocity": centre.velocity}
            return copy.deepcopy({"step": step, "rng": dice, "canvas": canvas.state_dict(), "optimiser": inner})

        yield Step(step, total, image, losses, canvas, state, clock.finish)
        if tick.preview:
            return
        centre = _generation(canvas, terms, tick, crops, centre, search)
        step += 1


@dataclass(frozen=True, slots=True)
class _Centre:
    """The state of the search beside the canvas: each (N,), one entry for each number of the canvas."""

    unit: Tensor  # the learning rate of each number
    spread: Tensor
    velocity: Tensor

    @classmethod
    def of(cls, canvas: Canvas, search: Search) -> _Centre:
        parts = [torch.full_like(p.detach(), g["lr"]).flatten() for g in canvas.param_groups() for p in g["params"]]
        unit = torch.cat(parts)
        return cls(unit, search.spread * torch.ones_like(unit), torch.zeros_like(unit))


def _generation(
    canvas: Canvas, terms: Sequence[Term], tick: Tick, crops: dict, centre: _Centre, search: Search
) -> _Centre:
    """Tries the population, and moves the canvas and the spread to where it was better."""
    mean = _read(canvas)
    pairs = search.population // 2
    changes = torch.randn(pairs, len(mean), generator=tick.rng).to(mean) * centre.spread  # in units
    totals = []
    for change in changes:
        for sign in (1, -1):
            _write(canvas, mean + sign * change * centre.unit)
            totals.append(_seen(canvas, terms, tick, crops)[2])
    ranks = _centred_ranks(torch.tensor(totals)).to(mean).view(pairs, 2)
    slope = ((ranks[:, 0] - ranks[:, 1])[:, None] * changes).mean(0) / 2  # up the loss
    velocity = MOMENTUM * centre.velocity - search.speed / 2 * slope / slope.norm().clamp(min=SPEED_FLOOR)
    velocity = velocity * (search.speed / velocity.norm().clamp(min=SPEED_FLOOR)).clamp(max=1)
    _write(canvas, mean + velocity * centre.unit)
    gain = ((ranks.mean(1)[:, None]) * (changes.square() - centre.spread.square()) / centre.spread).mean(0)
    change = (-search.adapt * gain / centre.spread).clamp(-0.02, 0.02)  # lower loss farther out: spread more
    return _Centre(centre.unit, centre.spread * (1 + change), velocity)


@torch.no_grad()
def _seen(
    canvas: Canvas, terms: Sequence[Term], tick: Tick, crops: dict
) -> tuple[Tensor, dict[str, Tensor], float]:
    """The picture, the loss of every term that weighs something, and their weighted sum."""
    frame = canvas.render(tick)
    scene = Scene(frame.tensors(), tick, crops)
    weighed = [(term, weight) for term in terms if (weight := term.weight_at(tick.progress))]
    losses = {term.name: term.loss(scene).detach() for term, _ in weighed}
    total = sum(weight * float(losses[term.name]) for term, weight in weighed)
    return frame.image.detach().clone(), losses, total


def _centred_ranks(scores: Tensor) -> Tensor:
    """(P,) -> (P,): -0.5 for the lowest loss, 0.5 for the highest."""
    order = torch.empty_like(scores)
    order[scores.argsort()] = torch.arange(len(scores)).to(scores)
    return order / max(1, len(scores) - 1) - 0.5


def _numbers(canvas: Canvas) -> list[Tensor]:
    return [parameter for group in canvas.param_groups() for parameter in group["params"]]


def _read(canvas: Canvas) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in _numbers(canvas)])


@torch.no_grad()
def _write(canvas: Canvas, values: Tensor) -> None:
    """Puts the numbers into the canvas, and the canvas into its legal set."""
    at = 0
    for parameter in _numbers(canvas):
        parameter.copy_(values[at : at + parameter.numel()].view_as(parameter))
        at += parameter.numel()
    canvas.project()
