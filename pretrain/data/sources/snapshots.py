"""Snapshots: about 80 photographs of places and everyday things, captioned here by hand, never trained on.

They are the backgrounds of Scratch and the faces that GNOME offers for an account: photographs to choose settings by,
since those that are trained on are soon known by heart.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import read_file
from pretrain.data.split import side_of_concept

ROOTS = {
    "scratch": "usr/share/scratch/Media/Backgrounds",
    "gnome-control-center-data": "usr/share/pixmaps/faces",
}
LICENCES = {"scratch": "CC-BY-SA-3.0", "gnome-control-center-data": "GPL-2.0-or-later"}
TABLE = Path(__file__).with_name("snapshots.tsv")


def fetch(cache: Path) -> None:
    """Fetch the packages."""
    for package in ROOTS:
        fetch_debian(cache, package)


def pairs(cache: Path) -> Iterator[Pair]:
    """One pair for each row of the table beside this file: package, file, caption."""
    for row in TABLE.read_text(encoding="utf-8").splitlines():
        package, name, caption = row.split("\t")
        if side_of_concept(normalise(caption)) != "test":  # the test's names choose nothing
            yield Pair(
                image=partial(read_file, fetched_debian(cache, package) / ROOTS[package] / name),
                captions={"en": (caption,)},
                concept=normalise(caption),
                medium="photo",
                licence=LICENCES[package],
                origin=f"{package}/{name}",
                style="snapshots",
                held="validation",
            )
