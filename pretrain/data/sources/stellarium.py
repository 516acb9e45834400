"""Stellarium's photographs of nebulae, galaxies and star clusters, named by its catalogue of deep-sky objects."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, with_article
from pretrain.data.pictures import read_file

PACKAGE = "stellarium-data"
KINDS = {  # the catalogue's number of a kind -> what people call it
    0: "galaxy", 1: "galaxy", 2: "galaxy", 3: "pair of galaxies", 5: "star cluster", 6: "star cluster",
    7: "globular star cluster", 9: "cloud of stars", 10: "nebula", 11: "planetary nebula", 12: "dark nebula",
    13: "blue reflection nebula", 14: "nebula", 15: "glowing nebula", 16: "nebula with stars", 17: "glowing red nebula",
    18: "supernova remnant", 36: "cluster of galaxies",
}  # fmt: skip
PREFIXES = {"n": "NGC", "m": "M", "ic": "IC", "c": "C"}
LEADING = 14  # numbers in NGC, IC, M, C and ten further catalogues
TAIL = "s" + "ii" + "s" * 7 + "iiiii"  # the rest of a record: texts and numbers


def fetch(cache: Path) -> None:
    """Fetch the photographs."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 400 pairs: photographs whose file name is found in the catalogue."""
    folder = fetched_debian(cache, PACKAGE) / "usr/share/stellarium/nebulae/default"
    kinds, names = read_catalogue(folder / "catalog.dat"), read_names(folder / "names.dat")
    for file in sorted(folder.glob("*.png")):
        key = key_of(file.stem)
        told = [name for name in names.get(key, ()) if re.search(r"nebula|galaxy|cluster", name, re.I)]
        kind = kinds.get(key) or (kind_in(told[0]) if told else None)
        if kind is None:
            continue
        kind = "spiral galaxy" if kind.startswith("spiral") else kind
        captions = (
            f"{with_article(kind)} in space",
            *(f"the {name}" for name in told[:2]),
            f"a photo of {with_article(kind)} and stars",
        )
        yield Pair(
            image=partial(on_black, file),
            captions={"en": captions},
            concept=f"deep sky {kind} {file.stem}",
            medium="photo",
            licence="GPL-2.0-or-later, credits by picture in textures.json",
            origin=file.stem,
            style="stellarium",
            tags=("stars", "outer space", "astronomy", "night sky"),
        )


def on_black(file: Path, side: int) -> Image.Image:
    """The photograph on black, as the sky is."""
    picture = read_file(file, side).convert("RGBA")
    board = Image.new("RGB", picture.size)
    board.paste(picture, mask=picture.getchannel("A"))
    return board


def key_of(stem: str) -> tuple[str, int] | None:
    """ "n224-vasey" becomes ("NGC", 224); None for other names."""
    found = re.match(r"(n|m|ic|c)(\d+)", stem)
    return (PREFIXES[found[1]], int(found[2])) if found else None


def kind_in(name: str) -> str | None:
    """The kind that a name such as "Ring Nebula" says."""
    words = {"nebula": "nebula", "galaxy": "galaxy", "cluster": "star cluster"}
    return next((kind for word, kind in words.items() if word in name.lower()), None)


def read_names(file: Path) -> dict[tuple[str, int], list[str]]:
    """(catalogue, number) -> names such as "Orion Nebula"."""
    names: dict[tuple[str, int], list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        found = re.match(r'(NGC|IC|M|C)\s+(\d+)\s+_\("([^"]+)"\)', line)
        if found:
            names.setdefault((found[1], int(found[2])), []).append(found[3])
    return names


def read_catalogue(file: Path) -> dict[tuple[str, int], str]:
    """(catalogue, number) -> kind, from the binary catalogue: a gzipped Qt data stream, big-endian."""
    data, kinds = gzip.decompress(file.read_bytes()), {}
    at = skip(data, skip(data, 0))  # version and edition
    while at < len(data):
        (kind,) = struct.unpack_from(">i", data, at + 36)
        form_at = at + 40
        at = skip(data, form_at)
        form = data[form_at + 4 : at].decode("utf-16-be")
        at += 68  # sizes, angle, red shift, parallax and distance with their errors
        numbers = struct.unpack_from(">4i", data, at)
        at = skip_fields(data, at + 4 * LEADING)
        if kind in KINDS:
            word = "spiral galaxy" if kind == 0 and form.startswith("S") and not form.startswith("S0") else KINDS[kind]
            kinds |= {
                (name, number): word for name, number in zip(("NGC", "IC", "M", "C"), numbers, strict=True) if number
            }
    return kinds


def skip_fields(data: bytes, at: int) -> int:
    """The place after the rest of a record."""
    for field in TAIL:
        at = skip(data, at) if field == "s" else at + 4
    return at


def skip(data: bytes, at: int) -> int:
    """The place after a text: its length in bytes, or -1 for none, and then UTF-16."""
    (length,) = struct.unpack_from(">i", data, at)
    return at + 4 + max(length, 0)
