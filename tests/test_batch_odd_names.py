"""Batches of photos and prompts with odd names: line separators, bytes that are no text, long ones, equal ones."""

from __future__ import annotations

import os
import sys

import pytest
from tiny_batch import FLAGS, SETTINGS, lines, make, photos, states

from clipguide import images, jobs

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
