"""Shapes: a picture of a few dozen triangles, rectangles or ellipses on a plain ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from clipguide.canvases import svg
from clipguide.core import Frame, Tick
from clipguide.ops import curves
from clipguide.ops.strokes import Paths, draw, over

Kind = Literal["triangle", "rectangle", "ellipse"]
SMALLEST = 0.01  # of the shorter side: a shape that shrinks below this radius would get no gradient any more
OUTSIDE = 0.1  # of the shorter side: how far out a centre or corner may lie
SLIGHTEST = 0.05  # opacity below which a shape would be lost


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates.  place: in shares of the shorter side a step.  colour, opacity: in units of [0, 1] a step."""

    place: float = 0.02
    colour: float = 0.02
    opacity: float = 0.02


class Shapes(nn.Module):
    """`batch` pictures of `count` shapes, drawn from back to front.

    Triangles are six coordinates, rectangles and ellipses centre, two radii and an angle; all in shares of the
    picture's shorter side.  Each has a colour and an opacity: ten numbers a triangle, as in Tian and Ha, "Modern
    evolution strategies for creativity" (2022).  ground: (3,) colour behind; it is learned when `learn_ground`.
    """

    def __init__(
        self,
        kind: Kind,
        count: int,
        size: tuple[int, int],
        *,
        rng: torch.Generator,
        rates: Rates | None = None,
        batch: int = 1,
        ground: Tensor | None = None,
        learn_ground: bool = False,
    ) -> None:
        super().__init__()
        self.kind, self.size, self.rates = kind, size, rates or Rates()
        self.register_buffer("far", torch.tensor(size) / min(size), persistent=False)  # (2,) the lower right corner
        middle = torch.rand(batch, count, 2, generator=rng) * self.far
        self.place = nn.Parameter(_start(kind, middle, count, rng))
        self.colour = nn.Parameter(torch.rand(batch, count, 3, generator=rng))
        self.opacity = nn.Parameter(torch.full((batch, count), 0.5))
        plain = torch.ones(3) if ground is None else ground
        self.ground = nn.Parameter(plain.expand(batch, 3).clone(), requires_grad=learn_ground)

    def param_groups(self) -> list[dict[str, Any]]:
        colours = [self.colour, self.ground] if self.ground.requires_grad else [self.colour]
        return [
            {"params": [self.place], "lr": self.rates.place},
            {"params": colours, "lr": self.rates.colour},
            {"params": [self.opacity], "lr": self.rates.opacity},
        ]

    def render(self, tick: Tick) -> Frame:
        width, height = self.size
        return Frame(over(draw(self.paths(), (height, width)), self.ground[:, :, None, None]))

    def paths(self) -> Paths:
        """The drawing in px: B pictures of the same number of shapes."""
        return Paths(
            self._outlines() * min(self.size),
            torch.zeros_like(self.opacity),
            self.colour,
            self.opacity,
            torch.ones_like(self.opacity, dtype=torch.bool),
        )

    def _outlines(self) -> Tensor:
        """(B, S, 3 n + 1, 2)."""
        if self.kind == "triangle":
            return curves.polygons(self.place.unflatten(-1, (3, 2)))
        centre, radii, angle = self.place[..., :2], self.place[..., 2:4], self.place[..., 4]
        if self.kind == "ellipse":
            return curves.ellipses(centre, radii, angle)
        signs = torch.tensor([(-1.0, -1.0), (1, -1), (1, 1), (-1, 1)]).to(radii)
        x, y = (signs * radii[..., None, :]).unbind(-1)  # (B, S, 4)
        cos, sin = angle.cos()[..., None], angle.sin()[..., None]
        return curves.polygons(centre[..., None, :] + torch.stack([x * cos - y * sin, x * sin + y * cos], -1))

    def project(self) -> None:
        """Colours and opacities into their range; shapes back to the picture, and to a size that can be seen."""
        self.colour.nan_to_num_(0.5).clamp_(0, 1)
        self.ground.nan_to_num_(1.0).clamp_(0, 1)
        self.opacity.nan_to_num_(0.5).clamp_(SLIGHTEST, 1)
        self.place.nan_to_num_(0.5)
        if self.kind == "triangle":
            corners = self.place.unflatten(-1, (3, 2))
            corners.copy_(torch.minimum(corners.clamp(min=-OUTSIDE), self.far + OUTSIDE))
        else:
            centre, radii = self.place[..., :2], self.place[..., 2:4]
            centre.copy_(torch.minimum(centre.clamp(min=-OUTSIDE), self.far + OUTSIDE))
            radii.clamp_(SMALLEST, 1)

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        """Every shape takes the colour that the image has at its middle."""
        middle = self.place.unflatten(-1, (3, 2)).mean(-2) if self.kind == "triangle" else self.place[..., :2]
        side = min(self.size)
        x = (middle[..., 0] * side).long().clamp(0, self.size[0] - 1)
        y = (middle[..., 1] * side).long().clamp(0, self.size[1] - 1)
        for number, picture in enumerate(image.expand(len(x), -1, -1, -1)):
            self.colour[number] = picture[:, y[number], x[number]].mT
            if self.ground.requires_grad:
                self.ground[number] = picture.mean((1, 2))

    @torch.no_grad()
    def export(self) -> dict[str, bytes]:
        """drawing.svg; drawing-2.svg and so on in a batch."""
        paths, files = self.paths(), {}
        for number in range(len(self.ground)):
            parts = (paths.points, paths.widths, paths.colours, paths.opacity, paths.filled)
            one = Paths(*(part[number] for part in parts))
            name = f"drawing-{number + 1}.svg" if number else "drawing.svg"
            files[name] = svg.write(one, self.size, background=self.ground[number])
        return files


def _start(kind: Kind, middle: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Shapes about `middle` (B, S, 2), the larger the fewer there are: together they cover the picture twice or so."""
    batch = len(middle)
    reach = min(0.35, 1.0 / count**0.5)
    if kind == "triangle":
        corners = middle[:, :, None] + 1.5 * reach * torch.randn(batch, count, 3, 2, generator=rng)
        return corners.flatten(2)
    radii = reach * (0.5 + torch.rand(batch, count, 2, generator=rng))
    angle = 3.14 * torch.rand(batch, count, 1, generator=rng)
    return torch.cat([middle, radii, angle], -1)
