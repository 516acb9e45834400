"""A folder or a table of the user's own: pictures with captions beside them.

Captions are looked for in this order: the rows of a CSV or TSV file (given itself, or as captions.csv, captions.tsv
or metadata.csv in the folder) with the columns `image` and `caption`, and `concept`, `licence`, `language` where
they are known; a text file beside each picture with a caption in each line; the name of the folder that a picture
lies in.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from clipguide.errors import UserError
from pretrain.data.pair import Pair, normalise, phrase
from pretrain.data.pictures import read_file

TABLES = ("captions.csv", "captions.tsv", "metadata.csv")
PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg"))
UNKNOWN = "unknown (the user's own)"


def pairs(place: Path) -> Iterator[Pair]:
    """One pair for each picture. Raises UserError for a place that is not there, holds no picture, or has no
    captions.
    """
    if not place.exists():
        raise UserError(
            f"{place} is not there; give a folder of pictures or a CSV file with the columns image and caption"
        )
    table = place if place.is_file() else next((place / name for name in TABLES if (place / name).is_file()), None)
    yield from from_table(table) if table else from_folder(place)


def from_table(table: Path) -> Iterator[Pair]:
    """The pairs of a CSV or TSV file; rows of one picture give its captions, in their order."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t" if table.suffix == ".tsv" else ",")
        missing = [name for name in ("image", "caption") if name not in (reader.fieldnames or ())]
        if missing:
            raise UserError(
                f"{table} has no column {' and no column '.join(missing)}; its first row must name image and caption"
            )
        rows: dict[str, list[dict[str, str]]] = {}
        for row in reader:
            rows.setdefault(row["image"], []).append(row)
    for name, told in rows.items():
        captions: dict[str, list[str]] = {}
        for row in told:
            captions.setdefault(row.get("language") or "en", []).extend([phrase(row["caption"] or "")])
        yield pair(table.parent / name, name, captions, told[0].get("concept") or "", told[0].get("licence") or UNKNOWN)


def from_folder(folder: Path) -> Iterator[Pair]:
    """The pairs of a folder: captions from text files, else from the names of the folders within."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        raise UserError(f"{folder} holds no picture ({', '.join(sorted(PICTURES))})")
    bare = [file for file in files if not captions_of(file, folder)]
    if bare:
        raise UserError(
            f"{folder} has {len(bare)} pictures without a caption, first {bare[0].relative_to(folder)}; "
            f"put a .txt beside each, or a captions.csv with image,caption into the folder"
        )
    for file in files:
        yield pair(file, str(file.relative_to(folder)), {"en": captions_of(file, folder)}, "", UNKNOWN)


def captions_of(file: Path, folder: Path) -> list[str]:
    """The lines of the text file beside a picture, or the name of its folder within `folder`."""
    text = file.with_suffix(".txt")
    if text.is_file():
        return [phrase(line) for line in text.read_text(encoding="utf-8-sig").splitlines() if phrase(line)]
    return [file.parent.name.replace("_", " ")] if file.parent != folder else []


def pair(file: Path, name: str, captions: dict[str, list[str]], concept: str, licence: str) -> Pair:
    """A pair whose concept, unless given, is its first caption."""
    first = next(iter(captions.values()))[0]
    return Pair(
        image=partial(read_file, file),
        captions={language: tuple(texts) for language, texts in captions.items()},
        concept=normalise(concept or first),
        medium="photo",
        licence=licence,
        origin=name,
        style="own",
    )
