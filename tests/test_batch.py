"""Batches: what is made, skipped, refused and kept, whoever makes it and however it ends."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch
from conftest import TinyModels, tiny_checkpoints

from clipguide import batch, images, jobs, manifest, tables
from clipguide.cli import main
from clipguide.commands.batch import Batching
from clipguide.errors import UserError
from clipguide.methods import METHODS
from clipguide.options import Common, options
from clipguide.plans import method
from clipguide.worker import WORK

TINY = str(tiny_checkpoints() / "clip-mini")
SETTINGS = {"steps": 1, "cutouts": 2, "size": 16, "clip": TINY, "features": TINY}
FLAGS = ["--steps", "1", "--cutouts", "2", "--size", "16", "--clip", TINY, "--features", TINY, "--method", "textstyle"]


def photos(folder: Path, count: int, broken: int = 0) -> list[Path]:
    """`count` small photos, the first `broken` of them no pictures."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        image = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(number))
        data = b"\x89PNG no more" if number < broken else images.png(image)
        images.write(folder / f"p{number:03d}.png", data)
    return tables.photos_of(folder)


def grid(paths, styles=("a mosaic",), seeds=(), **settings) -> list[jobs.Job]:
    return jobs.grid(paths, styles, seeds, method="textstyle", settings={**SETTINGS, **settings})


@pytest.fixture(scope="module")
def crew() -> batch.Crew:
    return batch.Crew(models=TinyModels())


def make(wanted, out, crew, **more) -> dict[str, batch.JobResult]:
    return {result.name: result for result in batch.run(wanted, out, crew, **more)}


def states(results) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


def lines(out: Path) -> dict[str, dict]:
    return {entry["name"]: entry for entry in manifest.read(out / manifest.NAME)}


def pictures(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("p*.png"))}


def test_photos_times_styles_times_seeds(tmp_path, crew):
    wanted = grid(photos(tmp_path / "in", 2), ["a mosaic", "a sketch"], [0, 7])
    results = make(wanted, tmp_path / "out", crew)
    assert list(results)[:3] == ["p000-a-mosaic-s0", "p000-a-mosaic-s7", "p000-a-sketch-s0"] and len(results) == 8
    assert set(states(results).values()) == {"done"}
    for name, result in results.items():
        recipe = images.metadata(result.files[0])
        assert result.files[0] == tmp_path / "out" / f"{name}.png" and -1 <= result.score <= 1 and result.seconds > 0
        assert (recipe["prompts"], recipe["settings"]["seed"]) == (list(result.prompts), int(name[-1]))
        assert recipe["settings"]["init"] == str(result.photo)
    assert images.read(tmp_path / "out" / "contact-sheet.png").shape[-1] == 5 * (160 + 4) + 4  # the photo and four more
    assert not (tmp_path / "out" / WORK).exists()


def test_the_manifest_says_what_was_made_of_what(tmp_path, crew):
    (path,) = photos(tmp_path / "in", 1)
    make(grid([path]), tmp_path / "out", crew)
    (entry,) = lines(tmp_path / "out").values()
    assert entry["state"] == "done" and entry["files"] == ["p000-a-mosaic.png"] and entry["error"] == ""
    assert (entry["method"], entry["prompts"], entry["steps"]) == ("textstyle", ["a mosaic"], 1)
    assert list(entry["inputs"]) == [str(path)] and len(entry["inputs"][str(path)]) == len(entry["key"]) == 64
    assert entry["settings"]["cutouts"] == 2 and entry["score"] is not None and entry["seconds"] > 0


def test_a_picture_is_that_of_a_single_run(tmp_path, crew, models):
    from clipguide import api

    wanted = grid(photos(tmp_path / "in", 2))
    results = make(wanted, tmp_path / "out", crew)
    for job in wanted:
        alone = api.generate(*job.prompts, method=job.method, models=models, **job.settings)
        assert torch.equal(images.read(results[job.name].files[0]), images.from_pil(alone.image))


def test_a_second_start_makes_only_what_is_new(tmp_path, crew):
    paths, out = photos(tmp_path / "in", 3), tmp_path / "out"
    make(grid(paths[:2]), out, crew)
    before = pictures(out)
    (out / "p001-a-mosaic.png").unlink()
    photos(tmp_path / "in", 1, broken=1)  # the first photo is another now
    again = make(grid(paths), out, crew)
    assert states(again) == {"p000-a-mosaic": "failed", "p001-a-mosaic": "done", "p002-a-mosaic": "done"}
    assert pictures(out)["p001-a-mosaic.png"] == before["p001-a-mosaic.png"]
    photos(tmp_path / "in", 1)  # and mended
    third = make(grid(paths), out, crew)
    assert states(third) == {"p000-a-mosaic": "done", "p001-a-mosaic": "skipped", "p002-a-mosaic": "skipped"}
    assert third["p001-a-mosaic"].files == again["p001-a-mosaic"].files and third["p001-a-mosaic"].score is not None
    assert set(states(make(grid(paths, steps=2), out, crew)).values()) == {"done"}


def test_photos_that_moved_are_the_same_inputs(tmp_path, crew):
    make(grid(photos(tmp_path / "in", 1)), tmp_path / "out", crew)
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    moved = make(grid(tables.photos_of(tmp_path / "elsewhere")), tmp_path / "out", crew)
    assert states(moved) == {"p000-a-mosaic": "skipped"}


def hundreds(call, folder: Path, count: int, broken: int) -> None:
    photos(folder / "in", count, broken)
    code, out, err = call("batch", folder / "in", "a mosaic", "--out", folder / "out", *FLAGS)
    told = [line for line in err.splitlines() if "failed" in line]
    assert code == 1 and len(told) == broken
    assert all(f"p{number:03d}.png is no picture that can be read" in line for number, line in enumerate(told))
    assert len(pictures(folder / "out")) == count - broken
    assert f"{count - broken} done, {broken} failed" in out
    entries = list(lines(folder / "out").values())
    assert [entry["state"] for entry in entries] == ["failed"] * broken + ["done"] * (count - broken)
    assert all(bool(entry["error"]) == (entry["state"] == "failed") for entry in entries)


@pytest.fixture
def call(capsys):
    """Runs one command line -> (exit code, stdout, stderr)."""

    def call(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_of_20_photos_2_are_broken(tmp_path, call):
    hundreds(call, tmp_path, 20, 2)


@pytest.mark.slow
def test_of_200_photos_20_are_broken(tmp_path, call):
    hundreds(call, tmp_path, 200, 20)


class Crash(BaseException):
    """The process is gone: nobody catches this."""


@pytest.mark.parametrize("moment", range(5))
def test_after_a_crash_at_any_write_the_next_start_completes_all(tmp_path, crew, monkeypatch, moment):
    wanted, out, replace = grid(photos(tmp_path / "in", 3)), tmp_path / "out", os.replace
    make(wanted, tmp_path / "whole", crew)
    left = random.Random(moment).randrange(1, 25)  # one job takes eight

    def crash(source, target):
        nonlocal left
        left -= 1
        if not left:
            raise Crash
        replace(source, target)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(Crash):
        make(wanted, out, crew)
    monkeypatch.setattr(os, "replace", replace)
    assert all(entry["state"] in ("waiting", "done") for entry in lines(out).values()) if out.exists() else True
    make(wanted, out, crew)
    assert pictures(out) == pictures(tmp_path / "whole")
    assert {entry["state"] for entry in lines(out).values()} == {"done"}
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in (tmp_path / "whole").iterdir())
