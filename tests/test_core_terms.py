"""The loop's terms: how often it draws, encodes and differentiates, and what chunks and weights change."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from doubles import canvas, dark, dice
from torch import Tensor, nn

from clipguide.canvases.fourier import Fourier
from clipguide.core import Frame, Scene, Term, Tick, optimise
from clipguide.cutouts import crops, whole
from clipguide.losses.prompt import embed, prompt
from clipguide.losses.smooth import smooth


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


def test_the_canvas_is_drawn_and_differentiated_once_a_step(models):
    encoder, drawn = models.encoder("clip-mini"), Counting()
    views = crops(12)
    terms = [Term(text, prompt(encoder, embed(encoder, text), views)) for text in ("a fox", "a car")]
    list(optimise(drawn, [*terms, Term("smooth", smooth())], steps=2, chunks=4))
    assert (drawn.drawn, len(drawn.gradients), drawn.projected) == (3, 2, 2)
    assert drawn.generator.grad is None


def test_terms_that_share_views_see_every_share_of_them(models):
    encoder, views = models.encoder("clip-mini"), crops(6)
    terms = [Term(text, prompt(encoder, embed(encoder, text), views)) for text in ("a fox", "a car")]
    whole, parts = (next(optimise(canvas(), terms, steps=1, chunks=chunks)).losses for chunks in (1, 3))
    torch.testing.assert_close(dict(whole), dict(parts), rtol=1e-4, atol=1e-6)


def test_a_term_that_weighs_nothing_is_not_asked():
    asked = []

    def loss(scene):
        asked.append(scene.tick.step)
        return scene.image().mean()

    late = Term("late", loss, lambda progress: float(progress >= 0.5))
    steps = list(optimise(canvas(), [Term("always", dark), late], steps=4))
    assert asked == [2, 3, 4]
    assert [sorted(step.losses) for step in steps[1:3]] == [["always"], ["always", "late"]]


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
    term = Term("dark", dark, lambda progress: seen.append(progress) or 1 - progress / 2)
    values = [float(step.losses["dark"]) for step in optimise(canvas(), [term], steps=4)]
    assert seen == [0, 0.25, 0.5, 0.75, 1.0]
    assert values[0] == pytest.approx(float(canvas().pixels.detach().square().mean()))


def test_a_term_without_a_gradient_is_shown_and_changes_nothing():
    steps = list(optimise(canvas(), [Term("fixed", lambda scene: torch.tensor(2.0))], steps=2))
    assert torch.equal(steps[0].image, steps[-1].image) and float(steps[-1].losses["fixed"]) == 2
