"""Open Clip Art: some thousands of public domain drawings whose title and keywords stand in the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise, phrase
from pretrain.data.pictures import read_file

PACKAGE = "openclipart-svg"
MOST_OFTEN = 6  # a title on more drawings than this names the set and not the drawing
LARGEST = 400_000  # bytes; larger drawings take seconds to rasterise
SKIPPED = frozenset(
    "stars cards patterns gradients duplicates special callouts flowchart jigsaw arrows logos shapes examples "
    "decorations ornaments borders frames barcodes".split()
)
NO_CONTENT = re.compile(
    r"\d{2,}|^(icon|logo|card|image|picture|clipart|untitled|drawing|sign|theme|architetto)\b|clip ?art|openclip|"
    r"^\w$|\bby\b|\.svg|http|@|architetto|francesco|template|^(one|misc|simple|test|new)\b|"
    r"\btheme\b|\bpart of\b|\bcollection\b|\bsigns\b|\bsvg\b|\bset\b|\bflat\b"
)
NO_TAG = frozenset(
    "hash clip art clipart unsorted icon icons image media public domain png svg externalsource theme logo logos "
    "decorations special contrib color silhouette cartoon outline".split()
)


def fetch(cache: Path) -> None:
    """Fetch the drawings."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 4 thousand pairs: every drawing whose title says what it is."""
    root = fetched_debian(cache, PACKAGE) / "usr/share/openclipart/svg"
    found = [(file, *read_title(file.read_bytes())) for file in drawings_under(root)]
    often = Counter(title for _, title, _ in found)
    for file, title, keywords in found:
        place = file.relative_to(root)
        if len(title) > 2 and often[title] <= MOST_OFTEN and not NO_CONTENT.search(title):
            title = f"flag of {title}" if "flags" in place.parts and "flag" not in title else title
            yield Pair(
                image=partial(read_file, file),
                captions={"en": (title,)},
                concept=normalise(title),
                medium="clip art",
                licence="public domain",
                origin=str(place.with_suffix("")),
                style="openclipart",
                tags=keywords,
            )


def drawings_under(root: Path) -> list[Path]:
    """The SVG files worth a look: no links, no huge ones, none from a folder of signs and ornaments."""
    return [
        file
        for file in sorted(root.rglob("*.svg"))
        if not file.is_symlink()
        and file.stat().st_size < LARGEST
        and not SKIPPED & set(file.relative_to(root).parts[:-1])
    ]


def read_title(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The title, made a plain lower-case phrase, and the keywords in the RDF of an SVG file; ("", ()) where it is
    unreadable.
    """
    from lxml import etree

    try:
        tree = etree.fromstring(data, etree.XMLParser(recover=True, no_network=True, resolve_entities=False))
        work = tree.find(".//{*}RDF/{*}Work") if tree is not None else None
    except etree.XMLSyntaxError:
        work = None
    if work is None:
        return "", ()
    title = work.findtext("{*}title") or ""
    words = [phrase(item.text or "").lower() for item in work.iterfind("{*}subject//{*}li")]
    return plain_title(title), tuple(
        word for word in words if re.fullmatch(r"[a-z][a-z ]{2,}", word) and word not in NO_TAG
    )


def plain_title(title: str) -> str:
    """ "Big_Red-Apple 01" becomes "big red apple"."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", title).replace("_", " ").replace("-", " ").lower()
    words = re.sub(r"\([^)]*\)|\s*\b(v|no\.?|#)?\s*\d{1,2}$", "", words.strip())
    return phrase(re.sub(r"[^\w\s',]", " ", words))
