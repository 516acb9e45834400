"""Tux Paint's stamps: cut-out photographs and drawings, each with one sentence in up to 77 languages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise, phrase
from pretrain.data.pictures import read_file

PACKAGE = "tuxpaint-stamps-default"
UNSEEN = ("alphabets", "money", "math")  # letters and coins: their names say nothing that can be seen at 128 pixels
DRAWN = ("cartoon", "symbols", "hobbies")


def fetch(cache: Path) -> None:
    """Fetch the stamps."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 700 pairs."""
    root = fetched_debian(cache, PACKAGE) / "usr/share/tuxpaint/stamps"
    for text in sorted(root.rglob("*.txt")):
        place = text.relative_to(root)
        picture = next(
            (text.with_suffix(suffix) for suffix in (".png", ".svg") if text.with_suffix(suffix).is_file()), None
        )
        if picture is None or any(part in UNSEEN for part in place.parts):
            continue
        captions = read_captions(text)
        if captions.get("en"):
            drawn = picture.suffix == ".svg" or any(part in DRAWN for part in place.parts)
            yield Pair(
                image=partial(read_file, picture),
                captions=captions,
                concept=normalise(captions["en"][0]),
                medium="drawing" if drawn else "photo",
                licence="GPL-2.0-only",
                origin=str(place.with_suffix("")),
                style="stamp",
            )


def read_captions(text: Path) -> dict[str, tuple[str, ...]]:
    """The captions of one stamp: the first line is English, the others are `language.utf8=sentence`."""
    first, *others = text.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    captions = {"en": (phrase(first),)} if phrase(first) else {}
    for line in others:
        language, found, sentence = line.partition(".utf8=")
        if found and phrase(sentence) and not language.startswith("en"):
            captions[language.lower().replace("_", "-")] = (phrase(sentence),)
    return captions
