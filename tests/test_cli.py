"""The command line: what it prints, writes, refuses, and how it ends."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys

import pytest
from doubles import tiny_checkpoints

from clipguide import images
from clipguide.cli import main
from clipguide.commands import COMMANDS
from clipguide.methods import METHODS

TINY = ["--clip", str(tiny_checkpoints() / "clip-mini"), "--size", "32x24", "--cutouts", "2"]


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs one command line in an empty folder -> (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def facts(called):
    code, out, err = called
    assert code == 0, err
    return json.loads(out)


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


def test_rerun_with_another_method_keeps_what_was_set_and_not_its_defaults(call, tmp_path):
    first = facts(call("generate", "a fox", *TINY, "--steps", 3, "--smooth", 7, "--json"))["pictures"][0]
    other = facts(call("rerun", first, "--method", "pixels", "--json"))["pictures"][0]
    recipe = images.metadata(tmp_path / other)
    assert recipe["method"] == "pixels" and recipe["settings"]["steps"] == 3 and recipe["settings"]["size"] == [32, 24]
    assert recipe["settings"]["lr"] == 0.02 and recipe["settings"]["smooth"] == 7.0  # both methods share --smooth


def test_the_page_wants_a_port_that_exists(capfd):
    from clipguide.cli import main

    assert main(["app", "--port", "99999"]) == 2
    assert capfd.readouterr().err == "clipguide: --port 99999: a port is a number from 0 (any that is free) to 65535\n"


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


def test_the_app_says_what_it_needs(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    code, out, err = call("app")
    assert code == 2 and out == "" and "pip install 'clipguide[app]'" in err


def test_a_text_longer_than_the_context_is_said_and_made(call):
    code, _, err = call("generate", "fox " * 40, *TINY, "--steps", 0)
    assert code == 0 and "its end is not read" in err


BAD = {
    "unknown command": (["genrate", "a fox"], "did you mean generate"),
    "unknown method": (["generate", "a fox", "--method", "oils"], "unknown method 'oils'; there are: vqgan"),
    "unknown flag": (["generate", "a fox", "--stpes", "3"], "did you mean --steps?"),
    "unknown model": (["generate", "a fox", "--clip", "clip-maxi"], "no clip 'clip-maxi'; there are: clip-mini"),
    "unknown device": (["generate", "a fox", "--device", "tpu"], "--device tpu is not here; this machine has: cpu"),
    "no prompt": (["generate"], "no prompt was given"),
    "empty prompt": (["generate", "a fox | "], "is empty"),
    "no size": (["generate", "a fox", "--size", "0"], "greater than or equal to 16"),
    "vast size": (["generate", "a fox", "--size", "100000x10"], "less than or equal to 4096"),
    "odd size": (["generate", "a fox", "--size", "large"], "a size is WIDTHxHEIGHT"),
    "negative steps": (["generate", "a fox", "--steps", "-5"], "greater than or equal to 0"),
    "no number": (["generate", "a fox", "--steps", "many"], "--steps many: input should be a valid integer"),
    "no value": (["generate", "a fox", "--steps"], "--steps"),
    "missing photo": (["generate", "a fox", "--init", "none.png"], "none.png is not there"),
    "no photo": (["generate", "a fox", "--init", "text.png"], "text.png is no picture that can be read"),
    "image prompt": (["generate", "@none.png"], "is no file here"),
    "YAML key": (["generate", "a fox", "--config", "key.yaml"], "unknown setting 'stpes'"),
    "YAML value": (["generate", "a fox", "--config", "value.yaml"], "--steps many"),
    "no YAML": (["generate", "a fox", "--config", "text.png"], "no YAML in line 1"),
    "YAML list": (["generate", "a fox", "--config", "list.yaml"], "holds a list"),
    "missing YAML": (["generate", "a fox", "--config", "none.yaml"], "cannot be read"),
    "runs in a file": (["generate", "a fox", "--runs", "text.png/runs"], "--runs text.png/runs: cannot be written"),
    "out nowhere": (["generate", "a fox", "--out", "none/fox.png"], "none is no folder that can be written"),
    "out as JPEG": (["generate", "a fox", "--out", "fox.jpg"], "give a name that ends in .png"),
    "corrupt CLIP": (["generate", "a fox", "--clip", "corrupt"], "is damaged"),
    "wrong CLIP": (["generate", "a fox", "--clip", "wrong"], "does not fit its config"),
    "no CLIP": (["generate", "a fox", "--clip", "."], "a CLIP folder holds"),
    "rerun of a stranger": (["rerun", "plain.png"], "does not say how it was made"),
    "rerun of nothing": (["rerun", "none.png"], "none.png is not there"),
    "resume of nothing": (["resume", "none"], "is no run"),
    "score of text": (["score", "text.png", "a fox"], "is no picture"),
    "pull without a name": (["models", "pull"], "say which; there are: clip-mini"),
    "verify a stranger": (["models", "verify", "clip-maxi"], "unknown model 'clip-maxi'"),
    "models do what": (["models", "burn"], "invalid choice: 'burn'"),
}


@pytest.mark.parametrize("words, said", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_nothing(call, tmp_path, words, said):
    there = _bad_files(tmp_path)
    code, out, err = call(*words, *(TINY[2:] if words[0] == "generate" and "--size" not in words else []))
    assert (code, out) == (2, ""), err
    assert said in err and err.startswith("clipguide: ") and err.count("\n") == 1 and "Traceback" not in err
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == there


def _bad_files(folder):
    mini = tiny_checkpoints() / "clip-mini"
    for name in ("corrupt", "wrong"):
        (folder / name).mkdir()
        for file in mini.iterdir():
            (folder / name / file.name).write_bytes(file.read_bytes())
    weights = "open_clip_model.safetensors"
    (folder / "corrupt" / weights).write_bytes((mini / weights).read_bytes()[:999])
    (folder / "wrong" / weights).write_bytes((tiny_checkpoints() / "tiny-resnet" / weights).read_bytes())
    (folder / "text.png").write_text("{ not: [a picture")
    (folder / "key.yaml").write_text("stpes: 3")
    (folder / "value.yaml").write_text("steps: many")
    (folder / "list.yaml").write_text("- steps")
    images.write(folder / "plain.png", images.png(images.torch.rand(1, 3, 8, 8)))
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_is_one_line_and_leaves_no_half_file(call, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, before[1]))  # the state of a step is larger, the recipe is not
    try:
        code, out, err = call("generate", "a fox", *TINY, "--steps", 12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "state.pt cannot be written (File too large); make room" in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_disk_that_fills_up_later_loses_nothing(call, tmp_path, monkeypatch):
    line = ["generate", "a fox", *TINY, "--steps", 25, "--json"]
    whole = tmp_path / facts(call(*line, "--runs", "whole"))["pictures"][0]
    replace, left = os.replace, [8]

    def replace_until_full(source, target):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_until_full)
    code, _, err = call(*line)
    assert code == 2 and err.count("\n") == 1
    assert "cannot be written (No space left on device)" in err and not list(tmp_path.rglob("*.part"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    resumed = facts(call("resume", "outputs/a-fox", "--json"))
    assert (tmp_path / resumed["pictures"][0]).read_bytes() == whole.read_bytes()


def test_a_bug_is_one_line_unless_asked_for(call, monkeypatch):
    monkeypatch.setattr("clipguide.commands.methods.table", None)
    code, _, err = call("methods")
    assert code == 1 and err.count("\n") == 1 and "CLIPGUIDE_DEBUG=1 shows where" in err
    monkeypatch.setenv("CLIPGUIDE_DEBUG", "1")
    with pytest.raises(TypeError):
        call("methods")
