"""Painterly: a picture in strokes, broad ones first, then finer ones where those left something out.

After Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes" (1998).  His brush takes a grid of
places in turn; here the number of strokes is given, and they are dealt out to where one would help most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clipguide.canvases.looks import Look
from clipguide.canvases.starts import Amount
from clipguide.canvases.strokes import NATIVE
from clipguide.canvases.tracing import blur, contours, deal, follow, look_up
from clipguide.ops import curves
from clipguide.ops.strokes import Paths, draw, glaze, joined, over

OPACITY = 0.9  # of every stroke, where the look allows it
LARGEST = 4.0  # times a layer's size: what a few strokes grow to
UNEVEN = 0.3  # widths differ from that of their layer by so large a share
FOCUS = 0.25  # of a stroke's width is the standard deviation of the blur through which it sees the picture
ROUND = 1.4  # an area's diameter, as a share of the side of the square that is one area's part of the picture


@dataclass(frozen=True, slots=True)
class Layer:
    """share: of all strokes.  width, length: of each of 256 strokes, px of a side of 224 px; fewer are larger."""

    share: float
    width: float
    length: float


LAYERS = (Layer(0.1, 36.0, 72.0), Layer(0.25, 16.0, 48.0), Layer(0.3, 8.0, 40.0), Layer(0.35, 4.0, 24.0))


def painted(
    picture: Tensor, amount: Amount, look: Look, rng: torch.Generator, *, paper: Tensor, saliency: Tensor | None = None
) -> Paths:
    """Strokes that show `picture` (1, 3, H, W), sRGB in [0, 1], on `paper` (3,); batched, of one picture.

    saliency: (1, 1, H, W), how much a place matters; all alike without it.  The areas that `amount` asks for are round,
    and lie below the strokes.
    """
    easel = _Easel(picture, look, rng, paper[:, None, None].expand_as(picture), saliency, amount.segments, [])
    if amount.areas:
        easel.areas(amount.areas)
    strokes = left = amount.count - amount.areas
    unit = min(picture.shape[-2:]) / NATIVE * min(LARGEST, math.sqrt(256 / max(1, strokes)))  # they cover alike
    for layer in LAYERS:
        count = left if layer is LAYERS[-1] else round(layer.share * strokes)
        left -= count
        if count:
            easel.strokes(count, layer.width * unit, layer.length * unit)
    return joined(easel.parts, 1)


@dataclass(frozen=True, slots=True)
class _Easel:
    """The picture that is wanted, and the shapes so far: `parts`, from back to front."""

    picture: Tensor
    look: Look
    rng: torch.Generator
    paper: Tensor  # (1, 3, H, W)
    saliency: Tensor | None
    segments: int
    parts: list[Paths]

    def areas(self, count: int) -> None:
        size = ROUND * math.sqrt(self.picture[0, 0].numel() / count)
        wanted, seen = blur(self.picture, FOCUS * size), self.seen()
        centres = self._deal(count, size, wanted, seen)
        outlines = centres[:, :, None] + curves.circle(self.segments) * size / 2
        self._add(outlines, torch.zeros(1, count), look_up(self._ink(wanted, seen), centres), filled=True)

    def strokes(self, count: int, width: float, length: float) -> None:
        """width, length: px; the look may not allow that width."""
        wanted, seen = blur(self.picture, FOCUS * width), self.seen()
        centres = self._deal(count, width, wanted, seen)
        colours = look_up(self._ink(wanted, seen), centres)

        def welcome(places: Tensor) -> Tensor:
            """Where the stroke's colour is no worse than what is there (Hertzmann's end of a stroke)."""
            goal, there = look_up(wanted, places), look_up(seen, places)
            then = there * colours if self.look.multiply else colours
            return _apart(then, goal, -1) <= _apart(there, goal, -1)

        _, direction = contours(wanted)
        points = follow(centres, direction, 3 * self.segments, length, welcome=welcome)
        uneven = 1 + UNEVEN * (2 * torch.rand(1, count, generator=self.rng) - 1)
        low, high = (limit * min(wanted.shape[-2:]) / NATIVE for limit in self.look.width)
        self._add(points, (uneven * width).clamp(low, high), colours)

    def seen(self) -> Tensor:
        """(1, 3, H, W): the paper with the shapes so far."""
        if not self.parts:
            return self.paper
        shapes, size = joined(self.parts, 1), self.paper.shape[-2:]
        return glaze(shapes, size) * self.paper if self.look.multiply else over(draw(shapes, size), self.paper)

    def _deal(self, count: int, size: float, wanted: Tensor, seen: Tensor) -> Tensor:
        """(1, S, 2): where a shape of `size` px would bring the picture nearer."""
        ink = self._ink(wanted, seen)
        then = seen * ink if self.look.multiply else ink
        gain = blur((_apart(seen, wanted, 1) - _apart(then, wanted, 1)).clamp(min=0), FOCUS * size)
        return deal((gain if self.saliency is None else gain * self.saliency)[0, 0], count, size / 2, self.rng)[None]

    def _ink(self, wanted: Tensor, seen: Tensor) -> Tensor:
        """The colour, of those that the look has, that turns what is seen into what is wanted, as well as it can."""
        ink = wanted / seen.clamp(min=1e-3) if self.look.multiply else wanted
        ink = ink.mean(1, keepdim=True).expand_as(ink) if self.look.grey else ink
        return ink.clamp(self.look.darkest, self.look.lightest)

    def _add(self, points: Tensor, widths: Tensor, colours: Tensor, *, filled: bool = False) -> None:
        opacity = torch.full_like(widths, min(max(OPACITY, self.look.opacity[0]), self.look.opacity[1]))
        self.parts.append(Paths(points, widths, colours, opacity, torch.full_like(widths, filled, dtype=torch.bool)))


def _apart(one: Tensor, other: Tensor, dim: int) -> Tensor:
    """Squared distance of colours, which lie along `dim`."""
    return (one - other).square().sum(dim, keepdim=True)
