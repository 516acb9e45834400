"""Media: what a photo is redrawn in.  A gradient alone makes no square pixels and no stones; a canvas of them does.

A medium is one function that makes the canvas, and one line of `MEDIA`, which also says for which words in a style it
is taken where the user names none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar

from torch import Tensor

from clipguide import images
from clipguide.brief import Brief
from clipguide.canvases import starts
from clipguide.canvases.fourier import Fourier
from clipguide.canvases.grid import Grid
from clipguide.canvases.looks import LOOKS, Look
from clipguide.canvases.pyramid import Pyramid
from clipguide.canvases.snap import Snap
from clipguide.canvases.strokes import Rates, Strokes
from clipguide.core import Canvas, Loadable
from clipguide.ops.cells import Shape, cells

MediumName = Literal[
    "auto", "pixels", "spectrum", "cells", "mosaic", "stitches", "crayon", "charcoal", "ink", "watercolour", "paint"
]
C = TypeVar("C", bound=Loadable)

MORTAR = "#d8d3c8"
CELLS = 48  # along the photo's longer side ...
SMALLEST = 4.0  # px: ... but none is smaller
STROKES = 900
# a photo is too dark for glazes that darken each other: these lie one over the other
WASH = replace(LOOKS["watercolour"], start=(4.0, 12.0), opacity=(0.15, 0.6), darkest=0.1, multiply=False, filled=0.0)


def _pixels(photo: Tensor, brief: Brief, lr: float) -> Canvas:
    return _loaded(Pyramid(_size(photo), rng=brief.rng(), lr=lr, batch=brief.batch, levels=8), photo)


def _spectrum(photo: Tensor, brief: Brief, lr: float) -> Canvas:
    return _loaded(Fourier(_size(photo), rng=brief.rng(), lr=lr, batch=brief.batch), photo)


def _grid(
    shape: Shape, colours: int, photo: Tensor, brief: Brief, lr: float, *, count: int = CELLS, fabric: str = "white"
) -> Canvas:
    """Cells in the photo's main colours, a palette that follows them."""
    size = _size(photo)
    layout = cells(shape, size, max(SMALLEST, max(size) / count), fabric=images.colour(fabric))
    main = images.main_colours(photo[0].cpu(), colours)[None].expand(brief.batch, -1, -1)
    return _loaded(Grid(layout, rng=brief.rng(), lr=2 * lr, batch=brief.batch, snap=Snap(main, learn=True)), photo)


def _strokes(
    look: Look, broad: float, photo: Tensor, brief: Brief, lr: float, *, count: int = STROKES, spread: float = 0.6
) -> Canvas:
    """Strokes in the photo's colours on white paper, `broad` times as wide as on bare paper.

    spread: the share of them that is dealt out evenly; the others lie along the photo's contours.
    """
    amount, rng = starts.Amount(count, filled=look.filled / 2), brief.rng()
    paths = starts.along(photo.cpu(), amount, look, rng, spread=spread, batch=brief.batch)
    paths.widths.mul_(broad)
    return Strokes(paths, _size(photo), look, rates=Rates(points=25 * lr, width=10 * lr, colour=1.5 * lr))


@dataclass(frozen=True, slots=True)
class Medium:
    """make: (photo, brief, learning rate) -> a canvas that shows the photo.  words: in a style, they ask for it.

    gist, content: weights of the photo's colours and large shapes, and of its things, that suit it.  pace: factor of
    the learning rate.
    """

    make: Callable[[Tensor, Brief, float], Canvas]
    words: tuple[str, ...] = ()
    gist: float = 4.0  # stones and strokes wander off without it
    content: float = 0.05
    pace: float = 1.0


MEDIA: dict[MediumName, Medium] = {
    "cells": Medium(partial(_grid, "square", 24), ("pixel art", "pixelart", "8-bit", "16-bit", "video game")),
    "mosaic": Medium(
        partial(_grid, "tessera", 64, count=56, fabric=MORTAR), ("mosaic", "tesserae", "stained glass", "tile")
    ),
    "stitches": Medium(partial(_grid, "stitch", 32, fabric="linen"), ("stitch", "embroidery", "knitting", "tapestry")),
    "crayon": Medium(
        partial(_strokes, LOOKS["crayon"], 1.0, count=700, spread=0.2),
        ("crayon", "coloured pencil", "pastel"),
        gist=1.0,  # bare paper is to stay between the strokes
        content=0.5,
        pace=0.5,
    ),
    "charcoal": Medium(partial(_strokes, LOOKS["charcoal"], 1.0), ("charcoal", "pencil", "sketch")),
    "ink": Medium(partial(_strokes, LOOKS["ink"], 1.0), ("ink", "pen drawing", "line art", "etching")),
    "watercolour": Medium(partial(_strokes, WASH, 1.0, count=700), ("watercolour", "watercolor", "wash")),
    "paint": Medium(
        partial(_strokes, LOOKS["paint"], 2.0),
        ("oil paint", "oil painting", "van gogh", "impasto", "brushstroke", "acrylic"),
    ),
    "pixels": Medium(_pixels, gist=0.0),
    "spectrum": Medium(_spectrum, gist=0.0),
}
SOFT = ("pixels", "spectrum")  # media that can show the photo's own finest detail again


def chosen(name: MediumName, styles: list[str]) -> MediumName:
    """The medium itself, or for "auto" the first one that a style's words ask for; else pixels."""
    if name != "auto":
        return name
    said = " ".join(styles).lower()
    return next((medium for medium, its in MEDIA.items() if its.words and _says(said, its.words)), "pixels")


def _says(said: str, words: tuple[str, ...]) -> bool:
    """Whether one of them stands there as a whole word, or in the plural: a pink sink is not ink."""
    return re.search(rf"\b({'|'.join(map(re.escape, words))})(e?s)?\b", said) is not None


def _loaded(canvas: C, photo: Tensor) -> C:
    canvas.load(photo.cpu())
    return canvas


def _size(photo: Tensor) -> tuple[int, int]:
    return photo.shape[-1], photo.shape[-2]
