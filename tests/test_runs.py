"""Runs: folders that outlive a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from doubles import TinyModels, tiny_checkpoints

from clipguide import api, runs
from clipguide.cli import main
from clipguide.errors import UserError

STEPS = 60
RECIPE = {"method": "fourier", "prompts": ["a fox"], "settings": {}}


@pytest.mark.parametrize(
    "text, name",
    [
        ("A red fox!", "a-red-fox"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\fox.png", "c-fox-png"),
        ("  ", "picture"),
        ("???", "picture"),
        ("Füchse im Schnee", "füchse-im-schnee"),
        ("狐狸", "狐狸"),
        ("हिन्दी में", "हिन्दी-में"),
        ("\u0301 x \u20dd", "x"),
        ("CON", "con-picture"),
        ("nul: a void", "nul-a-void"),
    ],
)
def test_names_are_legal_and_telling(text, name):
    assert runs.slug(text) == name


@pytest.mark.parametrize("text", ["fox " * 200, "狐" * 500])
def test_long_names_fit_a_file_system(text, tmp_path):
    name = runs.slug(text)
    assert 50 < len(name.encode()) <= 120
    (tmp_path / f"{name}-12.png").touch()


def test_no_run_takes_the_folder_of_another(tmp_path):
    names = [runs.create(tmp_path / "runs", RECIPE).folder.name for _ in range(3)]
    assert names == ["a-fox", "a-fox-2", "a-fox-3"]


def test_unused_counts_before_the_ending(tmp_path):
    for name in ("fox.png", "fox-2.png"):
        (tmp_path / name).touch()
    assert runs.unused(tmp_path / "fox.png") == tmp_path / "fox-3.png"


@pytest.mark.parametrize(
    "texts, name",
    [
        (["@/home/me/style.png:0.5 | a fox"], "style-png-0-5-a-fox"),
        (["a fox", "@/a/b.png ^ @/c/d.png"], "a-fox-b-png-d-png"),
        (["either/or @ home"], "either-or-home"),
        (["@/a/b.png", "a black/white cat"], "b-png-a-black-white-cat"),
    ],
)
def test_folders_of_image_prompts_are_no_part_of_the_name(texts, name):
    assert runs.slug(runs.title(texts)) == name


def test_state_comes_back_and_is_forgotten(tmp_path):
    run = runs.create(tmp_path, RECIPE)
    assert run.load_state() is None
    run.save_state({"step": 3, "canvas": {"x": torch.arange(3)}})
    assert torch.equal(run.load_state()["canvas"]["x"], torch.arange(3))
    run.forget_state()
    assert run.load_state() is None


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("damage", ["cut", "text", "code", "empty"])
def test_a_damaged_state_is_said_and_executes_nothing(tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    run = runs.create(tmp_path, RECIPE)
    run.save_state({"step": 3, "bomb": Bomb()} if damage == "code" else {"step": 3, "x": torch.zeros(999)})
    path = run.folder / "state.pt"
    if damage != "code":
        path.write_bytes({"cut": path.read_bytes()[:2000], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(UserError, match="state.pt is damaged"):
        run.load_state()
    assert not (tmp_path / "exploded").exists()


def test_a_log_line_cut_short_is_left_out_and_cut_away(tmp_path):
    run = runs.create(tmp_path, RECIPE)
    for step in range(4):
        run.append({"step": step})
    with (run.folder / "log.jsonl").open("ab") as file:
        file.write('{"step": 4, "losses": {"狐'.encode()[:-1])
    assert [entry["step"] for entry in run.log()] == [0, 1, 2, 3]
    assert run.log_before(2) == [{"step": 0}, {"step": 1}] == run.log()


@pytest.mark.parametrize("letter", ["\u2028", "\u0085", "\x0b"])
def test_a_line_of_the_log_ends_where_the_file_says(tmp_path, letter):
    run = runs.create(tmp_path, RECIPE)
    entry = {"step": 0, "losses": {f"a{letter}fox": 1.0}}
    run.append(entry)
    assert run.log() == [entry]


def test_one_at_a_time_makes_a_run(tmp_path):
    planned = api.plan(["a fox"], "pixels", {"size": "32x32", "steps": 4, "cutouts": 2})
    run = runs.create(tmp_path, planned.recipe)
    steps = api.follow(planned, TinyModels(), run)
    next(steps)
    with pytest.raises(UserError, match="still being made"):
        next(api.follow(planned, TinyModels(), run))
    steps.close()
    assert follow(planned, run).step.last


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(UserError, match="is no run"):
        _ = runs.Run(tmp_path).recipe


def follow(planned, run, stop=None, models=None):
    steps = api.follow(planned, models or TinyModels(), run)
    for progress in steps:
        if progress.step.index == stop:
            break
    steps.close()
    return progress


@pytest.mark.parametrize("method", ["fourier", "pixels"])
@pytest.mark.parametrize("stop", [0, 7])
def test_leaving_early_keeps_the_picture_and_goes_on_to_the_same_end(tmp_path, method, stop):
    planned = api.plan(["a fox"], method, {"size": "32x32", "steps": 24, "cutouts": 2, "patience": 40})
    whole, parts = runs.create(tmp_path, planned.recipe), runs.create(tmp_path, planned.recipe)
    follow(planned, whole)
    follow(planned, parts, stop)
    assert not parts.finished and parts.picture.exists()
    follow(api.plan_again(parts.recipe), parts)
    assert parts.finished and whole.finished
    assert parts.picture.read_bytes() == whole.picture.read_bytes()
    assert [{**entry, "seconds": 0} for entry in parts.log()] == [{**entry, "seconds": 0} for entry in whole.log()]


def test_patience_counts_on_across_a_stop(tmp_path):
    still = {"size": "32x32", "steps": 400, "cutouts": 2, "patience": 20, "lr": 1e-9, "average": 0}
    planned = api.plan(["a fox"], "pixels", still)
    whole, parts = runs.create(tmp_path, planned.recipe), runs.create(tmp_path, planned.recipe)
    ends = follow(planned, whole), follow(planned, parts, 13) and follow(planned, parts)
    assert ends[0].step.index == ends[1].step.index < 60


def begin(folder):
    """`clipguide generate` in a process of its own, stopped nowhere yet; the run's folder."""
    clip = tiny_checkpoints() / "clip-mini"
    words = ["generate", "a fox", "--clip", clip, "--size", "32", "--cutouts", "2", "--steps", STEPS, "--runs", folder]
    line = [sys.executable, "-m", "clipguide.cli", *map(str, words), "--save-every", "30"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    log, deadline = folder / "a-fox" / "log.jsonl", time.monotonic() + 120
    while not log.exists() or log.read_text().count("\n") < 14:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.002)
    return process, runs.Run(folder / "a-fox")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of the picture of a run that nothing stopped."""
    clip = str(tiny_checkpoints() / "clip-mini")
    planned = api.plan(["a fox"], None, {"clip": clip, "size": "32", "cutouts": 2, "steps": STEPS})
    run = runs.create(tmp_path_factory.mktemp("whole"), planned.recipe)
    follow(planned, run, models=api.Models("cpu"))  # it begins with the bundled network's picture, as `begin` does
    return run.picture.read_bytes()


def test_kill_9_in_the_middle_and_resume_gives_the_same_picture(tmp_path, whole, capsys):
    process, run = begin(tmp_path)
    process.kill()
    process.communicate()
    assert not run.finished and 0 < run.load_state()["step"] < STEPS
    assert main(["resume", str(run.folder), "--json", "--save-every", "30"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == STEPS
    assert run.picture.read_bytes() == whole and run.finished
    assert [entry["step"] for entry in run.log()] == list(range(STEPS + 1))
    assert len(run.frames()) == 3
    assert main(["resume", str(run.folder)]) == 2
    assert "is finished; clipguide rerun" in capsys.readouterr().err


def test_ctrl_c_keeps_the_picture_and_the_state(tmp_path, whole, capsys):
    process, run = begin(tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == "" and out.endswith(f"clipguide resume {run.folder}\n")
    assert run.picture.exists() and not run.finished
    assert main(["resume", str(run.folder), "--json"]) == 0
    assert run.picture.read_bytes() == whole
