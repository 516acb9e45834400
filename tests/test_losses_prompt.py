"""Prompts as losses: what pulls and what pushes, how far, with which weights, and when in a story."""

from __future__ import annotations

import math

import pytest
import torch
from doubles import make_tick
from judging import PHOTO, VIEWS, judged, picture
from torch import Tensor

from clipguide import images
from clipguide.brief import TEMPLATES, Prompt, parse_prompts
from clipguide.core import Scene
from clipguide.losses.prompt import avoid, embed, great_circle, prompt, prompt_terms, seen_alike


def unit(angle: float) -> Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle)])


@pytest.mark.parametrize("angle", [0.1, 1.0, math.pi / 2, 3.0])
def test_the_great_circle_loss_is_half_the_squared_angle(angle):
    assert float(great_circle(unit(0), unit(angle))) == pytest.approx(angle**2 / 2, rel=1e-3)


@pytest.mark.parametrize("angle", [0.0, math.pi])
def test_equal_and_opposite_vectors_have_finite_slopes(angle):
    vector = unit(angle).requires_grad_()
    great_circle(vector, unit(0)).backward()
    assert vector.grad.isfinite().all()


def test_below_its_stop_a_prompt_pulls_no_more(encoder):
    aim = embed(encoder, "a fox")
    value, gradient = judged(prompt(encoder, aim, VIEWS), picture())
    stopped, still = judged(prompt(encoder, aim, VIEWS, stop=4.9), picture())
    assert torch.equal(stopped, value) and still.abs().max() == 0 < gradient.abs().max()
    assert torch.equal(judged(prompt(encoder, aim, VIEWS, stop=1e-4), picture())[1], gradient)


def test_a_push_is_bounded_by_its_margin(encoder):
    aim = embed(encoder, "a fox")
    apart = judged(avoid(encoder, aim, VIEWS, margin=1.0), picture())
    assert apart[0] == 0 and apart[1].abs().max() == 0
    value, _ = judged(avoid(encoder, aim, VIEWS, margin=-1.0), picture())
    assert 0 <= value <= 2


def test_an_image_prompt_is_nought_for_the_image_itself_and_follows_its_views(encoder):
    loss = prompt(encoder, seen_alike(encoder, PHOTO, VIEWS), VIEWS)
    for seed in (0, 1):
        assert judged(loss, PHOTO, seed)[0] < 1e-5 < judged(loss, picture(), seed)[0]


def test_templates_are_averaged(encoder):
    want = encoder.encode_text([sentence.format("a fox") for sentence in TEMPLATES["photo"]]).mean(0)
    torch.testing.assert_close(embed(encoder, "a fox", "photo"), want / want.norm())
    torch.testing.assert_close(embed(encoder, "a fox"), encoder.encode_text(["a fox"])[0])
    assert embed(encoder, "100 {} %", "photo").isfinite().all()


def test_the_weights_of_all_terms_add_up_to_one(models):
    judges = models.judges("clip-mini,tiny-resnet:3")
    terms = prompt_terms(parse_prompts(["a fox:2 | blurry:-1"]), judges, VIEWS)
    assert [(term.name, term.weight) for term in terms] == [
        ("a fox (clip-mini)", pytest.approx(2 / 12)),
        ("a fox (tiny-resnet)", pytest.approx(6 / 12)),
        ("blurry (clip-mini)", pytest.approx(1 / 12)),
        ("blurry (tiny-resnet)", pytest.approx(3 / 12)),
    ]


def test_a_judge_who_comes_later_takes_his_share_from_then_on(models):
    judges = models.judges("clip-mini,tiny-resnet:3@0.5")
    terms = prompt_terms(parse_prompts(["a fox:2 | blurry:-1"]), judges, VIEWS)
    early, late = ([round(term.weight_at(progress), 3) for term in terms] for progress in (0.49, 0.5))
    assert early == [0.667, 0, 0.333, 0]
    assert late == [0.167, 0.5, 0.083, 0.25]


def test_the_chapters_of_a_story_take_turns(models, tmp_path):
    images.write(tmp_path / "x.png", images.png(PHOTO))
    texts = [f"a seed ^ a tree:2 | @{tmp_path / 'x.png'}", "blurry:-1"]
    terms = prompt_terms(parse_prompts(texts), models.judges("clip-mini"), VIEWS)
    shares = {at: [round(term.weight_at(at), 3) for term in terms] for at in (0.0, 0.5, 1.0)}
    assert shares == {0.0: [0.5, 0, 0, 0.5], 0.5: [0.167, 0.333, 0.167, 0.333], 1.0: [0, 0.5, 0.25, 0.25]}
    (half, *_) = (term.times(0.5) for term in terms)
    assert half.weight_at(0.0) == pytest.approx(0.25) and half.name == "a seed"


def test_one_judge_needs_no_name(models):
    terms = prompt_terms(parse_prompts(["a | b"]), models.judges("clip-mini"), VIEWS)
    assert [term.name for term in terms] == ["a", "b"]


def test_a_negative_weight_pushes_and_its_stop_is_a_margin(models):
    judges = models.judges("clip-mini")
    encoder = judges[0].encoder
    for stop, margin in ((0.0, -0.5), (1.0, math.cos(math.sqrt(2)))):
        (term,) = prompt_terms([Prompt("a fox", weight=-2.0, stop=stop)], judges, VIEWS, margin=-0.5)
        want = avoid(encoder, embed(encoder, "a fox"), VIEWS, margin=margin)
        torch.testing.assert_close(judged(term.loss, picture()), judged(want, picture()))


def test_an_image_file_is_a_prompt(models, tmp_path):
    path = tmp_path / "style.png"
    images.write(path, images.png(PHOTO))
    (term,) = prompt_terms([Prompt(image=path)], models.judges("clip-mini"), VIEWS)
    assert term.name == "@style.png"
    assert float(term.loss(Scene({"image": images.read(path)}, make_tick(), {}))) < 1e-4


def test_a_large_image_prompt_is_shrunk_once(models, tmp_path, monkeypatch):
    path, read = tmp_path / "large.png", images.read
    images.write(path, images.png(torch.rand(3, 20, 2000)))
    shapes = []
    monkeypatch.setattr(images, "read", lambda *a, **k: shapes.append((found := read(*a, **k)).shape) or found)
    prompt_terms([Prompt(image=path)], models.judges("clip-mini"), VIEWS)
    assert shapes == [(1, 3, 8, 768)]
