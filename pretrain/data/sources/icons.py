"""Emoji in three further styles, and icons in eight: lines, silhouettes, two colours, flat colours.

All come from npm icon packages. The emoji carry the labels of `emoji`, where the names fit; an icon is called what its
file is called, without the words for its make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_npm, fetched_npm
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import draw_svg
from pretrain.data.sources import emoji

EMOJI = {  # style -> package, version, licence
    "fxemoji": ("@iconify-json/fxemoji", "1.2.2", "Apache-2.0"),
    "emojione-mono": ("@iconify-json/emojione-monotone", "1.2.1", "CC-BY-4.0"),
    "streamline-emoji": ("@iconify-json/streamline-emojis", "1.2.4", "CC-BY-4.0"),
}
ICONS = {
    "game-icon": ("@iconify-json/game-icons", "1.2.4", "CC-BY-3.0"),
    "health-icon": ("@iconify-json/healthicons", "1.2.13", "MIT"),
    "icon-park": ("@iconify-json/icon-park", "1.2.4", "Apache-2.0"),
    "flat-colour": ("@iconify-json/flat-color-icons", "1.2.3", "MIT"),
    "kameleon": ("@iconify-json/streamline-kameleon-color", "1.2.2", "CC-BY-4.0"),
    "plump": ("@iconify-json/streamline-plump-color", "1.2.2", "CC-BY-4.0"),
    "ultimate": ("@iconify-json/streamline-ultimate-color", "1.2.2", "CC-BY-4.0"),
    "freehand": ("@iconify-json/streamline-freehand-color", "1.2.2", "CC-BY-4.0"),
}
MAKE = re.compile(r"(-(duo|flat|fill|outline|negative|one|two|three|four|alt|i|ii|iii|\d+))+$")
UNDRAWN = frozenset(  # words of programs' menus: what is drawn has another name, or none
    "abstract add align alignment app application arrow arrows bottom bring browser button center check code column "
    "connect connection crypto cursor data delete direction disable distribute document download edit edition email "
    "enter expand export file files filter flow folder form format full graph grid hierarchy horizontal html image "
    "import insert interface internet justify layer layers layout left link list login logo logout margin menu "
    "merge message minus module move network new next off on open page pages password plus previous programming "
    "refresh remove right rotate row script search select send server setting settings share sort split square sync "
    "tab table text top transform undo up update upload user users vertical view web website window zoom".split()
)


def fetch(cache: Path) -> None:
    """Fetch the drawings, and the labels of the emoji."""
    for package, version, _ in [*EMOJI.values(), *ICONS.values()]:
        fetch_npm(cache, package, version)
    fetch_npm(cache, *emoji.LABELS)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 11 thousand pairs, a third of them emoji."""
    labels = {letters(entry["label"]): entry for entry in emoji.read_labels(fetched_npm(cache, *emoji.LABELS))}
    for style, (package, version, licence) in EMOJI.items():
        icons, _ = emoji.read_icons(fetched_npm(cache, package, version))
        for name in icons["icons"]:
            entry = labels.get(letters(MAKE.sub("", name)))
            if entry is not None:
                picture = partial(draw_svg, emoji.svg_of(icons, name))
                yield emoji.make_pair(entry, style, licence, picture, origin=f"{style}/{name}")
    for style, (package, version, licence) in ICONS.items():
        yield from icon_pairs(fetched_npm(cache, package, version), style, licence)


def icon_pairs(folder: Path, style: str, licence: str) -> Iterator[Pair]:
    """The icons of one package whose names say what is drawn."""
    icons, _ = emoji.read_icons(folder)
    for name in icons["icons"]:
        words = MAKE.sub("", name).split("-")
        if "24px" in name or UNDRAWN & set(words) or not all(re.fullmatch("[a-z]{2,}", word) for word in words):
            continue
        yield Pair(
            image=partial(draw_svg, emoji.svg_of(icons, name)),
            captions={"en": (" ".join(words),)},
            concept=normalise(" ".join(words)),
            medium="icon",
            licence=licence,
            origin=f"{style}/{name}",
            style=style,
        )


def letters(label: str) -> str:
    """A label as its letters alone: some packages write names without gaps."""
    return re.sub(r"[^a-z]", "", label.lower())
