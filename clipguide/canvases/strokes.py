"""Strokes: Bezier strokes and filled shapes, drawn so that gradients reach them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clipguide import images
from clipguide.canvases import process, svg
from clipguide.canvases.looks import Look
from clipguide.core import Frame, Tick
from clipguide.ops.strokes import SOFT, Paths, draw, glaze, over

NATIVE = 224.0  # px: the shorter side that a look's lengths and the learning rates are meant for
INSIDE = 2.0  # px that a stroke reaches into the picture at least
PROCESS_SIDE = 448  # px: the shorter side of the drawing process, at least
SMALLEST = 1.0  # px: a stroke whose points lie closer together than this is opened again


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates: of points and widths in px of a picture with a shorter side of 224 px, of colours and opacity."""

    points: float = 1.0
    width: float = 0.1
    colour: float = 0.01


@dataclass(frozen=True, slots=True)
class Exports:
    """What is made beside the picture.  scale: `drawing.png` is so many times as large as the picture, 0 makes none.

    process: how the drawing came about, stroke by stroke: "mp4", "gif", or "none".  seconds: how long that lasts.
    """

    scale: float = 0.0
    process: str = "none"
    seconds: float = 10.0


class Strokes(nn.Module):
    """`paths` (batched: every tensor with a leading B, in px) on a paper of (width, height) px.

    paper: (3,) sRGB in [0, 1].  The frame's extra "ink", (B, 1, H, W) in [0, 1], is how much of the paper is covered.
    Export gives drawing.svg, and what `exports` asks for; in a batch drawing-2.svg and so on.
    """

    def __init__(
        self,
        paths: Paths,
        size: tuple[int, int],
        look: Look,
        *,
        paper: Tensor | None = None,
        rates: Rates | None = None,
        exports: Exports | None = None,
    ) -> None:
        super().__init__()
        self.size, self.look = size, look
        self.rates, self.exports = rates or Rates(), exports or Exports()
        self.unit = min(size) / NATIVE
        self.points, self.widths = nn.Parameter(paths.points.clone()), nn.Parameter(paths.widths.clone())
        self.colours, self.opacity = nn.Parameter(paths.colours.clone()), nn.Parameter(paths.opacity.clone())
        self.register_buffer("filled", paths.filled)
        self.register_buffer("start", paths.points.clone())  # what a lost stroke goes back to
        self.register_buffer("paper", torch.ones(3) if paper is None else paper)
        for parameter in self.parameters():
            parameter.register_hook(_finite)
        with torch.no_grad():
            self.project()

    @property
    def paths(self) -> Paths:
        return Paths(self.points, self.widths, self.colours, self.opacity, self.filled)

    def param_groups(self) -> list[dict[str, Any]]:
        return [
            {"params": [self.points], "lr": self.rates.points * self.unit},
            {"params": [self.widths], "lr": self.rates.width * self.unit},
            {"params": [self.colours, self.opacity], "lr": self.rates.colour},
        ]

    def render(self, tick: Tick) -> Frame:
        image, ink = self.draw_on(None, self.paths, 1.0)
        return Frame(image, extras={"ink": ink})

    def draw_on(self, ground: Tensor | None, paths: Paths, scale: float) -> tuple[Tensor, Tensor]:
        """Batched paths, `scale` times as large, on `ground` (B, 3, H, W), or on the paper.

        -> the picture (B, 3, H, W) and how much of each pixel is covered (B, 1, H, W).
        """
        width, height = (max(1, round(side * scale)) for side in self.size)
        ground = self.paper[:, None, None] if ground is None else ground
        look = {"size": (height, width), "soft": max(SOFT, self.soft * scale) if self.soft > SOFT else SOFT}
        if self.look.multiply:
            light = glaze(paths.scaled(scale), **look)
            return light * ground, 1 - light.amin(1, keepdim=True)
        layer = draw(paths.scaled(scale), **look)
        return over(layer, ground).clamp(0, 1), layer[:, 3:]

    @property
    def soft(self) -> float:
        """Half the width of an edge, px; at most the renderer's own sharp one where the look has no soft edges."""
        return self.look.soft * self.unit if self.look.soft > SOFT else SOFT

    def project(self) -> None:
        """Brings lost strokes back and keeps widths, colours and opacity to what the look allows.

        A stroke with a number that is not finite goes back to where it began; one that left the picture is pushed back
        to its edge; one that collapsed to a point opens again, in the shape that it began with.
        """
        look = self.look
        bad = ~torch.stack([p.isfinite().flatten(2).all(2) for p in self._columns()]).all(0)  # (B, S)
        self.points.copy_(torch.where(bad[:, :, None, None], self.start, self.points))
        self._bring_back()
        self._open_again()
        low, high = (width * self.unit for width in look.width)
        width = self.widths.clamp(low, high)
        areas = self.widths.clamp(0, high)  # an area needs no edge of its own
        self.widths.copy_(torch.where(self.filled, areas, width).nan_to_num(low))
        colours = self.colours.mean(-1, keepdim=True).expand_as(self.colours) if look.grey else self.colours
        self.colours.copy_(colours.clamp(look.darkest, look.lightest).nan_to_num(look.darkest))
        self.opacity.copy_(self.opacity.clamp(*look.opacity).nan_to_num(look.opacity[1]))

    def _columns(self) -> list[Tensor]:
        return [self.points, self.widths[..., None], self.colours, self.opacity[..., None]]

    def _bring_back(self) -> None:
        size = self.points.new_tensor(self.size)
        self.points.copy_(torch.minimum(torch.maximum(self.points, -size), 2 * size))
        low, high = self.points.amin(2), self.points.amax(2)  # (B, S, 2)
        shift = (INSIDE - high).clamp(min=0) - (low - (size - INSIDE)).clamp(min=0)
        self.points.add_(shift[:, :, None])

    def _open_again(self) -> None:
        middle = self.points.mean(2, keepdim=True)
        extent = (self.points - middle).abs().amax((2, 3))
        shape = self.start - self.start.mean(2, keepdim=True)
        shape = shape * (2 * SMALLEST / shape.abs().amax((2, 3), keepdim=True).clamp(min=1e-6))
        self.points.copy_(torch.where((extent < SMALLEST / 2)[:, :, None, None], middle + shape, self.points))

    @torch.no_grad()
    def export(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for number in range(len(self.points)):
            paths = self.paths.map(lambda part, number=number: part[number, None])
            ending = "" if number == 0 else f"-{number + 1}"
            files |= {name.format(ending): data for name, data in self._export_one(paths)}
        return files

    def _export_one(self, paths: Paths) -> Iterator[tuple[str, bytes]]:
        """(name with {} for the picture's number, content)."""
        alone, wanted = paths.map(lambda part: part[0]), self.exports
        look = {"multiply": self.look.multiply, "soft": self.soft}
        yield "drawing{}.svg", svg.write(alone, self.size, background=self.paper, **look)
        if wanted.scale > 0:
            yield "drawing{}.png", images.png(self.draw_on(None, paths, wanted.scale)[0])
        if wanted.process != "none":
            scale = max(1.0, PROCESS_SIDE / min(self.size))
            film = process.film(
                lambda some, ground: self.draw_on(ground, some, scale)[0],
                paths,
                wanted.process,
                seconds=wanted.seconds,
            )
            yield f"process{{}}.{wanted.process}", film


def _finite(gradient: Tensor) -> Tensor:
    return torch.nan_to_num(gradient, 0.0, 0.0, 0.0)
