"""The loop: what it yields, how it ends, how its time is spent, and how it is taken up again."""

from __future__ import annotations

import time

import torch
from doubles import canvas, dark, dice, make_tick
from torch import Tensor

from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import Fourier
from clipguide.core import Scene, Step, Term, optimise
from clipguide.losses.smooth import smooth


def noisy(scene: Scene) -> Tensor:
    """Another target at every step: its dice must be taken up again too."""
    return (scene.image() - torch.rand(1, generator=scene.tick.rng)).square().mean()


def test_yields_every_frame_then_the_result():
    steps = list(optimise(canvas(), [Term("dark", dark)], steps=3))
    assert [step.index for step in steps] == [0, 1, 2, 3] and [step.last for step in steps] == [False] * 3 + [True]
    for step in steps:  # the losses are of that very frame
        torch.testing.assert_close(step.losses["dark"], step.image.square().mean())
    torch.testing.assert_close(steps[0].image, canvas().pixels.detach())
    assert steps[3].image.mean() < steps[2].image.mean() < steps[0].image.mean()


def test_no_steps_show_the_start():
    (step,) = optimise(canvas(), [Term("dark", dark)], steps=0)
    assert step.last and torch.equal(step.image, canvas().pixels) and "dark" in step.losses
    (bare,) = optimise(canvas(), [], steps=0, seconds=5)
    assert bare.last and bare.losses == {}


def test_breaking_off_keeps_what_there_is():
    drawn = canvas()
    for step in optimise(drawn, [Term("dark", dark)], steps=100):
        if step.index == 2:
            break
    assert torch.equal(step.image, drawn.pixels)


def test_finish_makes_the_next_step_the_last():
    steps = []
    for step in optimise(canvas(), [Term("dark", dark)], steps=100):
        steps.append(step)
        if step.index == 2:
            step.finish()
    assert steps[-1].index == 3 and steps[-1].last and not steps[2].last


def run(steps: int, resume: dict | None = None, seed: int = 3) -> list[Step]:
    start = Averaged(Fourier((20, 12), rng=dice(), detail=(0.2, 0.5)), 0.8)
    terms = [Term("noisy", noisy), Term("smooth", smooth(), lambda progress: progress)]
    return list(optimise(start, terms, steps=steps, seed=seed, lr_scale=lambda p: 1 - p / 2, resume=resume))


def test_the_same_seed_gives_the_same_pictures_and_another_one_others():
    first, again, other = run(4), run(4), run(4, seed=4)
    assert all(torch.equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[-1].image, other[-1].image)


def test_a_resumed_run_ends_in_the_identical_picture():
    start = Averaged(Fourier((20, 12), rng=dice(), detail=(0.2, 0.5)), 0.8)
    terms = [Term("noisy", noisy), Term("smooth", smooth(), lambda progress: progress)]
    steps, states = [], []
    for step in optimise(start, terms, steps=9, seed=3, lr_scale=lambda p: 1 - p / 2):
        steps.append(step)
        states.append(step.state())  # what follows must not write into it
    for at in (0, 4, 8, 9):
        for _ in range(2):  # resuming must not write into the state either
            rest = run(9, resume=states[at])
            assert [step.index for step in rest] == list(range(at, 10))
            for whole_step, resumed in zip(steps[at:], rest, strict=True):
                assert torch.equal(resumed.image, whole_step.image)
                assert resumed.losses == whole_step.losses


def test_a_state_can_be_saved_without_pickled_code(tmp_path):
    state = next(optimise(canvas(), [Term("dark", dark)], steps=1)).state()
    torch.save(state, tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 0


def slow(scene: Scene) -> Tensor:
    time.sleep(0.01)
    return dark(scene)


def test_seconds_are_spent_and_not_overdrawn():
    began = time.monotonic()
    steps = list(optimise(canvas(8), [Term("slow", slow)], steps=3, seconds=0.6))
    spent = time.monotonic() - began
    assert len(steps) > 4 and steps[-1].last and spent < 3  # generous: the machine may be busy
    assert steps[-1].total == steps[-1].index


def test_seconds_less_than_a_step_still_give_a_picture():
    steps = list(optimise(canvas(8), [Term("slow", slow)], steps=100, seconds=0.001))
    assert len(steps) <= 3 and steps[-1].last


def test_the_pace_of_a_resumed_run_is_its_own(monkeypatch):
    """Steps that another process took say nothing about how many fit into the seconds left."""
    for step in optimise(canvas(8), [Term("dark", dark)], steps=50):
        if step.index == 40:
            state = step.state()
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))  # a second each look
    steps = list(optimise(canvas(8), [Term("dark", dark)], steps=50, seconds=10, resume=state))
    assert steps[0].index == 40 and 45 <= steps[-1].index <= 52


def test_progress_runs_from_nought_to_one():
    assert make_tick(0, 10).progress == 0 and make_tick(10, 10).progress == 1 and make_tick(0, 0).progress == 1
