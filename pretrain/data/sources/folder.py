"""A folder or a table of the user's own: pictures with captions beside them.

Captions are looked for in this order: the rows of a CSV or TSV file (given itself, or as captions.csv, captions.tsv
or metadata.csv in the folder) with the columns `image` and `caption`, and `concept`, `licence`, `language` where
they are known; a text file beside each picture with a caption in each line; the name of the folder that a picture
lies in.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from clipguide.errors import UserError
from pretrain.data import pictures
from pretrain.data.pair import Pair, concept_of, phrase
from pretrain.data.pictures import read_file

TABLES = ("captions.csv", "captions.tsv", "metadata.csv")
PICTURES = (*pictures.PICTURES, ".svg")
UNKNOWN = "unknown (the user's own)"


def pairs(place: Path, left_out: Counter[str]) -> Iterator[Pair]:
    """One pair for each picture; nothing is left out here. Raises UserError for a place that is not there, holds no
    picture, or has no captions.
    """
    if not place.exists():
        raise UserError(
            f"{place} is not there; give a folder of pictures or a CSV file with the columns image and caption"
        )
    table = place if place.is_file() else next((place / name for name in TABLES if (place / name).is_file()), None)
    yield from from_table(table) if table else from_folder(place)


def from_table(table: Path) -> Iterator[Pair]:
    """The pairs of a CSV or TSV file; rows of one picture give its captions, in their order."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(table):
        rows.setdefault(row["image"], []).append(row)
    for name, told in rows.items():
        captions: dict[str, list[str]] = {}
        for row in told:
            if text := phrase(row["caption"] or ""):
                captions.setdefault(row.get("language") or "en", []).append(text)
        concept, licence = (next((row[key] for row in told if row.get(key)), "") for key in ("concept", "licence"))
        yield pair(table.parent / name, name, captions, concept, licence or UNKNOWN)


def read_rows(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file with the columns image and caption. Raises UserError for any other file."""
    reader = csv.DictReader(io.StringIO(read_words(table), ""), delimiter="\t" if table.suffix == ".tsv" else ",")
    try:
        missing = [name for name in ("image", "caption") if name not in (reader.fieldnames or ())]
        if missing:
            raise UserError(
                f"{table} has no column {' and no column '.join(missing)}; its first row must name image and caption"
            )
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UserError(f"{table} is no table ({error}); write it with commas, and quotes around captions") from None
    for line, row in rows:
        if not row["image"]:
            raise UserError(f"{table}, line {line}, names no image; every row needs image and caption")
    return [row for _, row in rows]


def read_words(file: Path) -> str:
    """A text file. Raises UserError where it is not in UTF-8."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not in UTF-8; save it with that encoding") from None


def from_folder(folder: Path) -> Iterator[Pair]:
    """The pairs of a folder: captions from text files, else from the names of the folders within."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        raise UserError(f"{folder} holds no picture ({', '.join(PICTURES)})")
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
        return [phrase(line) for line in read_words(text).splitlines() if phrase(line)]
    return [file.parent.name.replace("_", " ")] if file.parent != folder else []


def pair(file: Path, name: str, captions: dict[str, list[str]], concept: str, licence: str) -> Pair:
    """A pair whose concept, unless given, is its first caption, in English where there is one."""
    first = next(iter(captions.get("en") or chain(*captions.values())), "")
    return Pair(
        image=partial(read_file, file),
        captions={language: tuple(texts) for language, texts in captions.items()},
        concept=concept_of(concept or first),
        medium="photo",
        licence=licence,
        origin=name,
        style="own",
    )
