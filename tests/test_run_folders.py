"""A run's folder: made whole or not at all, held by one process at a time, and read where it is damaged."""

import subprocess
import sys

import pytest

from clipguide import runs
from clipguide.errors import UserError

RECIPE = {"method": "fourier", "prompts": ["a fox"], "settings": {}}


def test_the_death_of_a_process_lets_go_of_its_run(tmp_path):
    run = runs.create(tmp_path, RECIPE)
    code = "import sys, pathlib as p, clipguide.runs as r\nwith r.Run(p.Path(sys.argv[1])).held(): input(print())"
    line = [sys.executable, "-c", code, str(run.folder)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.read(1)
    with pytest.raises(UserError, match="still being made"), run.held():
        pass
    process.kill()
    process.communicate()
    with run.held():
        pass


def test_a_folder_that_takes_no_lock_is_made_all_the_same(tmp_path, monkeypatch):
    run, entered = runs.create(tmp_path, RECIPE), []

    def refuse(lock, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runs.FileLock, "acquire", refuse)
    with run.held():
        entered.append(run)
    assert entered == [run]


def test_of_several_runs_all_are_made_or_none(tmp_path, monkeypatch):
    assert [run.folder.name for run in runs.create_all(tmp_path, [RECIPE] * 2)] == ["a-fox", "a-fox-2"]
    write = runs.Run.write

    def full(run, name, data):
        if run.folder.name == "a-fox-4":
            raise UserError("No space left on device")
        return write(run, name, data)

    monkeypatch.setattr(runs.Run, "write", full)
    with pytest.raises(UserError, match="No space left"):
        runs.create_all(tmp_path, [RECIPE] * 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-fox", "a-fox-2"]


def test_what_is_no_line_of_the_log_is_left_out(tmp_path):
    run = runs.create(tmp_path, RECIPE)
    (run.folder / "log.jsonl").write_bytes(b'\x00junk\n[]\n5\n{}\n{"step": 3}\n{"step": ')
    assert run.log() == [{"step": 3}]


def test_a_run_that_was_removed_has_no_more_than_the_name_of_its_picture(tmp_path):
    run = runs.create(tmp_path, RECIPE)
    run.remove()
    assert run.pictures() == [run.picture] and not run.picture.exists()
