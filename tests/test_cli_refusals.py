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
from clipguide.cli import main


def test_the_page_wants_a_port_that_exists(capfd):
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
    "pipe as photo": (["generate", "a fox", "--init", "pipe.png"], "pipe.png is no file"),
    "pipe to score": (["score", "pipe.png", "a fox"], "pipe.png is no file"),
    "long name": (["generate", "a fox", "--runs", 300 * "n"], "File name too long: "),
    "long photo": (["generate", "a fox", "--init", 300 * "n"], "File name too long: "),
    "address": (["generate", "@http://host/fox.png"], "'http://host/fox.png' is an address"),
    "image prompt of nothing": (["generate", "@"], "is empty; write some words"),
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
    os.mkfifo(folder / "pipe.png")
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


def test_a_disk_that_is_full_at_the_start_leaves_no_folder(call, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    code, _, err = call("generate", "a fox", *TINY)
    assert code == 2 and "cannot be written (No space left on device)" in err and not list(tmp_path.iterdir())


def test_where_the_picture_cannot_be_copied_the_run_is_named(call, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    replace = os.replace

    def replace_here(source, target):
        if "there" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_here)
    code, _, err = call("generate", "a fox", *TINY, "--out", "there/x.png")
    assert code == 2 and err.count("\n") == 1 and "deliver it with: clipguide resume outputs/a-fox" in err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert call("resume", "outputs/a-fox")[0] == 0 and (tmp_path / "there/x.png").exists()


def test_closed_streams_close_nothing_else(call, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["generate", "a fox", *map(str, TINY), "--runs", str(tmp_path / "runs")]) == 0
    sys.stdout.close()
    sys.stderr.close()
    assert (tmp_path / "runs/a-fox/picture.png").exists()


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
