"""Batches of photos and prompts with odd names: line separators, bytes that are no text, long ones, equal ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from tiny_batch import FLAGS, SETTINGS, grid, lines, make, photos, states

from clipguide import images, jobs, runs, tables

WORDS = {name: value for name, value in SETTINGS.items() if name != "features"}


def test_separators_in_a_prompt_are_letters_as_any(tmp_path, crew):
    wanted = jobs.grid([None], ["a\u2028b\u0085c"], method="pixels", settings=WORDS)
    (result,) = make(wanted, tmp_path / "out", crew).values()
    assert (result.state, result.error) == ("done", "")
    assert lines(tmp_path / "out")[result.name]["prompts"] == ["a\u2028b\u0085c"]
    assert states(make(wanted, tmp_path / "out", crew)) == {result.name: "skipped"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other file systems take no such names")
def test_a_photo_whose_name_is_no_utf8_is_made_and_skipped(tmp_path, call):
    (path,) = photos(tmp_path / "in", 1)
    odd = os.fsencode(tmp_path / "in" / "caf") + b"\xe9.png"
    os.rename(path, odd)
    for said in ("1 done", "1 skipped"):
        code, out, err = call("batch", tmp_path / "in", "a mosaic", "--out", tmp_path / "out", *FLAGS)
        assert (code, err) == (0, "") and said in out
    assert lines(tmp_path / "out")["caf-a-mosaic"]["settings"]["init"] == os.fsdecode(odd)
    assert images.metadata(tmp_path / "out" / "caf-a-mosaic.png")["settings"]["init"] == os.fsdecode(odd)


def names(paths, styles, seeds=()) -> list[str]:
    found = [task.name for task in jobs.check(grid(paths, styles, seeds))]
    assert found == [job.name for job in grid(paths, styles, seeds)], "the same every time"
    return found


def test_long_names_are_cut_until_they_are_legal():
    photo, style = Path(f"{'p' * 60}.png"), "я" * 80
    (name,) = names([photo], [style], [4_000_000_000])
    assert len(name.encode()) <= runs.MAX_NAME and name.startswith("p" * 30) and name.endswith("яя-s4000000000")
    assert names([photo], ["s" * 59]) == [f"{'p' * 60}-{'s' * 59}"], "what is legal is not cut further"


def test_jobs_of_one_name_are_numbered():
    paths = [Path("IMG 1.png"), Path("IMG-1.png"), Path("img-1-x.png")]
    assert names(paths, ["x"]) == ["img-1-x", "img-1-x-2", "img-1-x-x"]
    assert names([Path("a.png"), Path("a x.png")], ["x", "x!", "x x", "x-2"]) == [
        *("a-x", "a-x-3", "a-x-x", "a-x-2"),  # a first one of its name keeps it
        *("a-x-x-3", "a-x-x-4", "a-x-x-x", "a-x-x-2"),
    ]
    long = [f"{'s' * 61} {word}" for word in ("one", "two")]
    first, second = names([Path(f"{'p' * 60}.png")], long)
    assert second.endswith("s-2") and first != second and len(second) <= runs.MAX_NAME
    assert names([Path("a.png")], ["x", "y", "x"], [1, 1]) == ["a-x-s1", "a-y-s1"], "asked for twice, made once"


def test_what_an_earlier_batch_made_is_a_folder_of_photos_without_its_sheets(tmp_path, crew):
    make(grid(photos(tmp_path / "in", 2)), tmp_path / "out", crew)
    (tmp_path / "out" / "contact-sheet-2.png").write_bytes(b"")
    assert [path.name for path in tables.photos_of(tmp_path / "out")] == ["p000-a-mosaic.png", "p001-a-mosaic.png"]
    (tmp_path / "in" / "p000.png").rename(tmp_path / "in" / "contact-sheet.png")
    (photo, _) = tables.photos_of(tmp_path / "in")
    assert names([photo], ["2"]) == ["contact-sheet-2-picture"]


def test_a_folder_is_not_made_of_itself(tmp_path, call):
    photos(tmp_path / "in", 1)
    code, _, err = call("batch", tmp_path / "in", "x", "--out", tmp_path / "in" / ".", *FLAGS)
    assert code == 2 and "is the folder of the photos" in err


def test_photos_of_other_shapes_share_the_columns_of_a_sheet(tmp_path, crew):
    images.write(tmp_path / "tall.png", images.png(torch.rand(1, 3, 16, 8)))
    images.write(tmp_path / "wide.png", images.png(torch.rand(1, 3, 8, 16)))
    wanted = [
        *grid([tmp_path / "tall.png"], ["x", "y"], size="16x32"),
        *grid([tmp_path / "wide.png"], ["x", "y"], size="32x16"),
    ]
    make(wanted, tmp_path / "out", crew)
    width = images.read(tmp_path / "out" / "contact-sheet.png").shape[-1]
    assert width == 3 * (160 + 4) + 4, "the photo, and a column for each style"


def test_a_text_file_has_a_prompt_in_each_line_whatever_separators_are_in_it(tmp_path):
    (tmp_path / "ideas.txt").write_bytes("a\u2028fox \u0085\r\n\r\na hen".encode())
    assert tables.lines(tmp_path / "ideas.txt") == ["a\u2028fox", "a hen"]
