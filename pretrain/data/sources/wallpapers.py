"""Desktop wallpapers: about 60 large photographs, illustrations and textures, captioned here by hand.

They are pairs of their own, cut to crops when composed, and the photographs and textures among them serve as
grounds for other objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import read_file

GNOME, LOMIRI, MATE, UKUI, PLASMA = (
    "gnome-backgrounds",
    "lomiri-wallpapers-16.04",
    "mate-backgrounds",
    "ukui-wallpapers",
    "plasma-workspace-wallpapers",
)
LICENCES = {
    GNOME: "CC-BY-SA-3.0",
    LOMIRI: "CC-BY-SA-4.0",
    MATE: "GPL-2.0-or-later / CC-BY-SA-4.0",
    UKUI: "CC-BY-SA-4.0",
    PLASMA: "LGPL-3.0 / CC-BY-SA-4.0",
}
ROOTS = {
    GNOME: "usr/share/backgrounds/gnome",
    LOMIRI: "usr/share/backgrounds",
    MATE: "usr/share/backgrounds/mate",
    UKUI: "usr/share/backgrounds",
    PLASMA: "usr/share/wallpapers",
}
TABLE = Path(__file__).with_name("wallpapers.tsv")


def fetch(cache: Path) -> None:
    """Fetch the packages."""
    for package in ROOTS:
        fetch_debian(cache, package)


def pairs(cache: Path) -> Iterator[Pair]:
    """One pair for each row of the table beside this file: package, file, medium, caption."""
    for row in TABLE.read_text(encoding="utf-8").splitlines():
        package, name, medium, caption = row.split("\t")
        file = fetched_debian(cache, package) / ROOTS[package] / name
        yield Pair(
            image=partial(read_file, largest(file)),
            captions={"en": (caption,)},
            concept=normalise(caption),
            medium=medium,
            licence=LICENCES[package],
            origin=f"{package}/{name}",
            style="wallpaper",
            held="train",
        )


def largest(place: Path) -> Path:
    """The largest picture in a folder, or the file itself."""
    return max((file for file in place.iterdir() if file.is_file()), key=size_of) if place.is_dir() else place


def size_of(file: Path) -> int:
    return file.stat().st_size
