"""Readers and rasterisers for the pictures of a pair. Each returns a PIL picture whose longer side is at most
`side` pixels.
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageOps

from clipguide.images import eight_bit

Image.MAX_IMAGE_PIXELS = 200_000_000
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")  # what files of pictures are called


def draw_svg(text: str, side: int) -> Image.Image:
    """Rasterise SVG source by resvg, on a transparent ground, cropped to what is drawn. Raises ValueError when
    resvg refuses it.
    """
    import resvg_py

    drawn = Image.open(
        io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text, width=side, dpi=96, skip_system_fonts=True)))
    )
    return shrink(trim(drawn.convert("RGBA")), side)


def read_file(path: Path, side: int) -> Image.Image:
    """Read a picture file (any format of PIL, or SVG), cropped to what is drawn where it has a transparent ground."""
    if path.suffix.lower() == ".svg":
        return draw_svg(path.read_text(encoding="utf-8", errors="replace"), side)
    return read_bytes(path.read_bytes(), side)


def read_bytes(data: bytes, side: int) -> Image.Image:
    """As `read_file`, from the bytes of a picture file, upright as its camera was held."""
    opened = Image.open(io.BytesIO(data))
    opened.draft("RGB", (side * 2, side * 2))
    picture = eight_bit(upright(opened))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        return shrink(trim(picture.convert("RGBA")), side)
    return shrink(picture.convert("RGB"), side)


def upright(picture: Image.Image) -> Image.Image:
    """The picture as its camera was held, where it says so; a damaged note of that is no reason to lose it."""
    with suppress(SyntaxError):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def shrink(picture: Image.Image, side: int) -> Image.Image:
    """`picture` with its longer side at most `side` pixels; smaller ones are left as they are."""
    longest = max(picture.size)
    if longest <= side:
        return picture
    size = tuple(max(1, round(length * side / longest)) for length in picture.size)
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def trim(picture: Image.Image) -> Image.Image:
    """An RGBA picture without its empty border. Raises ValueError when nothing is drawn at all."""
    box = picture.getchannel("A").point(lambda value: 255 if value > 8 else 0).getbbox()
    if box is None:
        raise ValueError("an empty picture")
    return picture.crop(box)
