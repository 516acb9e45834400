"""Stages: several runs as one."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import torch

from clipguide.canvases.averaged import Averaged
from clipguide.canvases.pixels import Pixels
from clipguide.core import Scene, Step, Term, optimise
from clipguide.stages import Leg, staged


def noisy(scene: Scene) -> torch.Tensor:
    return (scene.image() - torch.rand(1, generator=scene.tick.rng)).square().mean()


def stages(*counts: int, seen: list | None = None):
    """Runs of a canvas that begins where the one before ended, a little darker."""

    def run(leg: Leg) -> Iterator[Step]:
        canvas = Averaged(Pixels((8, 8), rng=torch.Generator().manual_seed(3)), 0.5)
        if leg.picture is not None:
            canvas.load(0.9 * leg.picture)
        weight = (lambda progress: seen.append(progress) or 1.0) if seen is not None else 1.0
        given = {"seconds": leg.seconds, "seed": leg.seed, "resume": leg.resume, "span": leg.span}
        yield from optimise(canvas, [Term("x", noisy, weight)], steps=leg.steps, **given)

    return [(count, run) for count in counts]


@pytest.mark.parametrize("counts", [(5,), (2, 3), (2, 0, 3), (0, 2), (2, 0), (1, 1, 1, 1), (0, 0), (0,)])
def test_steps_are_counted_through(counts):
    steps = list(staged(stages(*counts)))
    assert [step.index for step in steps] == list(range(sum(counts) + 1))
    assert {step.total for step in steps} == {sum(counts)}
    assert [step.last for step in steps] == [False] * sum(counts) + [True]


def test_progress_runs_through_all_stages():
    seen: list[float] = []
    list(staged(stages(2, 0, 3, seen=seen)))
    assert sorted(set(seen)) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0]) and seen == sorted(seen)


def test_a_stage_begins_with_the_picture_of_the_one_before_and_other_dice():
    steps = list(staged(stages(2, 2)))
    one, two = list(optimise_alone(steps[2].image, 7919)), [step.image for step in steps[3:]]
    assert all(torch.equal(a.image, b) for a, b in zip(one[1:], two, strict=True))


def optimise_alone(picture: torch.Tensor, seed: int) -> Iterator[Step]:
    ((_, run),) = stages(2)
    return run(Leg(picture, 2, None, seed, None, (0.0, 1.0)))


@pytest.mark.parametrize("at", range(7))
def test_it_is_taken_up_at_any_step_to_the_same_picture(at):
    steps, states = [], []
    for step in staged(stages(3, 1, 2)):
        steps.append(step)
        buffer = io.BytesIO()
        torch.save(step.state(), buffer)
        states.append(torch.load(io.BytesIO(buffer.getvalue()), weights_only=True))
    rest = list(staged(stages(3, 1, 2), resume=states[at]))
    assert states[at]["step"] == at and [step.index for step in rest] == list(range(at, 7))
    assert all(torch.equal(a.image, b.image) for a, b in zip(rest, steps[at:], strict=True))


@pytest.mark.parametrize("at", [0, 2, 3, 4])
def test_finish_ends_all_stages_with_the_last_ones_picture(at):
    steps = []
    for step in staged(stages(3, 4)):
        steps.append(step)
        if step.index == at:
            step.finish()
    assert steps[-1].last and not any(step.last for step in steps[:-1])
    assert [step.index for step in steps] == list(range(at + 2))


def test_time_is_shared_by_the_steps():
    given = []

    def run(leg: Leg) -> Iterator[Step]:
        given.append(leg.seconds)
        yield from optimise(Pixels((8, 8), rng=torch.Generator()), [], steps=0)

    list(staged([(1, run), (3, run)], seconds=8))
    assert given == [2, 6]
