"""Batches of the page: made, found again after a restart, gone on with."""

import json
import os
import threading
import zipfile

import pytest

pytest.importorskip("gradio")

from studios import picture, until

from apps import batch_tab, batches
from apps.runner import Runner, Work
from clipguide import images
from clipguide.errors import UserError


def plan(place, photos, styles):
    page = batch_tab.Page.__new__(batch_tab.Page)
    page.studio = place
    return page._plan([str(photo) for photo in photos], styles, "pixels", 2, 32)


def test_a_batch_makes_what_it_can(place, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    photos = [picture(tmp_path / "a.png"), broken, picture(tmp_path / "b.png", (30, 40))]
    work = plan(place, photos, "mosaic\nink")
    place.runner.add(work)
    until(lambda: work.over)
    assert work.state == "done", work.error
    assert sorted(work.results) == ["a-ink", "a-mosaic", "b-ink", "b-mosaic"]
    assert {result.state for result in work.results.values()} == {"done"}
    with zipfile.ZipFile(work.folder / batches.ZIP) as archive:
        assert {"a-ink.png", "contact-sheet.png", "manifest.jsonl"} <= set(archive.namelist())
    shown = batches.table(work)
    assert "4 of 4 done, 1 refused" in shown and "broken.png is no picture" in shown
    assert images.read(work.folder / "b-ink.png").shape[-2:] == (32, 24)
    again = batches.reopened(place.root, work.folder.name)  # as after a restart
    assert batches.table(again) == shown and again.left == 0 and again.state == "done"


def test_styles_of_one_beginning_are_jobs_of_their_own(place, tmp_path):
    styles = f"{'s' * 61} one\n{'s' * 61} two\n{'s' * 61} two"
    work = plan(place, [picture(tmp_path / f"{'p' * 70}.png")], styles)
    first, second = (job.name for job in work.wanted)
    assert first != second and second.endswith("s-2")


def test_a_batch_that_a_restart_cut_short_is_gone_on_with(place, tmp_path, models):
    work = plan(place, [picture(tmp_path / "a.png"), picture(tmp_path / "b.png")], "mosaic\nink")
    stopping = Runner(models, place.root)
    stopping.add(work)
    until(lambda: work.results)
    stopping.close()
    until(lambda: work.over)
    again = batches.reopened(place.root, work.folder.name)
    assert len(again.wanted) == 4 and again.left == work.left
    if again.left:
        assert again.state == "stopped"
    made = {name: result.files for name, result in again.results.items() if result.state == "done"}
    place.runner.add(again)
    until(lambda: again.over)
    assert again.state == "done" and again.left == 0, again.error
    assert all(again.results[name].files == files for name, files in made.items()), "what was made is made once"


class Holding(Work):
    """Keeps the one worker until it is told to let go."""

    def __init__(self) -> None:
        super().__init__("holding")
        self.enough = threading.Event()

    def do(self, models) -> bool:
        return self.enough.wait(60)


def test_a_batch_that_waits_is_stopped_gone_on_with_and_made_once(place, tmp_path, monkeypatch):
    holding, made = Holding(), []
    place.runner.add(holding)
    work = plan(place, [picture(tmp_path / "a.png")], "mosaic")
    monkeypatch.setattr(work, "do", lambda models: made.append(work) or True)
    place.runner.add(work)
    place.runner.stop(work)
    assert work.state == "stopped"
    place.runner.add(work)
    last = Holding()
    last.name = "last"
    place.runner.add(last)
    holding.enough.set()
    last.enough.set()
    until(lambda: last.over)
    assert made == [work] and work.state == "done"


def test_a_batch_that_waits_is_found_after_a_restart(place, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    photos = [picture(tmp_path / "a.png"), broken]
    work, other = plan(place, photos, "mosaic\nink"), plan(place, photos, "mosaic\nink")
    assert work.folder != other.folder
    again = batches.reopened(place.root, work.folder.name)
    assert (again.state, again.left, again.wanted[0].where) == ("stopped", 2, "a")
    assert [name for name, _ in again.refused] == ["broken.png"]
    with pytest.raises(UserError, match="no picture"):
        plan(place, [broken], "mosaic")
    assert len(batches.every(place.root)) == 2, "a batch of nothing leaves no folder"


def test_a_zip_is_whole_and_as_new_as_its_batch(place, tmp_path, monkeypatch):
    work = plan(place, [picture(tmp_path / "a.png")], "mosaic")
    with monkeypatch.context() as broken, pytest.raises(OSError, match="full"):
        broken.setattr(zipfile.ZipFile, "write", raiser(OSError("full")))
        work.zip()
    assert not (work.folder / batches.ZIP).exists()
    work.zip()
    (work.folder / "a-mosaic.png").write_bytes(b"new")
    os.utime(work.folder / "manifest.jsonl", (2e9, 2e9))
    with zipfile.ZipFile(work.zip()) as archive:
        assert "a-mosaic.png" in archive.namelist()


def raiser(error):
    def fail(*given):
        raise error

    return fail


def test_batches_are_found_by_name_alone_and_strange_folders_do_no_harm(place, tmp_path):
    assert batches.every(place.root) == []
    home = place.root / batches.FOLDER
    (home / "empty").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/manifest.jsonl").write_text("")
    (home / "link").symlink_to(tmp_path / "elsewhere")
    (home / "broken").mkdir()
    (home / "broken/manifest.jsonl").write_text(json.dumps({"name": "x"}))
    assert [folder.name for folder in batches.every(place.root)] == ["broken"]
    for name in ("../../etc", "link", "", "none"):
        with pytest.raises(UserError, match="no batch"):
            batches.reopened(place.root, name)
    with pytest.raises(UserError, match="manifest"):
        batches.reopened(place.root, "broken")
