"""Line drawings: glyphs of fonts, and ink around the shapes of other emoji, here from small fakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pretrain.data.gather import collect


def glyph_font(place: Path, codes: tuple[int, ...]) -> None:
    """A font whose glyphs are a square ring each, 100 units thick."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for corners in (((0, 0), (0, 800), (800, 800), (800, 0)), ((100, 100), (700, 100), (700, 700), (100, 700))):
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    ring, order = pen.glyph(), [".notdef", *(f"u{code:X}" for code in codes)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(order)
    font.setupCharacterMap({code: f"u{code:X}" for code in codes})
    font.setupGlyf(dict.fromkeys(order, ring))
    font.setupHorizontalMetrics(dict.fromkeys(order, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=0)
    font.setupPost()
    place.parent.mkdir(parents=True)
    font.save(place)


def test_outlines_of_fonts_and_around_the_shapes_of_emoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pretrain.data.sources import emoji, outlines
    from pretrain.data.split import side_of, task_of

    rows = [{"group": 4, "label": "red apple", "hexcode": "1F34E"}, {"label": "flag: Japan", "hexcode": "1F1EF-1F1F5"}]
    monkeypatch.setattr(emoji, "LANGUAGES", [])
    monkeypatch.setattr(outlines, "REDRAWN", ("twemoji",))
    packages = {name: tmp_path / "npm" / f"{name.replace('/', '+')}@{version}" for name, version in
                (outlines.NOTO[:2], emoji.LABELS, emoji.STYLES["twemoji"][:2])}  # fmt: skip
    noto, labels, twemoji = packages.values()
    (labels / "en").mkdir(parents=True)
    (labels / "en/data.json").write_text(json.dumps(rows))
    glyph_font(noto / "files/noto-emoji-0-wght-normal.woff2", (0x1F34E,))
    glyph_font(tmp_path / "debian/fonts-symbola/usr/share/fonts/Symbola.ttf", (0x1F34E, 0x263A))
    twemoji.mkdir()
    body = '<rect width="12" height="12" x="2" y="2" fill="red"/>'
    icons = {"icons": dict.fromkeys(("red-apple", "flag-of-japan"), {"body": body}), "width": 16, "height": 16}
    (twemoji / "icons.json").write_text(json.dumps(icons))

    pairs = {pair.origin: pair for _, pair in collect(["outlines"], tmp_path)}
    lines, chosen = pairs["noto-lines/1f34e"], pairs["symbola/1f34e"]
    assert (lines.concept, lines.medium, lines.licence) == ("red apple", "line drawing", "OFL-1.1")
    assert side_of(lines) == "train"
    assert (side_of(chosen), task_of(chosen)) == ("validation", "style")
    drawn = np.asarray(lines.image(80))
    assert drawn.shape == (80, 80, 4) and (drawn[..., 3] == 255).all()
    assert (drawn[40, 40, :3] == 255).all() and drawn[4, 40, 0] < 40  # white within, ink around
    flag = next(pair for pair in pairs.values() if "flag" in pair.concept)
    assert flag.style == "outlined" and flag.medium == "cartoon"
    picture = np.asarray(flag.image(80))
    assert tuple(picture[40, 40, :3]) == (255, 0, 0) and picture[40, 1:78, :3].max(1).min() < 60  # its colour, and ink
    assert not outlines.COLOURED.search("apple tree") and outlines.COLOURED.search("green heart")
    glass = '<circle cx="8" cy="8" r="6" fill="none"/>' + body.replace("rect", "rect opacity='.4'")
    glazed = icons | {"icons": {"x": {"body": glass}}}
    assert np.asarray(outlines.draw_outlined(emoji.svg_of(glazed, "x"), "#000000", 1 / 16, False, 80))[30, 30, 3] == 0
    white = np.asarray(outlines.draw_outlined(emoji.svg_of(icons, "red-apple"), "#000000", 1 / 16, False, 80))
    assert tuple(white[30, 30, :3]) == (255, 255, 255) and white[30, 1:3, 0].max() < 60
