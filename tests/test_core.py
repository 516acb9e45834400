"""The loop: what it yields, where the gradient goes, how it ends, and how it is taken up again."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
import torch
from doubles import make_tick
from torch import Tensor, nn

from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import Fourier
from clipguide.canvases.pixels import Pixels
from clipguide.core import Frame, Scene, Step, Term, Tick, optimise
from clipguide.cutouts import crops, whole
from clipguide.losses.prompt import embed, prompt
from clipguide.losses.smooth import smooth


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def canvas(side: int = 24, **options: Any) -> Pixels:
    return Pixels((side, side), rng=dice(), **options)


def dark(scene: Scene) -> Tensor:
    return scene.image().square().mean()


def noisy(scene: Scene) -> Tensor:
    """Another target at every step: its dice must be taken up again too."""
    return (scene.image() - torch.rand(1, generator=scene.tick.rng)).square().mean()


class Counting(nn.Module):
    """A canvas with a generator: counts how often it draws, and keeps the gradient that reaches its picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, 3, 1, 1), 0.5))
        self.generator = nn.Parameter(torch.rand(3, 3, generator=dice()), requires_grad=False)
        self.drawn, self.gradients, self.projected = 0, [], 0

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.weight], "lr": 0.1}]

    def render(self, tick: Tick) -> Frame:
        self.drawn += 1
        image = torch.einsum("rc,bchw->brhw", self.generator, self.weight.expand(1, 3, 32, 32))
        if image.requires_grad:
            image.register_hook(lambda gradient: self.gradients.append(gradient))
        return Frame(image, extras={"latent": self.weight * 2})

    def project(self) -> None:
        assert not torch.is_grad_enabled()
        self.projected += 1


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


def test_the_canvas_is_drawn_and_differentiated_once_a_step(models):
    encoder, drawn = models.encoder("clip-mini"), Counting()
    views = crops(12)
    terms = [Term(text, prompt(encoder, embed(encoder, text), views)) for text in ("a fox", "a car")]
    list(optimise(drawn, [*terms, Term("smooth", smooth())], steps=2, chunks=4))
    assert (drawn.drawn, len(drawn.gradients), drawn.projected) == (3, 2, 2)
    assert drawn.generator.grad is None


def test_extras_carry_gradients_too():
    drawn = Counting()
    far = Term("latent", lambda scene: scene.image("latent").square().mean())
    *_, last = optimise(drawn, [far], steps=5)
    assert drawn.weight.mean() < 0.2 and drawn.gradients == [] and last.losses["latent"] < 0.2
    with pytest.raises(KeyError, match="no 'source'; it has image, latent"):
        next(optimise(drawn, [Term("x", lambda scene: scene.image("source").mean())], steps=1))


def gradient(models, chunks: int, count: int = 10, others: tuple[Term, ...] = ()) -> tuple[Tensor, dict[str, Tensor]]:
    drawn = Counting()
    encoder = models.encoder("clip-mini")
    terms = [Term("fox", prompt(encoder, embed(encoder, "a fox"), crops(count))), *others]
    first = next(run := optimise(drawn, terms, steps=1, chunks=chunks))
    next(run)
    return drawn.gradients[0], dict(first.losses)


@pytest.mark.parametrize("chunks", [2, 3, 10, 16])
def test_chunks_give_the_gradient_of_one_chunk(models, chunks):
    others = (Term("smooth", smooth(), 0.5), Term("dark", dark))
    whole_gradient, whole_losses = gradient(models, 1, others=others)
    parts_gradient, parts_losses = gradient(models, chunks, others=others)
    torch.testing.assert_close(parts_gradient, whole_gradient, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(parts_losses, whole_losses, rtol=1e-4, atol=1e-6)


def test_terms_with_fewer_views_than_chunks_are_whole(models):
    encoder = models.encoder("clip-mini")
    clean = Term("clean", prompt(encoder, embed(encoder, "a car"), whole()))
    one, many = (gradient(models, chunks, others=(clean,)) for chunks in (1, 5))
    torch.testing.assert_close(many[0], one[0], rtol=1e-4, atol=1e-8)
    assert many[1]["clean"].isfinite()


def test_in_chunks_a_term_cannot_mix_cutouts_of_different_counts(models):
    encoder, few, many = models.encoder("clip-mini"), whole(), crops(8)
    aim = embed(encoder, "a fox")

    def mixed(scene: Scene) -> Tensor:
        return prompt(encoder, aim, few)(scene) + prompt(encoder, aim, many)(scene)

    next(optimise(canvas(), [Term("mixed", mixed)], steps=1))
    with pytest.raises(ValueError, match="cutouts of one number of views"):
        next(optimise(canvas(), [Term("mixed", mixed)], steps=1, chunks=2))


class Meter:
    """Counts the bytes that autograd keeps for the way back."""

    def __init__(self) -> None:
        self.held = self.peak = 0

    def keep(self, tensor: Tensor) -> _Kept:
        return _Kept(tensor, self)


class _Kept:
    def __init__(self, tensor: Tensor, meter: Meter) -> None:
        self.tensor, self.meter = tensor, meter
        meter.held += tensor.nbytes
        meter.peak = max(meter.peak, meter.held)

    def __del__(self) -> None:
        self.meter.held -= self.tensor.nbytes


def most_bytes_held(models, count: int, chunk: int) -> int:
    encoder, meter = models.encoder("clip-mini"), Meter()
    term = Term("fox", prompt(encoder, embed(encoder, "a fox"), crops(count)))
    with torch.autograd.graph.saved_tensors_hooks(meter.keep, lambda kept: kept.tensor):
        for _ in optimise(Fourier((64, 64), rng=dice()), [term], steps=2, chunks=count // chunk):
            pass
    gc.collect()
    return meter.peak


def test_memory_does_not_grow_with_the_number_of_views(models):
    few, many = most_bytes_held(models, 16, 16), most_bytes_held(models, 128, 16)
    assert many < 1.1 * few
    assert most_bytes_held(models, 128, 128) > 5 * few  # so the measure would notice


def test_frozen_networks_hold_no_gradients(models):
    encoder = models.encoder("tiny-resnet")
    term = Term("fox", prompt(encoder, embed(encoder, "a fox"), crops(4)))
    list(optimise(canvas(), [term], steps=2))
    assert all(p.grad is None for p in encoder.model.parameters())


def test_five_prompts_cost_one_encode(models, monkeypatch):
    encoder, seen = models.encoder("clip-mini"), []
    encode = encoder.encode_image
    terms = [Term(text, prompt(encoder, embed(encoder, text), VIEWS)) for text in "abcde"]
    monkeypatch.setattr(encoder, "encode_image", lambda views: seen.append(len(views)) or encode(views))
    next(optimise(canvas(), terms, steps=1, chunks=2))
    assert seen == [4, 4]


VIEWS = crops(8)


def test_the_text_is_encoded_once(models, monkeypatch):
    from clipguide.brief import parse_prompts
    from clipguide.losses.prompt import prompt_terms

    encoder, seen = models.encoder("clip-mini"), []
    encode = encoder.encode_text
    monkeypatch.setattr(encoder, "encode_text", lambda texts: seen.append(list(texts)) or encode(texts))
    terms = prompt_terms(parse_prompts(["a fox", "a car:2"]), models.judges("clip-mini"), crops(4))
    list(optimise(canvas(), terms, steps=3))
    assert seen == [["a fox"], ["a car"]]


def test_terms_of_one_name_stay_apart():
    terms = [Term("dark", dark), Term("dark", lambda scene: dark(scene) * 3)]
    losses = next(optimise(canvas(), terms, steps=0)).losses
    torch.testing.assert_close(losses["dark (2)"], losses["dark"] * 3)


def test_weights_multiply_in_the_sum_alone_and_may_follow_the_progress():
    seen = []
    term = Term("dark", dark, lambda progress: seen.append(progress) or 1 - progress)
    values = [float(step.losses["dark"]) for step in optimise(canvas(), [term], steps=4)]
    assert seen == [0, 0.25, 0.5, 0.75, 1.0]
    assert values[0] == pytest.approx(float(canvas().pixels.detach().square().mean()))


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


def test_a_term_without_a_gradient_is_shown_and_changes_nothing():
    steps = list(optimise(canvas(), [Term("fixed", lambda scene: torch.tensor(2.0))], steps=2))
    assert torch.equal(steps[0].image, steps[-1].image) and float(steps[-1].losses["fixed"]) == 2
