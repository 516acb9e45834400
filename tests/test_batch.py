"""Batches: what is made, skipped, refused and kept, whoever makes it and however it ends."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from doubles import TinyModels, tiny_checkpoints

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
    if (out / manifest.NAME).exists():
        assert {entry["state"] for entry in lines(out).values()} <= {"waiting", "done"}
    make(wanted, out, crew)
    assert pictures(out) == pictures(tmp_path / "whole")
    assert {entry["state"] for entry in lines(out).values()} == {"done"}
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in (tmp_path / "whole").iterdir())


def seconds_of(process: int) -> float:
    """What a process has computed so far; on a busy machine a better clock than the wall's."""
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def kill_five_starts(folder: str) -> None:
    """Starts a batch five times and kills each start at a random moment.  In a process that has no threads to fork."""
    root, dice = Path(folder), random.Random(0)
    wanted, crew = grid(tables.photos_of(root / "in")), batch.Crew(models=TinyModels())
    began = time.process_time()
    make(wanted, root / "whole", crew)
    whole = time.process_time() - began
    for _ in range(5):
        if (child := os.fork()) == 0:
            make(wanted, root / "out", crew)
            os._exit(0)
        until = dice.uniform(0, whole / 3)
        while seconds_of(child) < until:
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        begun = (root / "out" / manifest.NAME).exists()
        print([entry["state"] for entry in lines(root / "out").values()].count("done") if begun else 0)
    make(wanted, root / "out", crew)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_killed_at_a_random_moment_five_times(tmp_path):
    photos(tmp_path / "in", 20)
    code = f"import test_batch; test_batch.kill_five_starts({str(tmp_path)!r})"
    script = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert script.returncode == 0, script.stderr[-2000:]
    counts = [int(line) for line in script.stdout.splitlines()]
    assert len(counts) == 5 and counts == sorted(counts) and 0 < counts[-1]  # nothing that was done is lost
    assert pictures(tmp_path / "out") == pictures(tmp_path / "whole") and len(pictures(tmp_path / "out")) == 20
    assert {entry["state"] for entry in lines(tmp_path / "out").values()} == {"done"}
    assert sorted(os.listdir(tmp_path / "out")) == sorted(os.listdir(tmp_path / "whole"))


def test_a_wish_to_stop_ends_after_the_step_at_hand_and_the_next_start_goes_on(tmp_path, crew):
    wanted, out = grid(photos(tmp_path / "in", 3), steps=4), tmp_path / "out"
    make(wanted, tmp_path / "whole", crew)
    looks = iter(range(100))
    results = make(wanted, out, crew, asked_to_stop=lambda: next(looks) > 8)  # in the second job
    assert states(results) == {"p000-a-mosaic": "done", "p001-a-mosaic": "stopped"}
    assert [entry["state"] for entry in lines(out).values()] == ["done", "stopped", "waiting"]
    assert (out / WORK / "p001-a-mosaic" / "state.pt").exists()
    (out / WORK / "p001-a-mosaic" / ".1-2.part.jsonl").write_text("")  # as the kill of another process leaves it
    assert states(make(wanted, out, crew)) == dict(zip(lines(out), ["skipped", "done", "done"], strict=True))
    assert pictures(out) == pictures(tmp_path / "whole")
    log = [entry["steps"] for entry in lines(out).values()]
    assert log == [4, 4, 4] and not (out / WORK).exists()
    assert sorted(os.listdir(out)) == sorted(os.listdir(tmp_path / "whole"))  # what was half written is no result


def test_breaking_off_keeps_what_is_done(tmp_path, crew):
    wanted = grid(photos(tmp_path / "in", 3))
    with closing(batch.run(wanted, tmp_path / "out", crew)) as results:
        next(results)
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done", "waiting", "waiting"]
    make(wanted, tmp_path / "out", crew)  # the folder is free again


def test_ctrl_c_ends_cleanly(tmp_path, call, monkeypatch):
    photos(tmp_path / "in", 3)
    line = ["batch", tmp_path / "in", "a mosaic", "--out", tmp_path / "out", *FLAGS]
    note = manifest.Manifest.write

    def interrupt(self):
        note(self)
        os.kill(os.getpid(), signal.SIGINT) if interrupt.armed else None
        interrupt.armed = not interrupt.armed  # after the first job

    interrupt.armed = False
    monkeypatch.setattr(manifest.Manifest, "write", interrupt)
    code, out, _ = call(*line)
    assert code == 130 and "1 done, 2 left" in out
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done", "waiting", "waiting"]
    monkeypatch.undo()
    code, out, _ = call(*line)
    assert code == 0 and "2 done, 1 skipped" in out


def test_two_batches_in_one_folder_are_refused(tmp_path, crew):
    wanted = grid(photos(tmp_path / "in", 2))
    with closing(batch.run(wanted, tmp_path / "out", crew)) as results:
        next(results)
        with pytest.raises(UserError, match="another batch is at work"):
            make(wanted, tmp_path / "out", crew)


def test_from_words_alone_with_any_method(tmp_path, call):
    (tmp_path / "ideas.txt").write_text("a red fox\n\na castle #pixelart\n", encoding="utf-8")
    flags = ["--steps", 1, "--cutouts", 2, "--size", 16, "--clip", TINY, "--seeds", "0,3-4", "--json"]
    code, out, err = call("batch", tmp_path / "ideas.txt", "--out", tmp_path / "out", *flags)
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["done"], facts["left"], len(facts["sheets"])) == (6, 0, 1)
    methods = {name: entry["method"] for name, entry in lines(tmp_path / "out").items()}
    assert methods["a-red-fox-s4"] == "fourier" and methods["a-castle-pixelart-s0"] == "pixelart"


def test_a_table_says_all_of_every_job(tmp_path, call):
    photos(tmp_path / "in", 2)
    rows = [
        "photo,prompt,method,output,strength,seed",
        "in/p000.png,a mosaic,textstyle,first,0.5,",
        "in/p001.png,\"a sketch, in crayon\",,,,3",
        ",a fox,pixels,fox,,",
    ]
    (tmp_path / "jobs.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    flags = ["--steps", 1, "--cutouts", 2, "--size", 16, "--clip", TINY]
    code, _, err = call("batch", tmp_path / "jobs.csv", "--out", tmp_path / "out", *flags)
    told = lines(tmp_path / "out")
    assert list(told) == ["first", "p001-a-sketch-in-crayon-s3", "fox"] and code == 0, err
    assert [entry["method"] for entry in told.values()] == ["textstyle", "textstyle", "pixels"]
    assert told["first"]["settings"]["strength"] == 0.5 and told["first"]["settings"]["init"].endswith("in/p000.png")


def test_yaml_is_a_grid_or_rows(tmp_path):
    photos(tmp_path / "in", 2)
    path = tmp_path / "jobs.yaml"
    path.write_text("photos: in\nstyles: [a mosaic, a sketch]\nseeds: [1]\nsettings: {method: textstyle, steps: 3}\n")
    found = tables.read(path)
    assert [job.name for job in found][::3] == ["p000-a-mosaic-s1", "p001-a-sketch-s1"] and len(found) == 4
    assert found[0].method == "textstyle" and found[0].settings["steps"] == 3
    path.write_text("- {photo: in/p000.png, prompt: [a fox, 'dark:-1'], strength: 0.2}\n- prompt: a hen\n")
    first, second = tables.read(path, settings={"steps": 9})
    assert first.prompts == ("a fox", "dark:-1") and first.photo == tmp_path / "in/p000.png"
    assert second.settings == {"steps": 9} and second.where == "jobs.yaml line 2"


REFUSED = {
    "nowhere": ([], "nowhere is not there; give a folder"),
    "empty": ([], "empty holds no photo"),
    "words.doc": ([], "words.doc is no table"),
    "stlye.csv": ([], "line 1: unknown column 'promt'; did you mean 'prompt'"),
    "method.csv": ([], "method.csv line 3: unknown method 'mosaik'"),
    "value.csv": ([], "value.csv line 2: --strength 2"),
    "other.csv": ([], "other.csv line 2: unknown setting 'strength'"),
    "photo.csv": ([], "photo.csv line 2: the method clipstyler starts from a photo"),
    "twice.csv": ([], "twice.csv line 2 and twice.csv line 4 would both be written as a-fox.png"),
    "wide.csv": ([], "wide.csv line 2: more cells than columns"),
    "out.csv": ([], "'../a' cannot name"),
    "bare.csv": ([], "there is no job"),
    "mask.csv": ([], "mask.csv line 2: --mask .* is not there"),
    "bad.yaml": ([], "bad.yaml line 2: no YAML"),
    "row.yaml": ([], "row.yaml line 2: no row"),
    "grid.yaml": ([], "unknown entry 'style'"),
    "in": (["--seeds", "3-1"], "--seeds 3-1: write numbers"),
    "in ": (["a mosaic", "--steps", "many"], "--steps many"),
    "in  ": (["a mosaic", "--device", "cud"], "--device cud is not here"),
    "in   ": ([], "no prompt was given"),
    "bare.csv ": (["a mosaic"], "says its own styles"),
}
TABLES = {
    "words.doc": "",
    "stlye.csv": "photo,promt\n",
    "method.csv": "prompt,method\na fox,pixels\na hen,mosaik\n",
    "value.csv": "photo,prompt,strength\nin/p000.png,a mosaic,2\n",
    "other.csv": "prompt,method,strength\na fox,pixels,0.5\n",
    "photo.csv": "prompt,method\na fox,clipstyler\n",
    "twice.csv": "prompt,seed\na fox,\na hen,\nA FOX,\n",
    "wide.csv": "prompt\na fox,red\n",
    "out.csv": "prompt,output\na fox,../a\n",
    "bare.csv": "prompt,seed\n",
    "mask.csv": "photo,prompt,mask\nin/p000.png,a fox,gone.png\n",
    "bad.yaml": "- prompt: a\n  : ]\n",
    "row.yaml": "- prompt: a\n- a fox\n",
    "grid.yaml": "photos: in\nstyle: a\n",
}


@pytest.mark.parametrize("source", REFUSED)
def test_bad_input_is_refused_in_one_line_before_anything_is_made(tmp_path, call, source):
    photos(tmp_path / "in", 1)
    (tmp_path / "empty").mkdir()
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    flags, said = REFUSED[source]
    code, out, err = call("batch", tmp_path / source.strip(), *flags, "--out", tmp_path / "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(said, err), err
    assert not (tmp_path / "out").exists()


def test_a_file_that_no_batch_made_is_kept(tmp_path, crew):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "p000-a-mosaic.png").write_bytes(b"precious")
    with pytest.raises(UserError, match="no batch made it"):
        make(grid(photos(tmp_path / "in", 1)), tmp_path / "out", crew)
    assert (tmp_path / "out" / "p000-a-mosaic.png").read_bytes() == b"precious"


def test_photos_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "b.png"]
    assert [job.name for job in grid(paths, ["x"])] == ["a-jpg-x", "a-png-x", "b-x"]


def test_no_flag_of_the_batch_is_a_setting_of_a_method():
    own = {option.name for option in options(Batching)}
    assert all(own.isdisjoint(method(name).Settings.model_fields) for name in METHODS)
    assert own.isdisjoint(Common.model_fields)


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


def test_without_ray_the_extra_is_named(tmp_path, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    photos(tmp_path / "in", 1)
    code, _, err = call("batch", tmp_path / "in", "a mosaic", "--out", tmp_path / "out", "--engine", "ray", *FLAGS)
    assert code == 2 and "pip install 'clipguide[batch]'" in err


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_job_alone(tmp_path):
    wanted = grid(photos(tmp_path / "in", 4), steps=3)
    results = {}
    with closing(batch.run(wanted, tmp_path / "out", batch.Crew(workers=2))) as running:
        for result in running:
            results[result.name] = result
            if len(results) == 1:
                multiprocessing.active_children()[0].kill()
    assert sorted(states(results).values()) == ["done", "done", "done", "failed"]
    assert any("its worker died (SIGKILL)" in result.error for result in results.values())
    again = states(make(wanted, tmp_path / "out", None))
    assert sorted(again.values()) == ["done", "skipped", "skipped", "skipped"]
