"""The command line: what it refuses, and how it ends when the disk is full or a bug strikes."""

from __future__ import annotations

import errno
import os
import resource
import sys

import pytest
from doubles import tiny_checkpoints
from tiny_line import TINY, facts

from clipguide import images


def test_the_page_wants_a_port_that_exists(capfd):
    from clipguide.cli import main

    assert main(["app", "--port", "99999"]) == 2
    assert capfd.readouterr().err == "clipguide: --port 99999: a port is a number from 0 (any that is free) to 65535\n"


def test_the_app_says_what_it_needs(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    code, out, err = call("app")
    assert code == 2 and out == "" and "pip install 'clipguide[app]'" in err


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
    "score of nothing": (["score", "plain.png", "a fox:0", "--json"], "'a fox:0' has weight 0"),
    "score by a late CLIP": (["score", "plain.png", "a fox", "--clip", "clip-mini,clip-mini-b@0.5"], "leave the @ out"),
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
    assert not (tmp_path / "outputs").exists(), "neither a half file nor an empty folder"


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
