"""What every method must do.  A new method is in `METHODS`; what it cannot do without is a line in `NEEDS`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
import torch

import clipguide
from clipguide import images
from clipguide.brief import Brief, parse_prompts
from clipguide.core import Step
from clipguide.errors import UserError
from clipguide.methods import DEFAULT, METHODS
from clipguide.options import Common, add_flags, options
from clipguide.plans import Plan, method, plan
from clipguide.styling import Styling

PHOTO, FOLDER = "a photo", "a folder of photos"
NEEDS = {
    "clipstyler": {"init": PHOTO},
    "clipstyler-fast": {"init": PHOTO, "photos": FOLDER},
    "sketch": {"init": PHOTO},
    "styleimage": {"init": PHOTO, "style": PHOTO},
    "textstyle": {"init": PHOTO},
    "vqgan": {"lr": 5.0},  # else no code changes in three steps
}
SIZE = (32, 32)
every = pytest.mark.parametrize("name", METHODS)
plain = pytest.mark.parametrize("name", ["fourier", "pixels"])
drawn = pytest.mark.parametrize("name", ["fourier", "pixels", "vqgan"])


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        image = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(number))
        images.write(folder / f"{number}.png", images.png(image))
    return folder


def planned(name: str, photos: Path, **values) -> Plan:
    given = {PHOTO: photos / "0.png", FOLDER: photos}
    needs = {key: given.get(value, value) for key, value in NEEDS.get(name, {}).items()}
    fields = method(name).Settings.model_fields
    small = {key: value for key, value in {"steps": 3, "cutouts": 4}.items() if key in fields}
    return plan(["a fox"], name, {"size": SIZE, **needs, **small, **values})


def shape_of(name: str) -> tuple[int, int]:
    """(height, width): methods that restyle a photo give it back at its own size."""
    return (40, 48) if issubclass(method(name).Settings, Styling) and "init" in NEEDS.get(name, {}) else SIZE[::-1]


def last_of(steps) -> Step:
    return list(steps)[-1]


@every
def test_three_steps_twice_are_equal(name, photos, models):
    first = [step.image for step in planned(name, photos).steps(models)]
    again = [step.image for step in planned(name, photos).steps(models)]
    assert len(first) >= 2 and all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for image in first:
        assert image.shape == (1, 3, *shape_of(name)) and image.isfinite().all()
        assert image.min() >= 0 and image.max() <= 1
    assert not torch.equal(first[0], first[-1])


@every
def test_can_be_left_after_a_step(name, photos, models):
    steps = planned(name, photos, steps=50).steps(models)
    step = next(steps)
    assert step.index == 0 and not step.last and step.image.shape[1] == 3
    steps.close()


@every
def test_finish_leads_to_the_result(name, photos, models):
    steps = planned(name, photos, steps=50).steps(models)
    next(steps).finish()
    assert last_of(steps).last and last_of([next(iter(planned(name, photos, steps=0).steps(models)))]).image.shape


@every
def test_every_setting_is_a_flag_with_a_text_and_is_used(name):
    model = method(name).Settings
    parser = argparse.ArgumentParser()
    add_flags(parser, Common, "common")
    add_flags(parser, model, "own")  # argparse refuses a flag that is there twice
    source = "\n".join(file.read_text(encoding="utf-8") for file in Path(clipguide.__file__).parent.rglob("*.py"))
    for option in options(model):
        assert option.help
        read = re.search(rf"\.({option.name}\b|get\(.{option.name}\W)", source)
        assert read, f"{name}: nothing reads the setting {option.name}"
        if option.kind in ("int", "float") and option.default is not None:
            assert option.low is not None and option.low <= option.default


@every
def test_its_line_in_the_table_is_one_line(name):
    module, line = METHODS[name]
    assert line and len(line) < 80 and "\n" not in line and module.startswith("clipguide.methods.")
    assert method(name).Settings and method(name).run and DEFAULT in METHODS


@drawn
def test_a_run_resumes_to_the_identical_picture(name, photos, models):
    states, steps = [], []
    for step in planned(name, photos).steps(models):
        steps.append(step)
        states.append(step.state())
    ready = planned(name, photos)
    for at in (1, 2):
        brief = Brief(ready.brief.prompts, SIZE, resume=states[at])
        rest = list(method(name).run(brief, ready.settings, models))
        assert torch.equal(rest[0].image, steps[at].image) and torch.equal(rest[-1].image, steps[-1].image)


@drawn
def test_seeds_batches_sizes_and_prompts_are_heard(name, photos, models):
    start = last_of(planned(name, photos).steps(models)).image
    assert not torch.equal(start, last_of(planned(name, photos, seed=1).steps(models)).image)
    several = last_of(planned(name, photos, batch=3, size=(40, 24)).steps(models)).image
    assert several.shape == (3, 3, 24, 40) and not torch.equal(several[0], several[1])
    step = next(plan(["a fox:2 | blurry:-1"], name, {"size": SIZE, "steps": 3, "clip": "clip-mini"}).steps(models))
    assert {"a fox", "blurry", "smooth"} <= step.losses.keys()


@plain
def test_starts_from_a_photo(name, photos, models):
    ready = planned(name, photos, init=photos / "0.png", steps=0)
    (step,) = ready.steps(models)
    assert (step.image - images.read(photos / "0.png", SIZE)).abs().mean() < 0.02


@drawn
def test_the_chunk_changes_nothing_but_the_memory(name, photos, models):
    whole, parts = (
        list(planned(name, photos, steps=1, cutouts=6, chunk=chunk).steps(models)) for chunk in (6, 2)
    )
    torch.testing.assert_close(dict(whole[0].losses), dict(parts[0].losses), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(whole[1].image, parts[1].image, rtol=0, atol=1e-2)


@drawn
def test_several_clips_guide_together(name, photos, models):
    step = next(planned(name, photos, clip="clip-mini,tiny-resnet:0.5").steps(models))
    assert {"a fox (clip-mini)", "a fox (tiny-resnet)"} <= step.losses.keys()


@plain
def test_follows_its_prompt(name, photos, models):
    ready = planned(name, photos, steps=40, cutouts=8, clip="clip-mini")
    steps = list(ready.steps(models))
    score = ready.scorer(models)
    assert float(score(steps[-1].image)) > float(score(steps[0].image))


def test_a_story_whose_last_chapter_weighs_nothing_has_no_score(models):
    ready = plan(["a castle ^ a tree:0"], "fourier", {"size": SIZE, "steps": 2, "cutouts": 2})
    assert ready.scorer(models) is None and len(list(ready.steps(models))) == 3


def test_a_texture_is_scored_by_what_it_draws(models):
    image = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    for tileable, words in ((False, "a starry car"), (True, "starry")):
        values = {"size": SIZE, "tileable": tileable}
        scored = plan(["a [starry] car"], "texture", values).scorer(models)(image)
        torch.testing.assert_close(scored, plan([words], "texture", values).scorer(models)(image))


def test_an_unknown_method_says_what_there_is():
    with pytest.raises(UserError, match=f"unknown method 'magic'; there are: .*{DEFAULT}"):
        method("magic")


def test_a_brief_can_be_run_without_a_plan(models):
    module = method(DEFAULT)
    steps = list(module.run(Brief(parse_prompts(["a fox"]), SIZE), module.Settings(steps=1, cutouts=2), models))
    assert [step.index for step in steps] == [0, 1]
