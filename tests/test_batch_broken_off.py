"""Batches that end early, by a crash, a kill, a wish or Ctrl-C: what is kept, and how the next start goes on."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from doubles import TinyModels
from tiny_batch import FLAGS, grid, lines, make, photos, pictures, states

from clipguide import batch, manifest, tables
from clipguide.errors import UserError
from clipguide.worker import WORK


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
    """What a process has computed, on a busy machine a better clock than the wall; infinite once it has ended."""
    state, *told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return math.inf if state == "Z" else sum(map(int, told[10:12])) / os.sysconf("SC_CLK_TCK")


def kill_five_starts(folder: str) -> None:
    """Starts a batch five times and kills each start at a random moment.  In a process that has no threads to fork."""
    root, dice = Path(folder), random.Random(0)
    wanted, crew = grid(tables.photos_of(root / "in")), batch.Crew(models=TinyModels())
    make(wanted, root / "whole", crew)
    began = time.process_time()  # of a second one, as warm as those that are killed
    make(wanted, root / "again", crew)
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
    code = f"import test_batch_broken_off; test_batch_broken_off.kill_five_starts({str(tmp_path)!r})"
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


def test_a_line_of_the_manifest_that_was_cut_short_counts_for_nothing(tmp_path, crew):
    wanted, path = grid(photos(tmp_path / "in", 3)), tmp_path / "out" / manifest.NAME
    with closing(batch.run(wanted, tmp_path / "out", crew)) as results:
        next(results), next(results)
    told = path.read_bytes()
    assert told.count(b"\n") == 3 + 2, "a line is added as each is over"
    path.write_bytes(told[:-1])  # whole, but for the end of the line that an editor may take away
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done", "done", "waiting"]
    path.write_bytes(told[:-5])
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done", "waiting", "waiting"]
    assert list(states(make(wanted, tmp_path / "out", crew)).values()) == ["skipped", "done", "done"]
    assert path.read_bytes().count(b"\n") == 3
    path.write_bytes(b'{"name": "x"')
    with pytest.raises(UserError, match="is no manifest of a batch"):
        make(wanted, tmp_path / "out", crew)


def test_breaking_off_keeps_what_is_done(tmp_path, crew):
    wanted = grid(photos(tmp_path / "in", 3))
    with closing(batch.run(wanted, tmp_path / "out", crew)) as results:
        next(results)
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done", "waiting", "waiting"]
    make(wanted, tmp_path / "out", crew)  # the folder is free again


def test_ctrl_c_ends_cleanly(tmp_path, call, monkeypatch):
    photos(tmp_path / "in", 3)
    line = ["batch", tmp_path / "in", "a mosaic", "--out", tmp_path / "out", *FLAGS]
    append = manifest.Manifest.append

    def interrupt(self, names):
        append(self, names)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(manifest.Manifest, "append", interrupt)  # after the first job
    code, out, _ = call(*line)
    assert code == 130 and "1 done, 2 left" in out
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done", "waiting", "waiting"]
    monkeypatch.undo()
    code, out, _ = call(*line)
    assert code == 0 and "2 done, 1 skipped" in out


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
