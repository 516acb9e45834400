"""The command line: what it explains, makes, prints and writes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tiny_line import TINY, facts

from clipguide import images
from clipguide.commands import COMMANDS
from clipguide.methods import METHODS


def test_help_and_the_package_import_no_torch():
    code = "import sys, clipguide, clipguide.cli as c; c.main(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_nothing_typed_shows_the_commands(call):
    code, out, _ = call()
    assert code == 2 and "generate" in out


def test_version(call):
    assert call("--version")[1].startswith("clipguide 0.")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "app"])
def test_every_command_explains_itself(call, name):
    code, out, _ = call(name, "--help")
    assert code == 0 and out.startswith(f"usage: clipguide {name}")


@pytest.mark.parametrize("method", ["pixels", "fourier"])
def test_help_shows_the_flags_of_the_method(call, method):
    _, out, _ = call("generate", "--help", "--method", method)
    assert f"the method {method}" in out and "--lr FLOAT" in out
    assert ("--decay" in out) == (method == "fourier")


def test_generate_writes_a_picture_and_says_where(call, tmp_path):
    code, out, err = call("generate", "a red fox", *TINY, "--steps", 2)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "outputs/a-red-fox/picture.png"
    assert images.read(tmp_path / "outputs/a-red-fox/picture.png").shape == (1, 3, 24, 32)


def test_json_is_all_that_stdout_holds(call):
    made = facts(call("generate", "a red fox", *TINY, "--steps", 2, "--json"))
    assert made["finished"] and made["steps"] == 2 and -1 <= made["score"] <= 1
    assert made["pictures"] == ["outputs/a-red-fox/picture.png"] and made["video"] is None


def test_the_same_seed_gives_the_same_bytes_and_keeps_the_first(call, tmp_path):
    line = ["generate", "a red fox", *TINY, "--steps", 3, "--json"]
    first, again, other = (facts(call(*line, "--seed", seed))["pictures"][0] for seed in (1, 1, 2))
    assert first != again
    assert (tmp_path / first).read_bytes() == (tmp_path / again).read_bytes() != (tmp_path / other).read_bytes()


def test_rerun_makes_the_same_picture_from_the_picture_alone(call, tmp_path):
    words = ["generate", "a fox:2 | a dog:-0.5", "--method", "pixels", "--lr", 0.05, *TINY, "--steps", 3, "--json"]
    first = tmp_path / facts(call(*words))["pictures"][0]
    again = tmp_path / facts(call("rerun", first, "--json"))["pictures"][0]
    assert first.read_bytes() == again.read_bytes()


def test_rerun_with_changes(call, tmp_path):
    first = facts(call("generate", "a fox", *TINY, "--steps", 3, "--json"))["pictures"][0]
    changed = facts(call("rerun", first, "a wolf", "--seed", 5, "--steps", 1, "--json"))
    recipe = images.metadata(tmp_path / changed["pictures"][0])
    assert recipe["prompts"] == ["a wolf"] and recipe["settings"]["seed"] == 5 and changed["steps"] == 1
    assert recipe["settings"]["size"] == [32, 24]


@pytest.mark.parametrize("before", [["--seed", 2], ["--transparent"], ["--init", "fox.png", "--no-video"], ["-o", "x"]])
def test_rerun_finds_its_picture_after_flags(call, tmp_path, before):
    first = facts(call("generate", "a fox #gameboy", *TINY, "--steps", 1, "--out", "fox.png", "--json"))["pictures"][0]
    again = facts(call("rerun", *before, first, "a wolf", "--json"))["pictures"][0]
    recipe = images.metadata(tmp_path / again)
    assert recipe["method"] == "pixelart" and recipe["prompts"] == ["a wolf"]


def test_rerun_with_another_method_keeps_what_was_set_and_not_its_defaults(call, tmp_path):
    first = facts(call("generate", "a fox", *TINY, "--steps", 3, "--smooth", 7, "--json"))["pictures"][0]
    other = facts(call("rerun", first, "--method", "pixels", "--json"))["pictures"][0]
    recipe = images.metadata(tmp_path / other)
    assert recipe["method"] == "pixels" and recipe["settings"]["steps"] == 3 and recipe["settings"]["size"] == [32, 24]
    assert recipe["settings"]["lr"] == 0.02 and recipe["settings"]["smooth"] == 7.0  # both methods share --smooth


def test_a_batch_writes_every_picture(call, tmp_path):
    made = facts(call("generate", "a fox", *TINY, "--steps", 1, "--batch", 3, "--out", "fox", "--json"))
    assert made["pictures"] == ["fox.png", "fox-2.png", "fox-3.png"]
    assert len({(tmp_path / name).read_bytes() for name in made["pictures"]}) == 3
    assert images.metadata(tmp_path / "fox-2.png")["number"] == 2


def test_out_is_never_overwritten_and_may_be_a_folder(call, tmp_path):
    (tmp_path / "fox.png").write_text("mine")
    (tmp_path / "album").mkdir()
    line = ["generate", "a red/fox?", *TINY, "--steps", 0, "--json"]
    assert facts(call(*line, "--out", "fox.png"))["pictures"] == ["fox-2.png"]
    assert facts(call(*line, "--out", "album"))["pictures"] == ["album/a-red-fox.png"]
    assert (tmp_path / "fox.png").read_text() == "mine"


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_video_of_the_kept_frames(call, tmp_path, kind):
    told = ("--steps", 4, "--video", "--video-kind", kind, "--save-every", 2)
    made = facts(call("generate", "a fox", *TINY, *told, "--json"))
    assert made["video"].endswith(f".{kind}")
    assert (tmp_path / made["video"]).stat().st_size > 500
    frames = sorted(path.name for path in (tmp_path / made["run"] / "frames").iterdir())
    assert frames == ["000000.png", "000002.png", "000004.png"]


def test_yaml_holds_settings_and_flags_win(call, tmp_path):
    lines = ["method: pixels", "prompts: [a fox, a dog]", "steps: 4", "seed: 3", "save-every: 2", "size: 32x24"]
    (tmp_path / "run.yaml").write_text("\n".join([*lines, f"clip: {TINY[1]}", "cutouts: 2"]))
    made = facts(call("generate", "--config", "run.yaml", "--steps", 2, "--json"))
    recipe = images.metadata(tmp_path / made["pictures"][0])
    assert recipe["method"] == "pixels" and recipe["prompts"] == ["a fox", "a dog"]
    assert recipe["settings"]["seed"] == 3 and made["steps"] == 2
    assert (tmp_path / made["run"] / "frames/000002.png").exists()


def test_patience_stops_early(call):
    frozen = ["--lr", 1e-9, "--average", 0, "--steps", 500, "--patience", 10]
    assert facts(call("generate", "a fox", *TINY, "--method", "pixels", *frozen, "--json"))["steps"] <= 20


def test_seconds_are_spent_and_not_overspent(call):
    made = facts(call("generate", "a fox", *TINY, "--seconds", 2, "--json"))
    assert made["steps"] > 5 and 1 < made["seconds"] < 6


def test_start_from_a_photo(call, tmp_path):
    images.write(tmp_path / "photo.png", images.png(images.torch.full((1, 3, 40, 40), 0.25)))
    line = ["generate", "a fox", *TINY, "--method", "pixels", "--steps", 0, "--init", "photo.png", "--json"]
    picture = images.read(tmp_path / facts(call(*line))["pictures"][0])
    assert (picture - 0.25).abs().max() < 0.01


def test_files_at_home(call, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    images.write(tmp_path / "photo.png", images.png(images.torch.full((1, 3, 40, 40), 0.25)))
    (tmp_path / "run.yaml").write_text("init: ~/photo.png")
    line = ["generate", "a fox", *TINY, "--method", "pixels", "--steps", 0, "--json"]
    for told in (["--init", "~/photo.png"], ["--config", "run.yaml"]):
        made = facts(call(*line, *told, "--out", "~/album.png"))
        assert images.metadata(made["pictures"][0])["settings"]["init"] == str(tmp_path / "photo.png")
    assert (tmp_path / "album-2.png").exists()


def test_score_ranks_texts(call, tmp_path):
    images.write(tmp_path / "photo.png", images.png(images.torch.rand(1, 3, 40, 40)))
    line = ["score", "photo.png", "a fox", "@photo.png", *TINY[:2]]
    scores = facts(call(*line, "--json"))
    assert scores["@photo.png"] == pytest.approx(1, abs=1e-3) and -1 <= scores["a fox"] < 1
    assert call(*line)[1].splitlines()[0].endswith("@photo.png")


def test_methods_are_a_table(call):
    _, out, _ = call("methods")
    assert all(name in out for name in METHODS)
    assert set(facts(call("methods", "--json"))) >= set(METHODS)


def test_a_text_longer_than_the_context_is_said_and_made(call):
    code, _, err = call("generate", "fox " * 40, *TINY, "--steps", 0)
    assert code == 0 and "its end is not read" in err
