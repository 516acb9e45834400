"""Art4Apps: one drawing for each of about 580 everyday words, as eduActiv8 (pysiogame) ships them, named in 14
languages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import read_file

PACKAGE = "pysiogame"


def fetch(cache: Path) -> None:
    """Fetch the drawings."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 580 pairs on white ground."""
    root = fetched_debian(cache, PACKAGE) / "usr/share/games/pysiogame"
    words = {file.stem.lower(): read_po(file) for file in sorted((root / "i18n/custom/a4a_po").glob("*.po"))}
    for picture in sorted((root / "res/images/art4apps").glob("*/*.jpg")):
        word = picture.stem.replace("_", " ").strip()
        captions = {"en": (word,)}
        captions |= {lang: (table[word],) for lang, table in words.items() if table.get(word) and lang[:2] != "en"}
        yield Pair(
            image=partial(read_file, picture),
            captions=captions,
            concept=normalise(word),
            medium="drawing",
            licence="CC-BY-SA-3.0",
            origin=f"{picture.parent.name}/{picture.stem}",
            style="art4apps",
            tags=("action",) if picture.parent.name == "actions" else (),
        )


def read_po(file: Path) -> dict[str, str]:
    """The single-line entries of a gettext file."""
    text = file.read_text(encoding="utf-8")
    entries = re.findall(r'^msgid (".+")\nmsgstr (".+")$', text, flags=re.MULTILINE)
    return {ast.literal_eval(word): ast.literal_eval(told) for word, told in entries}
