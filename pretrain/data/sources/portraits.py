"""Wesnoth's portraits: paintings of people and creatures of fantasy, named by race and trade."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import read_file

PACKAGE = "wesnoth-1.16-data"
FOLDERS = {  # folder -> (word before the name, loose words)
    "drakes": ("drake", ("dragon", "fantasy")),
    "dunefolk": ("", ("desert warrior",)),
    "dwarves": ("dwarf", ("beard", "fantasy")),
    "elves": ("elf", ("pointed ears", "fantasy")),
    "goblins": ("goblin", ("green skin", "fantasy")),
    "humans": ("", ("medieval person", "portrait")),
    "merfolk": ("merfolk", ("mermaid", "sea creature")),
    "monsters": ("", ("creature",)),
    "nagas": ("naga", ("snake woman", "fantasy")),
    "ogres": ("ogre", ("giant",)),
    "orcs": ("orc", ("green skin", "fantasy")),
    "saurians": ("saurian", ("lizard",)),
    "trolls": ("troll", ("giant",)),
    "undead": ("undead", ("horror",)),
    "wolves": ("", ("animal",)),
    "woses": ("", ("tree man",)),
}
BEINGS = (
    "ghost",
    "skeleton",
    "zombie",
    "lich",
    "ghoul",
    "wraith",
    "spectre",
    "bat",
)  # they need no "undead" before them
NAMES = {
    "wolf great": "great wolf",
    "wolf dark": "dark wolf",
    "wolf red": "red wolf",
    "wolf chewing": "chewing wolf",
    "wose": "walking tree",
    "ancient wose": "old walking tree",
    "whelp": "young troll",
    "fire wraith a": "fire wraith",
}


def fetch(cache: Path) -> None:
    """Fetch the portraits."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 230 pairs."""
    root = fetched_debian(cache, PACKAGE) / "usr/share/games/wesnoth/1.16/data/core/images/portraits"
    for file in sorted(file for suffix in ("png", "webp") for file in root.glob(f"*/*.{suffix}")):
        name = name_of(file)
        if name is None:
            continue
        yield Pair(
            image=partial(read_file, file),
            captions={"en": (name,)},
            concept=normalise(name),
            medium="painting",
            licence="GPL-2.0-or-later",
            origin=f"{file.parent.name}/{file.stem}",
            style="portrait",
            tags=FOLDERS[file.parent.name][1],
        )


def name_of(file: Path) -> str | None:
    """ "elves/archer+female.png" becomes "female elf archer"; None where the folder says nothing."""
    if file.parent.name not in FOLDERS or "transparent" in file.stem:
        return None
    stem, _, female = file.stem.partition("+")
    words = re.sub(r"[-_ ]+(\d+|alt|warrior\d)$", "", stem.replace("-", " ").replace("_", " ")).strip()
    words = NAMES.get(words, words).replace("naga ", "").replace("troll ", "")
    race = FOLDERS[file.parent.name][0]
    if race == "undead" and any(being in words for being in BEINGS):
        race = ""
    name = words if race in words.split() else f"{race} {words}".strip()
    return f"female {name}" if female == "female" else name
