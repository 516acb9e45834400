"""What a picture begins with: a network's drawing of the prompt, the best of several, or noise."""

from __future__ import annotations

import pytest
import torch
from doubles import make_tick
from PIL import Image

from clipguide import api
from clipguide.beginning import Begun, first_picture, held
from clipguide.brief import Brief, parse_prompts
from clipguide.core import Scene
from clipguide.errors import UserError

TEXT = parse_prompts(["a castle", "fog:-1"])
WANTED = Begun(start="forward", clip="clip-mini", throws=4)


def brief(prompts=TEXT, **more):
    return Brief(prompts, size=(40, 24), **more)


def test_the_network_draws_a_picture_of_the_size_for_each_of_a_batch(models):
    picture = first_picture(brief(batch=3), WANTED, models)
    assert picture.shape == (3, 3, 24, 40) and 0 <= picture.min() and picture.max() <= 1
    assert (picture[0] - picture[1]).abs().max() > 1e-3  # each has dice of its own
    assert torch.equal(picture, first_picture(brief(batch=3), WANTED, models))
    assert not torch.equal(picture, first_picture(brief(batch=3, seed=1), WANTED, models))


def test_the_text_matters_and_negative_prompts_are_not_drawn(models):
    one = first_picture(brief(), WANTED.model_copy(update={"throws": 1}), models)
    same = first_picture(brief(parse_prompts(["a castle"])), WANTED.model_copy(update={"throws": 1}), models)
    other = first_picture(brief(parse_prompts(["a bicycle"])), WANTED.model_copy(update={"throws": 1}), models)
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_favourite_of_several_is_taken(models, monkeypatch):
    def score(self, pictures):
        return pictures.mean((1, 2, 3))

    monkeypatch.setattr("clipguide.beginning.Scorer.__call__", score)
    few, many = (WANTED.model_copy(update={"throws": throws}) for throws in (1, 64))
    assert first_picture(brief(), many, models).mean() > first_picture(brief(), few, models).mean()


def test_a_favourite_must_not_look_framed(models, monkeypatch):
    asked = []
    monkeypatch.setattr("clipguide.beginning.Scorer.__init__", lambda self, judges, prompts: asked.append(prompts))
    monkeypatch.setattr("clipguide.beginning.Scorer.__call__", lambda self, pictures: pictures.mean((1, 2, 3)))
    for weight in (0.5, 0.0):
        first_picture(brief(), WANTED.model_copy(update={"unframed": weight}), models)
    names = [[prompt.name for prompt in prompts] for prompts in asked]
    assert names == [["a castle", "fog", "a picture frame"], ["a castle", "fog"]]


@pytest.mark.parametrize("case", ["noise", "init", "image"])
def test_there_is_none_where_none_is_wanted_or_nothing_can_be_read(models, tmp_path, case):
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    asked = {
        "noise": (brief(), WANTED.model_copy(update={"start": "noise"})),
        "init": (brief(init=path), WANTED),
        "image": (brief(parse_prompts([f"@{path}"])), WANTED),
    }
    assert first_picture(*asked[case], models) is None


def test_a_story_begins_with_its_first_chapter(models):
    one = first_picture(brief(parse_prompts(["a seed ^ a tree"])), WANTED, models)
    assert torch.equal(one, first_picture(brief(parse_prompts(["a seed"])), WANTED, models))


def test_hold_pulls_to_the_picture(models):
    picture = first_picture(brief(), WANTED, models)
    free = WANTED.model_copy(update={"hold": 0.0})
    assert held(picture, brief(), free) == [] and held(None, brief(), WANTED) == []
    (term,) = held(picture, brief(), WANTED.model_copy(update={"hold": 2.0}))
    assert term.weight == 2.0
    near, far = (term.loss(Scene({"image": image}, make_tick(), {})) for image in (picture, 1 - picture))
    assert near == 0 and far > 0.001


def test_a_wrong_network_is_refused_in_one_line(models):
    with pytest.raises(UserError, match="no forward 'nothing'"):
        first_picture(brief(), WANTED.model_copy(update={"forward": "nothing"}), models)


@pytest.mark.parametrize("method", ["fourier", "vqgan", "pixelart", "clipdraw", "shapes"])
def test_a_method_begins_with_it(models, method):
    def first(start):
        plan = api.plan(["a castle"], method, {"steps": 2, "cutouts": 2, "start": start, "size": "32x32"})
        return next(plan.steps(models)).image.detach().clone()

    assert not torch.equal(first("forward"), first("noise"))


@pytest.mark.parametrize("coarse", [0.0, 0.5])
def test_vqgan_is_held_to_it_with_and_without_coarse_steps(models, coarse):
    settings = {"steps": 2, "cutouts": 2, "size": "32x32", "coarse": coarse}
    held_, free = (
        next(api.plan(["a castle"], "vqgan", {**settings, "hold": hold}).steps(models)).losses for hold in (2.0, 0.0)
    )
    assert held_.keys() - free.keys() == {"begun"}
