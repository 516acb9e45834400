"""Drawings as SVG files, out and in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from clipguide.errors import UserError
from clipguide.ops import curves
from clipguide.ops.strokes import SOFT, Paths

if TYPE_CHECKING:
    import svgelements

MOST_CURVES = 256  # of one shape; every shape of a drawing is given as many as the longest has
MOST_SHAPES = 4096
RAMP_DEVIATION = 0.2**0.5  # of the smooth step's slope from -1 to 1: a blur of that deviation is as soft as the ramp


def write(
    paths: Paths,
    size: tuple[int, int],
    *,
    background: Tensor | None = None,
    multiply: bool = False,
    soft: float = SOFT,
) -> bytes:
    """A drawing (unbatched) as SVG; `multiply` is `strokes.glaze` and `soft` is that of `strokes.draw`.

    size: (width, height) in px; background: (3,), None leaves it transparent.
    Plain paths with presentation attributes, no style sheet, so that every viewer and editor takes it.  `multiply`
    needs CSS blending, `soft` edges need a filter; browsers, Inkscape and resvg have both.
    """
    width, height = size
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    blend = ' style="mix-blend-mode:multiply"' if multiply else ""
    lines = [head]
    if soft > SOFT:  # a viewer's own edges are as soft as SOFT
        blend += ' filter="url(#soft)"'
        lines.append(
            f'<filter id="soft" filterUnits="userSpaceOnUse" x="0" y="0" width="{width}" height="{height}" '
            'color-interpolation-filters="sRGB">'
            f'<feGaussianBlur stdDeviation="{RAMP_DEVIATION * (soft**2 - SOFT**2) ** 0.5:.3f}"/></filter>'
        )
    if background is not None:
        lines.append(f'<rect width="{width}" height="{height}" fill="{hex_colour(background)}"/>')
    columns = (paths.points, paths.widths, paths.colours, paths.opacity, paths.filled)
    for points, line, colour, opacity, filled in zip(*(column.detach().cpu() for column in columns), strict=True):
        if not bool(points.isfinite().all() & line.isfinite() & colour.isfinite().all() & opacity.isfinite()):
            continue  # the renderer draws nothing there either
        lines.append(_element(points, float(line), hex_colour(colour), float(opacity), bool(filled), blend))
    return "\n".join([*lines, "</svg>", ""]).encode()


def _element(points: Tensor, width: float, colour: str, opacity: float, filled: bool, blend: str) -> str:
    numbers = [f"{x:.2f} {y:.2f}" for x, y in points.tolist()]
    path = f"M{numbers[0]}C{' '.join(numbers[1:])}" + ("Z" if filled else "")
    fill = f'fill="{colour}" fill-rule="evenodd"' if filled else 'fill="none"'
    stroke = f' stroke="{colour}" stroke-width="{width:.3f}" stroke-linecap="round" stroke-linejoin="round"'
    stroke = stroke if width > 0 else ""
    return f'<path d="{path}" {fill}{stroke} opacity="{opacity:.4f}"{blend}/>'


def hex_colour(colour: Tensor) -> str:
    """(3,) in [0, 1] -> #rrggbb."""
    return "#" + "".join(f"{round(255 * value):02x}" for value in colour.detach().clamp(0, 1).tolist())


def read(data: bytes, size: tuple[int, int]) -> Paths:
    """The shapes of an SVG, its page fitted into (width, height) px; curves are kept, arcs become cubics.

    A shape with fill and stroke becomes two.  Text, pictures, gradients (drawn in black), clipping, and the holes of
    compound outlines are not read.  UserError when it is no SVG, holds no shape, or is too large.
    """
    chains, widths, colours, opacity, filled = [], [], [], [], []
    for chain, width, colour, alpha, is_area in _shapes(_parse(data, size), size):
        if len(chain) > MOST_CURVES:
            raise UserError(f"the SVG has a shape of {len(chain)} curves; at most {MOST_CURVES}: simplify it first")
        chains.append(chain)
        widths.append(width)
        colours.append(colour)
        opacity.append(alpha)
        filled.append(is_area)
    if not 0 < len(chains) <= MOST_SHAPES:
        raise UserError(f"the SVG has {len(chains)} shapes that can be drawn; give one with 1 to {MOST_SHAPES}")
    most = max(map(len, chains))
    points = torch.stack([_join(_divide(chain, most)) for chain in chains])
    numbers = torch.tensor
    return Paths(points, numbers(widths), numbers(colours), numbers(opacity), numbers(filled))


def _parse(data: bytes, size: tuple[int, int]) -> svgelements.SVG:
    import svgelements

    if b"<!ENTITY" in data:
        raise UserError("the SVG declares entities, which are not read; export it as plain SVG")
    try:
        return svgelements.SVG.parse(io.BytesIO(data), reify=True, width=size[0], height=size[1])
    except Exception as error:  # the parser raises whatever its XML, CSS or number reader does
        reason = type(error).__name__
        raise UserError(f"the file is no SVG that can be read ({reason}); export it as plain SVG") from None


def _shapes(drawing: svgelements.SVG, size: tuple[int, int]) -> Iterator[tuple[list[Tensor], float, list, float, bool]]:
    """(cubics, width, colour, opacity, filled) of each outline."""
    import svgelements

    width, height = float(drawing.width or size[0]), float(drawing.height or size[1])
    factor = min(size[0] / width, size[1] / height)
    shift = [(size[0] - factor * width) / 2, (size[1] - factor * height) / 2]
    for element in drawing.elements():
        if not isinstance(element, svgelements.Shape):
            continue
        alpha = _number(element.values.get("opacity"))
        for outline in svgelements.Path(element).as_subpaths():
            chain = [factor * cubic + torch.tensor(shift) for cubic in _cubics(svgelements.Path(outline))]
            if not chain:
                continue
            for paint, is_area in ((element.fill, True), (element.stroke, False)):
                if paint is None or paint.value is None:
                    continue
                width = 0.0 if is_area else factor * float(element.stroke_width or 0)
                colour = [paint.red / 255, paint.green / 255, paint.blue / 255]
                yield chain, width, colour, alpha * paint.opacity, is_area


def _number(value: object) -> float:
    try:
        return min(1.0, max(0.0, float(value)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 1.0


def _cubics(outline: svgelements.Path) -> Iterator[Tensor]:
    import svgelements

    for part in outline:
        if isinstance(part, svgelements.Arc):
            yield from (_points(cubic) for cubic in part.as_cubic_curves())
        elif isinstance(part, svgelements.CubicBezier):
            yield _points(part)
        elif isinstance(part, svgelements.QuadraticBezier):
            a, b, c = (torch.tensor([float(p.x), float(p.y)]) for p in (part.start, part.control, part.end))
            yield torch.stack([a, (a + 2 * b) / 3, (2 * b + c) / 3, c])
        elif isinstance(part, (svgelements.Line, svgelements.Close)) and part.start and part.end != part.start:
            yield curves.lines(*(torch.tensor([float(p.x), float(p.y)]) for p in (part.start, part.end)))


def _points(cubic: svgelements.CubicBezier) -> Tensor:
    """(4, 2)."""
    return torch.tensor([[float(p.x), float(p.y)] for p in (cubic.start, cubic.control1, cubic.control2, cubic.end)])


def _divide(chain: list[Tensor], count: int) -> list[Tensor]:
    """The same outline in `count` cubics: the longest is halved until there are enough."""
    chain = list(chain)
    while len(chain) < count:
        sizes = [float((cubic[1:] - cubic[:-1]).norm(dim=1).sum()) for cubic in chain]
        at = sizes.index(max(sizes))
        both = curves.halve(chain[at])
        chain[at : at + 1] = [both[:4], both[3:]]
    return chain


def _join(chain: list[Tensor]) -> Tensor:
    """-> (3 n + 1, 2)."""
    return torch.cat([chain[0][:1], *(cubic[1:] for cubic in chain)])
