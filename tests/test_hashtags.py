"""Hashtags: what they choose, and what stays text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_line import TINY, facts

from clipguide import api, hashtags, images
from clipguide.commands import pictures
from clipguide.errors import UserError
from clipguide.options import Common, validate


def test_the_one_that_users_know():
    planned = api.plan(["aliens destroying NYC skyline with lasers #pixelart"])
    assert planned.method == "pixelart"
    assert planned.texts == ("aliens destroying NYC skyline with lasers",)
    assert planned.brief.prompts[0].text == "aliens destroying NYC skyline with lasers"


@pytest.mark.parametrize("tag", hashtags.HASHTAGS)
def test_every_hashtag_is_a_method_with_settings_that_it_has(tag):
    method, settings = hashtags.HASHTAGS[tag]
    model = api.method(method).Settings
    assert validate(model, settings)
    assert not set(settings) & set(Common.model_fields)
    assert api.plan([f"a castle #{tag}"]).method == method


@pytest.mark.parametrize("text", ["we are #1", "#sunset", "C#", "a fox#pixelart", "#", "a #_ b", "# pixelart"])
def test_other_hashtags_stay_text(text):
    assert hashtags.read([text]) == hashtags.Tagged((text,))


@pytest.mark.parametrize("text", ["a fox #Pixel-Art", "#PIXELART a fox", "a #pixel_art fox"])
def test_capitals_and_dashes_do_not_count(text):
    tagged = hashtags.read([text])
    assert tagged.method == "pixelart" and " ".join(tagged.texts[0].split()) == "a fox"


def test_a_weight_after_a_hashtag_is_the_prompts():
    planned = api.plan(["a fox #gameboy:1.5 | blurry:-0.3"])
    assert [(p.text, p.weight) for p in planned.brief.prompts] == [("a fox", 1.5), ("blurry", -0.3)]
    assert planned.settings.palette == "gameboy"


def test_two_hashtags_of_one_method_add_up_and_given_settings_win():
    planned = api.plan(["a fox #crossstitch #gameboy"], None, {"palette": "nes"})
    assert (planned.settings.cells, planned.settings.palette) == ("stitch", "nes")


def test_contradictions_are_refused():
    with pytest.raises(UserError, match="#gameboy .* and #lowpoly"):
        api.plan(["a fox #gameboy #lowpoly"])
    with pytest.raises(UserError, match="pixelart, and --method for fourier"):
        api.plan(["a fox #gameboy"], "fourier")
    with pytest.raises(UserError, match="is empty"):
        api.plan(["#gameboy"])


def test_the_recipe_needs_no_hashtags():
    planned = api.plan(["a fox #gameboy"])
    again = api.plan_again(planned.recipe)
    assert again.recipe == planned.recipe and again.settings.palette == "gameboy"


def test_the_command_line_takes_the_method_of_the_hashtag_and_its_flags():
    import argparse

    words = ["a fox #gameboy", "--cell", "8", "--dither", "bayer"]
    parser = argparse.ArgumentParser()
    parser.add_argument("prompts", nargs="*")
    pictures.add_arguments(parser, words)
    planned = pictures.order(parser.parse_args(words)).planned
    assert (planned.method, planned.settings.cell, planned.settings.palette) == ("pixelart", 8, "gameboy")
    assert planned.settings.dither == "bayer"


@pytest.mark.parametrize(
    "words, yaml, method",
    [
        (["a castle", "--border-colour", "#c64"], "", "fourier"),
        (["--border-colour", "#c64", "a castle"], "", "fourier"),
        (["--json", "a castle #gameboy"], "", "pixelart"),
        (["--config", "run.yaml"], 'prompts: ["#gameboy a castle"]', "pixelart"),
        (["--config", "run.yaml"], "prompts: 'a castle #gameboy'", "pixelart"),
        (["a castle", "--config", "run.yaml"], 'prompts: ["#gameboy a castle"]', "fourier"),
    ],
)
def test_only_the_prompts_of_a_command_have_hashtags(call, words, yaml, method):
    Path("run.yaml").write_text(yaml)
    made = facts(call("generate", *words, *TINY, "--steps", 0, *(() if "--json" in words else ["--json"])))
    assert images.metadata(made["pictures"][0])["method"] == method
