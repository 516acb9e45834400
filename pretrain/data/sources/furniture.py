"""Views of Sweet Home 3D's furniture: textured models of things in and around a house, named in 21 languages."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image

from pretrain.data.packages import fetch_debian, fetched_debian, unpack
from pretrain.data.pair import Pair, normalise, phrase
from pretrain.data.pictures import trim
from pretrain.data.sources.emoji import number_of

PACKAGE = "sweethome3d-furniture"
LICENCES = {
    "BlendSwap-CC-0": "CC0-1.0",
    "BlendSwap-CC-BY": "CC-BY-3.0",
    "KatorLegaz": "CC-BY-3.0-US",
    "Reallusion": "CC-BY-3.0-US",
    "Scopia": "CC-BY-3.0",
}
VIEWS = 3
CRASHING = {"Scopia/374"}  # VTK 9.7 ends the process on it
SKIPPED = {"Miscellaneous"}  # boxes, cylinders and other forms without a look
CATALOGUE = re.compile(r"PluginFurnitureCatalog(?:_(\w+))?\.properties")


def fetch(cache: Path) -> None:
    """Fetch the models."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """VIEWS views of each of about 800 models."""
    for library, licence in LICENCES.items():
        folder = unpacked(cache, library)
        for number, entry in read_catalogue(folder).items():
            if entry["category"] in SKIPPED or f"{library}/{number}" in CRASHING or not entry["en"]:
                continue
            for view in range(VIEWS):
                yield Pair(
                    image=partial(draw, folder / entry["model"].lstrip("/"), view),
                    captions={code: (entry[code],) for code in ("en", *entry["languages"])},
                    concept=normalise(entry["en"]),
                    medium="render",
                    licence=licence,
                    origin=f"{library}/{number}/{view}",
                    style="3d",
                    tags=entry["tags"],
                )


def unpacked(cache: Path, library: str) -> Path:
    """The folder of one library of models; a library is a zip file."""
    file = fetched_debian(cache, PACKAGE) / "usr/share/sweethome3d/furniture" / f"{library}.sh3f"

    def fill(folder: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder / "tree")

    return unpack(cache / "sweethome3d" / library, fill)


def read_catalogue(folder: Path) -> dict[str, dict]:
    """Number of a model -> its file, category, English name, tags, and names by language."""
    entries: dict[str, dict] = {}
    for file in sorted(folder.glob("PluginFurnitureCatalog*.properties")):
        language = CATALOGUE.fullmatch(file.name)[1] or "en"
        for key, number, value in read_properties(file):
            entry = entries.setdefault(number, {"languages": [], "tags": (), "category": "", "en": "", "model": ""})
            if key == "name" and phrase(value):
                entry[code_of(language)] = (
                    phrase(value).lower() if language == "en" and value[1:].islower() else phrase(value)
                )
                entry["languages"] += [code_of(language)] if language != "en" else []
            elif language == "en" and key in ("category", "model"):
                entry[key] = value
            elif language == "en" and key == "tags":
                entry["tags"] = tuple(
                    tag for tag in re.split(r"[,\s]+", value.lower()) if re.fullmatch(r"[a-z]{3,}", tag)
                )
    return {number: entry for number, entry in entries.items() if entry["model"]}


def read_properties(file: Path) -> Iterator[tuple[str, str, str]]:
    """(key, number, value) of lines such as `name#12=Chair` with Java's escapes."""
    for line in file.read_text(encoding="latin-1").splitlines():
        found = re.fullmatch(r"(\w+)#(\d+)=(.*)", line.strip())
        if found:
            value = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), found[3])
            yield found[1], found[2], value.replace("\\", "").strip()


def code_of(language: str) -> str:
    """A Java locale as a language code."""
    return {"zh_CN": "zh", "zh_TW": "zh-hant", "pt_PT": "pt-pt"}.get(language, language)


def draw(model: Path, view: int, side: int) -> Image.Image:
    """One view, cropped to what is drawn."""
    return trim(views_of(model, side)[view])


@lru_cache(maxsize=2)
def views_of(model: Path, side: int) -> list[Image.Image]:
    """All views of a model: loading it costs more than drawing it. The eye stands in front, then to the left and
    right.
    """
    from pretrain.data.render import render_views

    start = number_of(model.name) % 50 - 25
    return render_views(model, [start, start + 45, start - 50], 12 + number_of(model.name + "tilt") % 20, side)
