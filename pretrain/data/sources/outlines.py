"""Emoji as line drawings: of two fonts, and other sets redrawn with ink around every shape, in colours or on white.

Lines teach what colours and shading cannot: the form alone names the thing. The fonts draw single code points; the
labels are those of `emoji`. Ink lies on white paper cut to the drawing's shape, so that it shows on any ground. One of
the fonts, Symbola, is never trained on: a style that settings can be chosen by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from pretrain.data.colours import WORDS
from pretrain.data.packages import fetch_debian, fetch_npm, fetched_debian, fetched_npm
from pretrain.data.pair import Pair
from pretrain.data.pictures import draw_svg
from pretrain.data.sources import emoji
from pretrain.data.split import side_of_concept

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

NOTO = ("@fontsource-variable/noto-emoji", "5.3.1", "OFL-1.1")
SYMBOLA = ("fonts-symbola", "free for any use")  # Debian package, and the licence as its author words it
CHOOSING = "symbola"
WEIGHTS = range(300, 701, 50)  # thickness of Noto's lines
REDRAWN = ("twemoji", "noto", "noto-v1", "fluent-flat", "emojione", "emojione-v1")
INK = ("#000000", "#1a1a1a", "#2b2b2b", "#22223b")
COLOURED = re.compile(rf"\b(flag|skin tone|{'|'.join(sorted(WORDS))})\b")  # blank or untrue without their colours
THICKNESS = (1 / 64, 1 / 48, 1 / 36, 1 / 28)  # of a redrawn outline, in widths of the picture


def fetch(cache: Path) -> None:
    """Fetch the fonts, the sets that are redrawn, and the labels."""
    fetch_npm(cache, *NOTO[:2])
    fetch_debian(cache, SYMBOLA[0])
    for style in REDRAWN:
        fetch_npm(cache, *emoji.STYLES[style][:2])
    fetch_npm(cache, *emoji.LABELS)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 9 thousand pairs: 2 thousand of the fonts, 7 thousand redrawn."""
    labels = emoji.read_labels(fetched_npm(cache, *emoji.LABELS))
    noto = sorted((fetched_npm(cache, *NOTO[:2]) / "files").glob("*-wght-normal.woff2"))
    symbola = sorted((fetched_debian(cache, SYMBOLA[0]) / "usr/share/fonts").rglob("*.ttf"))
    yield from font_pairs(noto, "noto-lines", NOTO[2], labels)
    yield from font_pairs(symbola, CHOOSING, SYMBOLA[1], labels)
    for style in REDRAWN:
        package, version, licence = emoji.STYLES[style]
        yield from redrawn(fetched_npm(cache, package, version), style, licence, labels)


def font_pairs(files: list[Path], style: str, licence: str, labels: list[dict]) -> Iterator[Pair]:
    """The emoji of one font, which may be cut into several files."""
    file_of = {code: file for file in files for code in open_font(file).getBestCmap()}
    for entry in labels:
        code = int(entry["code"], 16) if "-" not in entry["code"] else None
        if code in file_of:
            weight = WEIGHTS[emoji.number_of(style + entry["code"]) % len(WEIGHTS)]
            made = line_pair(entry, style, licence, partial(draw_glyph, file_of[code], code, weight), entry["code"])
            if style != CHOOSING or side_of_concept(made.concept) != "test":  # the test's names choose nothing
                yield made


def redrawn(folder: Path, style: str, licence: str, labels: list[dict]) -> Iterator[Pair]:
    """The emoji of another set with ink around their shapes: half of them in their colours, half on white."""
    for pair in emoji.pairs_of_style(folder, style, licence, labels):
        code = pair.origin.partition("/")[2]
        number = emoji.number_of(f"outlines {pair.origin}")
        ink, thickness = INK[number % len(INK)], THICKNESS[number // len(INK) % len(THICKNESS)]
        coloured = number // 64 % 2 or COLOURED.search(pair.concept)
        entry = {"label": pair.captions["en"][0], "captions": pair.captions, "tags": pair.tags, "code": code}
        image = partial(draw_outlined, pair.image.args[0], ink, thickness, bool(coloured))
        made = line_pair(entry, "outlined" if coloured else "line art", licence, image, f"{style}/{code}")
        yield replace(made, medium="cartoon") if coloured else made


def line_pair(entry: dict, style: str, licence: str, image: partial, code: str) -> Pair:
    made = emoji.make_pair(entry, style, licence, image, origin=f"{style}/{code}")
    return replace(made, medium="line drawing", held="validation" if style == CHOOSING else None)


@lru_cache(maxsize=16)
def open_font(file: Path) -> TTFont:
    """A font file, read whole and kept, since its glyphs are drawn one by one."""
    from fontTools.ttLib import TTFont

    return TTFont(file, lazy=False)  # workers that fork would share the place in an open file


def draw_glyph(file: Path, code: int, weight: int, side: int) -> Image.Image:
    """One glyph in ink on white paper of its own shape; weight sets the lines' thickness where the font lets it."""
    from fontTools.pens.boundsPen import BoundsPen
    from fontTools.pens.svgPathPen import SVGPathPen

    font = open_font(file)
    glyphs = font.getGlyphSet(location={"wght": weight} if "fvar" in font else None)
    glyph = glyphs[font.getBestCmap()[code]]
    pen, bounds = SVGPathPen(glyphs), BoundsPen(glyphs)
    glyph.draw(pen)
    glyph.draw(bounds)
    if bounds.bounds is None:
        raise ValueError("an empty glyph")
    left, bottom, right, top = bounds.bounds
    width, height = right - left, top - bottom
    contours = "".join(f'<path fill="#fff" d="{part}"/>' for part in re.findall(r"M[^M]+", pen.getCommands()))
    drawn = f'<g transform="scale(1,-1)">{contours}<path fill="#1a1a1a" d="{pen.getCommands()}"/></g>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return draw_svg(f'{head} viewBox="{left} {-top} {width} {height}">{drawn}</svg>', side)


def draw_outlined(svg: str, ink: str, thickness: float, coloured: bool, side: int) -> Image.Image:
    """An SVG drawing with ink around each of its shapes, `thickness` in widths of it; in its colours or on white."""
    left, top, width, height = map(float, re.search(r'viewBox="([^"]+)"', svg)[1].split())
    line = width * thickness
    paper = "" if coloured else "fill:#fff;"
    shapes = "path,circle,ellipse,rect,polygon"
    style = f"{shapes}{{{paper}stroke:{ink};stroke-width:{line};stroke-linejoin:round}}"
    if not coloured:  # what is seen through stays so
        style += '[fill="none"],[opacity],[fill-opacity]{fill:none;opacity:1}'
    box = f"{left - line} {top - line} {width + 2 * line} {height + 2 * line}"  # half of a line lies outside its shape
    svg = re.sub(r'viewBox="[^"]+"', f'viewBox="{box}"', svg, count=1)
    return draw_svg(svg.replace(">", f"><style>{style}</style>", 1), side)
