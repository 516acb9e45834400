"""VQGAN+CLIP, the method: what it makes of its settings, its starts, masks, stories and presets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from doubles import Colours, TinyModels

from clipguide import imagery, images
from clipguide.api import generate, plan, plan_again
from clipguide.errors import UserError
from clipguide.methods.vqgan import Settings
from clipguide.methods.vqgan import run as run_method
from clipguide.options import validate

PHOTO = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1)).kron(torch.ones(8, 8))


class ColourModels(TinyModels):
    """Its VQGAN can draw any picture."""

    def vqgan(self, name: str) -> Colours:
        return Colours()


@pytest.fixture(scope="module")
def models() -> ColourModels:
    return ColourModels()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """photo.png of 32 x 32 px, and mask.png, light on the left half."""
    root = tmp_path_factory.mktemp("vqgan")
    images.write(root / "photo.png", images.png(PHOTO))
    mask = torch.zeros(1, 3, 32, 32)
    mask[..., :16] = 1
    images.write(root / "mask.png", images.png(mask))
    return root


def steps_of(models, *texts: str, **values):
    small = {"size": (32, 32), "steps": 6, "cutouts": 4, "lr": 0.5}
    return list(plan(texts or ["a fox"], "vqgan", {**small, **values}).steps(models))


@pytest.mark.parametrize("start", ["spectrum", "codes"])
def test_it_follows_its_prompt(models, start):
    alone = {"size": (32, 32), "steps": 40, "cutouts": 8, "unframed": 0}  # this CLIP hardly tells a fox from a frame
    ready = plan(["a fox"], "vqgan", {**alone, "start": start})
    steps, scorer = list(ready.steps(models)), ready.scorer(models)
    assert float(scorer(steps[-1].image)) > float(scorer(steps[0].image))


def test_a_picture_that_grows_is_coarse_at_first(models):
    def roughness(step) -> float:
        return float(step.image.diff(dim=-1).abs().mean())

    grown = steps_of(models, grow=1, coarse=0.5, average=0.0, start="codes")
    whole = steps_of(models, grow=0, average=0.0, start="codes")
    assert roughness(grown[0]) < 0.8 * roughness(whole[0])
    assert len(grown) == len(whole) == 7 and grown[-1].canvas.canvas.z.shape == whole[-1].canvas.canvas.z.shape
    assert grown[0].canvas.canvas.z.shape[-1] == 16


@pytest.mark.parametrize("codes", ["latent", "choice"])
@pytest.mark.parametrize("start", ["spectrum", "codes"])
def test_a_run_in_stages_resumes_to_the_identical_picture(start, codes):
    steps, states, models = [], [], TinyModels()
    values = {"size": (128, 64), "steps": 6, "cutouts": 4, "grow": 1, "starts": 3, "lr": 3.0}
    values |= {"start": start, "codes": codes, "near": 0.1}
    ready = plan(["a fox"], "vqgan", values)
    for step in ready.steps(models):
        steps.append(step)
        states.append(step.state())
    for at in range(7):
        brief = ready.brief.__class__(ready.brief.prompts, (128, 64), resume=states[at])
        rest = list(run_method(brief, ready.settings, models))
        assert torch.equal(rest[0].image, steps[at].image) and torch.equal(rest[-1].image, steps[-1].image)


def test_it_starts_from_a_photo_at_once_and_whole(models, folder):
    (step,) = steps_of(models, init=folder / "photo.png", steps=0)
    assert [type(step.canvas.canvas).__name__] == ["Latent"]
    assert (step.image - PHOTO).abs().max() < 0.03


@pytest.mark.parametrize("start", ["spectrum", "codes", "gradient", "noise"])
def test_starts_differ_by_seed(models, start):
    one, again, other = (steps_of(models, start=start, steps=0, seed=seed)[0].image for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_the_best_of_several_starts_is_taken(models):
    given = {"steps": 0, "batch": 2, "start": "codes", "clip": "clip-mini"}
    scorer = plan(["a fox"], "vqgan", {"size": (32, 32), **given}).scorer(models)
    one, best = (steps_of(models, starts=n, **given)[0].image for n in (1, 12))
    assert (scorer(best) > scorer(one)).all()


@pytest.mark.parametrize("mask", [{"mask": "mask.png"}, {"mask_text": "a fox"}])
def test_only_what_the_mask_says_changes(models, folder, mask):
    mask = {name: folder / value if name == "mask" else value for name, value in mask.items()}
    step = steps_of(models, init=folder / "photo.png", feather=0.0, **mask)[-1]
    change = (step.image - images.read(folder / "photo.png")).abs().mean((0, 1))
    assert change.amax() > 0.05
    if "mask" in mask:
        assert change[:, 17:].amax() == 0
        (rest,) = steps_of(models, init=folder / "photo.png", feather=0.0, mask_invert=True, **mask)[-1:]
        assert (rest.image - images.read(folder / "photo.png")).abs()[..., :15].amax() == 0


def test_a_mask_needs_a_photo(models, folder):
    with pytest.raises(UserError, match="--init"):
        steps_of(models, mask=folder / "mask.png")


def test_prompts_may_be_pictures_negative_and_judged_by_several_clips(models, folder):
    step = steps_of(models, f"a fox | @{folder / 'photo.png'}:0.5 | blurry:-0.5", clip="clip-mini,tiny-resnet:0.5")[0]
    assert {"a fox (clip-mini)", "@photo.png (tiny-resnet)", "blurry (clip-mini)"} <= step.losses.keys()


def test_a_story_is_told_through_all_stages(models):
    alone = {"steps": 8, "average": 0.0, "clip": "clip-mini"}
    steps, only = (steps_of(models, text, **alone) for text in ("a fox ^ a car", "a fox"))
    assert torch.equal(steps[2].image, only[2].image)  # nothing of the second chapter yet, in the first stage
    assert not torch.equal(steps[-1].image, only[-1].image)
    first, last = steps[0].losses, steps[-1].losses
    assert "a fox" in first and "a car" not in first and "a car" in last and "a fox" not in last and "smooth" in first


def test_a_story_is_refused_where_it_cannot_be_told(folder):
    with pytest.raises(UserError, match="tells no stories"):
        plan(["a ^ b"], "clipstyler", {"init": folder / "photo.png"})


def test_a_preset_sets_what_is_not_given():
    assert validate(Settings, {"preset": "best"}).steps > validate(Settings, {}).steps
    assert validate(Settings, {"preset": "best", "steps": 7}).steps == 7
    with pytest.raises(UserError, match="--preset"):
        validate(Settings, {"preset": "supreme"})


def test_a_new_preset_replaces_what_the_old_one_set():
    recipe = plan(["a fox"], "vqgan", {"preset": "draft", "lr": 0.3}).recipe
    settings = plan_again(recipe, {"preset": "best"}).settings
    assert settings.steps == validate(Settings, {"preset": "best"}).steps and settings.lr == 0.3
    assert plan_again(recipe).settings == validate(Settings, {"preset": "draft", "lr": 0.3})


def test_only_what_is_larger_than_a_tile_is_drawn_in_tiles(models, monkeypatch):
    made = []
    monkeypatch.setattr(imagery, "Tiled", lambda vqgan, tile: made.append(tile) or vqgan)
    steps_of(models, size=(64, 32), tile=64, start="codes", grow=0, steps=1)
    steps_of(models, size=(64, 32), tile=0, start="codes", grow=0, steps=1)
    assert not made
    steps_of(models, size=(72, 32), tile=64, start="codes", grow=0, steps=1)
    assert made and set(made) == {64}


def test_it_makes_a_picture_with_a_budget_of_time(models):
    assert generate("a fox", method="vqgan", models=models, size=(32, 32), seconds=1, cutouts=2).tensor.shape[-1] == 32
