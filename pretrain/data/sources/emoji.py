"""Emoji in ten drawing styles, with the Unicode consortium's labels in 26 languages.

The drawings come from npm icon packages, the labels and tags from emojibase-data (CLDR). An emoji with skin tones
is drawn in one tone for each style, chosen by its name, so that people of all tones occur and none of them floods
the set.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from pretrain.data.packages import fetch_npm, fetched_npm
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import draw_svg, read_file

STYLES = {  # style -> package, version, licence, what people call it
    "noto": ("@iconify-json/noto", "1.2.9", "Apache-2.0"),
    "noto-v1": ("@iconify-json/noto-v1", "1.2.5", "Apache-2.0"),
    "twemoji": ("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0"),
    "openmoji": ("@iconify-json/openmoji", "1.2.29", "CC-BY-SA-4.0"),
    "fluent": ("@iconify-json/fluent-emoji", "1.2.7", "MIT"),
    "fluent-flat": ("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT"),
    "fluent-mono": ("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "MIT"),
    "emojione": ("@iconify-json/emojione", "1.2.3", "CC-BY-4.0"),
    "emojione-v1": ("@iconify-json/emojione-v1", "1.2.3", "CC-BY-SA-4.0"),
}
THREE_D = ("@lobehub/fluent-emoji-3d", "1.1.0", "MIT")
LABELS = ("emojibase-data", "17.0.0")
HELD_STYLE = "openmoji"
PLAIN_GROUPS = frozenset(
    range(8)
)  # smileys to objects; symbols (8) and flags (9) are many and name little that can be drawn
LANGUAGES = "bn da de es et fi fr hi hu it ja ko lt ms nb nl pl pt ru sv th uk vi zh zh-hant".split()


def fetch(cache: Path) -> None:
    """Fetch the drawings and the labels."""
    for package, version, _ in STYLES.values():
        fetch_npm(cache, package, version)
    fetch_npm(cache, *THREE_D[:2])
    fetch_npm(cache, *LABELS)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 19 thousand pairs: each emoji in each style that draws it, without its further skin tones."""
    labels = read_labels(fetched_npm(cache, *LABELS))
    for style, (package, version, licence) in STYLES.items():
        yield from pairs_of_style(fetched_npm(cache, package, version), style, licence, labels)
    yield from pairs_in_3d(fetched_npm(cache, *THREE_D[:2]), labels)


def pairs_of_style(folder: Path, style: str, licence: str, labels: list[dict]) -> Iterator[Pair]:
    """The pairs of one iconify set: by code point where the set has a table of them, else by the label as a file
    name.
    """
    icons, by_code = read_icons(folder)
    for entry in labels:
        variants = [entry["code"], *entry["tones"]]
        chosen = variants[number_of(style + entry["code"]) % len(variants)]
        names = [by_code.get(chosen), by_code.get(entry["code"]), slug(entry["label"])]
        name = next((name for name in names if name in icons["icons"]), None)
        if name is not None:
            yield make_pair(entry, style, licence, partial(draw_svg, svg_of(icons, name)))


@lru_cache(maxsize=4)
def read_icons(folder: Path) -> tuple[dict, dict[str, str]]:
    """(the iconify set, its icon names by code point, where it tells them)."""
    codes = folder / "chars.json"
    return json.loads((folder / "icons.json").read_text()), json.loads(codes.read_text()) if codes.is_file() else {}


def pairs_in_3d(folder: Path, labels: list[dict]) -> Iterator[Pair]:
    """The pairs of the rendered set, whose files carry the code points."""
    for entry in labels:
        variants = [entry["code"], *entry["tones"]]
        chosen = variants[number_of("3d" + entry["code"]) % len(variants)]
        files = (folder / "assets" / f"{code}.webp" for code in (chosen, entry["full"], entry["code"]))
        file = next((file for file in files if file.is_file()), None)
        if file is not None:
            yield make_pair(entry, "fluent-3d", THREE_D[2], partial(read_file, file))


def make_pair(entry: dict, style: str, licence: str, image: partial, origin: str = "") -> Pair:
    return Pair(
        image=image,
        captions=entry["captions"],
        concept=normalise(entry["label"]),
        medium="render" if style == "fluent-3d" else "emoji",
        licence=licence,
        origin=origin or f"{style}/{entry['code']}",
        style=style,
        tags=entry["tags"],
        held="test" if style == HELD_STYLE else None,
    )


def read_labels(folder: Path) -> list[dict]:
    """One entry for each emoji that names something to draw: code, tones, English label and tags, captions by
    language.
    """
    other = {language: labels_in(folder, language) for language in LANGUAGES}
    entries = []
    for row in json.loads((folder / "en" / "data.json").read_text()):
        if row.get("group") not in PLAIN_GROUPS and not row["label"].startswith("flag: "):
            continue
        label = row["label"].replace("flag: ", "flag of ")
        captions = {"en": (label,)}
        captions |= {language: (table[row["hexcode"]],) for language, table in other.items() if row["hexcode"] in table}
        entries.append(
            {
                "code": plain_code(row["hexcode"]),
                "full": row["hexcode"].lower(),
                "label": label,
                "captions": captions,
                "tags": tuple(tag for tag in row.get("tags", ()) if re.fullmatch(r"[a-z][a-z -]+", tag)),
                "tones": [
                    plain_code(skin["hexcode"]) for skin in row.get("skins", ()) if isinstance(skin["tone"], int)
                ],
            }
        )
    return entries


def labels_in(folder: Path, language: str) -> dict[str, str]:
    rows = json.loads((folder / language / "compact.json").read_text())
    return {row["hexcode"]: row["label"] for row in rows if row.get("label")}


def svg_of(icons: dict, name: str) -> str:
    """The SVG document of one icon in an iconify set."""
    icon = icons["icons"][name]
    left, top, width, height = (
        icon.get(key, icons.get(key, default))
        for key, default in [("left", 0), ("top", 0), ("width", 16), ("height", 16)]
    )
    body = icon["body"].replace("currentColor", "#222222")
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{head} width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">{body}</svg>'


def plain_code(code: str) -> str:
    """A code point sequence as the icon packages write it: lower case, no variation selector."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def slug(label: str) -> str:
    """A label as the icon packages name their files."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower().replace("’", "").replace("'", "").replace("&", "and")).strip("-")


def number_of(text: str) -> int:
    """A number that depends on the text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
