"""Batches: what is made, what is skipped, and that whoever makes it makes the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tiny_batch import FLAGS, grid, lines, make, photos, pictures, states

from clipguide import batch, images, jobs, sheets, tables
from clipguide.worker import WORK


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


def test_pages_of_a_larger_batch_do_not_stay(tmp_path, crew, monkeypatch):
    monkeypatch.setattr(sheets, "CELLS", 4)
    paths, out = photos(tmp_path / "in", 5), tmp_path / "out"
    for count, numbers in ((5, ["", "-2", "-3"]), (2, [""])):
        make(grid(paths[:count]), out, crew)
        assert {path.name for path in out.glob("contact*")} == {f"contact-sheet{number}.png" for number in numbers}


def test_the_captions_of_the_sheet_are_photos_and_styles(tmp_path, crew, monkeypatch):
    told, draw = [], images.sheet
    monkeypatch.setattr(images, "sheet", lambda found, said, **more: told.append(said) or draw(found, said, **more))
    paths = photos(tmp_path / "in", 2)
    make(grid(paths[:1], ["a mosaic", f"@{paths[1]}"], [0, 3]), tmp_path / "out", crew)
    assert told == [("p000.png", "a mosaic", "a mosaic, seed 3", "@p001.png", "@p001.png, seed 3")]


def test_the_manifest_says_what_was_made_of_what(tmp_path, crew):
    (path,) = photos(tmp_path / "in", 1)
    make(grid([path]), tmp_path / "out", crew)
    (entry,) = lines(tmp_path / "out").values()
    assert entry["state"] == "done" and entry["files"] == ["p000-a-mosaic.png"] and entry["error"] == ""
    assert (entry["method"], entry["prompts"], entry["steps"]) == ("textstyle", ["a mosaic"], 1)
    assert list(entry["inputs"]) == [str(path), entry["settings"]["clip"]], "a network that is named by its path"
    assert len(entry["inputs"][str(path)]) == len(entry["key"]) == 64
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


def test_pictures_made_together_are_those_made_one_by_one(tmp_path, call):
    photos(tmp_path / "in", 5, broken=1)
    line = ["batch", tmp_path / "in", "a mosaic", *FLAGS]
    for name, more in {"alone": [], "together": ["--together", 3]}.items():
        code, out, err = call(*line, "--out", tmp_path / name, *more)
        assert code == 1 and "4 done, 1 failed" in out and "p000-a-mosaic failed" in err
    assert pictures(tmp_path / "alone") == pictures(tmp_path / "together")
    told = [lines(tmp_path / name) for name in ("alone", "together")]
    alike = [[{**entry, "seconds": 0} for entry in found.values()] for found in told]
    assert alike[0] == alike[1] and sorted(os.listdir(tmp_path / "alone")) == sorted(os.listdir(tmp_path / "together"))


def test_pictures_made_together_are_stopped_and_gone_on_with_one_by_one(tmp_path, crew):
    wanted, out = grid(photos(tmp_path / "in", 5), steps=4), tmp_path / "out"
    make(wanted, tmp_path / "whole", crew)
    looks = iter(range(100))
    both = replace(crew, together=2)
    results = make(wanted, out, both, asked_to_stop=lambda: next(looks) > 14)  # in the second pair
    assert list(states(results).values()) == ["done", "done", "stopped", "stopped"]
    assert [entry["state"] for entry in lines(out).values()] == ["done", "done", "stopped", "stopped", "waiting"]
    assert list(states(make(wanted, out, both)).values()) == ["skipped", "skipped", "done", "done", "done"]
    assert pictures(out) == pictures(tmp_path / "whole")
    assert [entry["steps"] for entry in lines(out).values()] == [4] * 5 and not (out / WORK).exists()


def test_no_worker_is_without_work_for_the_sake_of_making_together(tmp_path):
    tasks = jobs.check(grid(photos(tmp_path / "in", 5)))
    sizes = lambda workers, together: [  # noqa: E731
        len(load) for load in batch.loads(tasks, batch.Crew(workers=workers, together=together))
    ]
    assert sizes(1, 1) == [1] * 5 and sizes(1, 4) == [4, 1] and sizes(2, 8) == [3, 2] and sizes(8, 4) == [1] * 5


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


def test_of_20_photos_2_are_broken(tmp_path, call):
    hundreds(call, tmp_path, 20, 2)


@pytest.mark.slow
def test_of_200_photos_20_are_broken(tmp_path, call):
    hundreds(call, tmp_path, 200, 20)


def separate(*words) -> subprocess.CompletedProcess:
    """A command line in a process of its own, with one thread, as the engines are compared."""
    line = [sys.executable, "-m", "clipguide.cli", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def same_as_here(folder: Path, crew, *flags: str) -> None:
    paths = photos(folder / "in", 6, broken=1)
    make(grid(paths), folder / "here", crew)
    done = separate("batch", folder / "in", "a mosaic", "--out", folder / "out", *FLAGS, *flags)
    assert done.returncode == 1 and "5 done, 1 failed" in done.stdout, done.stderr
    assert done.stderr.count("\n") == 1 and "p000-a-mosaic failed" in done.stderr
    assert pictures(folder / "out") == pictures(folder / "here")
    assert sorted(os.listdir(folder / "out")) == sorted(os.listdir(folder / "here"))


@pytest.mark.slow
def test_processes_make_the_same_bytes(tmp_path, crew):
    same_as_here(tmp_path, crew, "--workers", "2")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra 'batch'")
def test_a_ray_cluster_makes_the_same_bytes(tmp_path, crew):
    same_as_here(tmp_path, crew, "--workers", "2", "--engine", "ray")
