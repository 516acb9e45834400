"""The public API, as a notebook uses it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from doubles import TinyModels

import clipguide
from clipguide import api, images
from clipguide.errors import UserError

SMALL = {"size": "32x24", "steps": 2, "cutouts": 2}


def test_import_costs_no_torch():
    code = "import sys, clipguide; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there():
    assert all(getattr(clipguide, name) for name in clipguide.__all__)
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = clipguide.paint


def test_generate_gives_a_picture_that_knows_how_it_was_made(tmp_path):
    picture = clipguide.generate("a castle", seed=1, models=TinyModels(), **SMALL)
    assert picture.image.size == (32, 24) and picture.tensor.shape == (1, 3, 24, 32)
    paths = [picture.save(tmp_path / "castle.png") for _ in range(2)]
    assert [path.name for path in paths] == ["castle.png", "castle-2.png"]
    again = api.plan_again(images.metadata(paths[0]))
    *_, last = again.steps(TinyModels())
    assert torch.equal(last.image, picture.tensor)


def test_a_picture_is_saved_as_png_alone(tmp_path):
    picture = clipguide.generate("a castle", method="pixels", models=TinyModels(), **SMALL)
    assert picture.save(tmp_path / "castle").name == "castle.png"
    with pytest.raises(UserError, match=r"castle.jpg: pictures are written as PNG"):
        picture.save(tmp_path / "castle.jpg")


def test_stream_yields_the_start_and_every_update():
    steps = list(clipguide.stream("a castle", method="pixels", models=TinyModels(), **SMALL))
    assert [step.index for step in steps] == [0, 1, 2] and steps[-1].last
    assert set(steps[0].losses) == {"a castle", "a picture frame", "smooth"}


@pytest.mark.parametrize(
    "texts, settings, said",
    [
        ((), {}, "no prompt was given"),
        (("a fox",), {"stpes": 3}, "unknown setting 'stpes'"),
        (("a fox",), {"steps": -3}, "--steps -3"),
        (("a fox",), {"method": "oils"}, "unknown method 'oils'"),
    ],
)
def test_bad_settings_are_refused_before_any_network_opens(texts, settings, said):
    class Closed:
        def __getattr__(self, name):
            raise AssertionError("a network was opened")

    with pytest.raises(UserError, match=said):
        next(clipguide.stream(*texts, models=Closed(), **settings))


def test_an_incomplete_recipe_is_said():
    with pytest.raises(UserError, match="the recipe is incomplete"):
        api.plan_again({"method": "pixels"})


class Closed(TinyModels):
    def encoder(self, name):
        raise AssertionError("no network is opened")

    vqgan = forward = features = encoder


@pytest.mark.parametrize("setting", ["clip", "vqgan", "forward", "mask_clip"])
def test_networks_that_are_not_here_are_refused_before_any_is_opened(setting):
    with pytest.raises(UserError, match="no (clip|vqgan|forward) 'nope'; there are: [a-z]+-mini"):
        next(api.stream("a castle", method="vqgan", models=Closed(), **{setting: "nope"}))


REFUSED = {
    "colour": ({"border_colour": "nope"}, "--border-colour nope: 'nope' is no colour"),
    "clear ground": ({"focus_colour": "#12"}, "--focus-colour #12"),
    "ground": ({"method": "shapes", "ground": "nope"}, "--ground nope"),
    "paper": ({"method": "sketch", "paper": ""}, "--paper "),
    "tint": ({"tint": "gamegirl"}, "--tint gamegirl: the palette"),
    "file of a tint": ({"tint": "@none.png"}, "is no file here"),
    "palette": ({"method": "pixelart", "palette": "gamegirl"}, "--palette gamegirl"),
    "CLIP": ({"clip": "clip-mini:-1"}, "weight must be above 0"),
    "late CLIP": ({"clip": "clip-mini@0.5"}, "one CLIP at least must judge from the start"),
    "losses": ({"losses": "nowhere:2"}, "no installed package has a loss 'nowhere'"),
    "spot": ({"spot": "a rose"}, "need --spot-mask"),
    "words of a spot": ({"spot": "a rose:1000"}, "--spot a rose:1000: .*weights lie between"),
    "drawing": ({"method": "clipdraw", "svg": "none.svg"}, "--svg .*none.svg is not there"),
    "no training": ({"method": "clipstyler-fast"}, "--restyler NAME; give one"),
    "several of a network": ({"method": "clipstyler-fast", "restyler": "x", "batch": 2}, "--batch 2: clipstyler-fast"),
    "style without picture": ({"method": "styleimage"}, "styleimage takes a picture as the style"),
    "evolution of several": ({"method": "shapes", "by": "evolution", "batch": 2}, "--batch 2: evolution"),
    "open bracket": ({"method": "texture", "text": "a [starry car"}, "needs one pair of brackets"),
    "mask of no words": ({"method": "textstyle", "mask_text": " "}, "--mask-text names nothing; say what"),
    "two masks": ({"method": "textstyle", "mask": __file__, "mask_text": "sky"}, "--mask and --mask-text were both"),
}


@pytest.mark.parametrize("values, said", REFUSED.values(), ids=REFUSED)
def test_bad_values_are_refused_with_the_plan_alone(values, said):
    values = dict(values)
    with pytest.raises(UserError, match=said) as error:
        api.plan([values.pop("text", "a castle")], values.pop("method", None), values)
    assert "\n" not in str(error.value)


def test_networks_of_a_folder_mean_the_same_everywhere(tmp_path, monkeypatch):
    for name in ("my-clip", "clip-mini", "a,b/other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "weights.pt").touch()
    monkeypatch.chdir(tmp_path)
    given = {"clip": "my-clip:0.5, clip-mini@0.2,ViT-B-32/weights.pt:2,ViT-B-32/openai", "size": "32"}
    recipe = api.plan(["a fox"], "vqgan", given | {"vqgan": "my-clip"}).recipe["settings"]
    here = str(tmp_path)
    assert recipe["clip"] == f"{here}/my-clip:0.5,clip-mini@0.2,ViT-B-32/{here}/weights.pt:2,ViT-B-32/openai"
    assert recipe["vqgan"] == f"{here}/my-clip"
    assert api.plan(["a fox"], "pixels").recipe["settings"]["clip"] == "clip-mini"
    monkeypatch.chdir(tmp_path / "a,b")  # a path that the setting cannot hold
    assert api.plan(["a fox"], "pixels", {"clip": "other"}).recipe["settings"]["clip"] == "other"
    assert api.plan(["a fox"], "vqgan", {"vqgan": "~nobody42/x"}).recipe["settings"]["vqgan"] == "~nobody42/x"
    assert api.plan(["a fox"], "pixels", {"clip": "x" * 300}).recipe["settings"]["clip"] == "x" * 300


def test_a_folder_called_like_a_network_of_another_kind_is_the_folder(tmp_path, monkeypatch):
    (tmp_path / "vqgan-mini").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = api.plan(["a fox"], "vqgan", {"clip": "vqgan-mini", "vqgan": "vqgan-mini"}).recipe["settings"]
    assert (settings["clip"], settings["vqgan"]) == (str(tmp_path / "vqgan-mini"), "vqgan-mini")
