"""Drawing: the settings that every method with strokes has, and the canvas they make."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from clipguide import images
from clipguide.brief import Brief
from clipguide.canvases.looks import LOOK_HELP, LOOKS, LookName
from clipguide.canvases.starts import Amount
from clipguide.canvases.strokes import Exports, Rates, Strokes
from clipguide.ops.strokes import Paths
from clipguide.options import Settings
from clipguide.palettes import Colour

RATE = {"ge": 0, "le": 100}


class Drawing(Settings):
    """What every method that draws with strokes can be told."""

    group: ClassVar = "The strokes"
    strokes: int = Field(256, ge=1, le=4096, description="how many strokes")
    segments: int = Field(2, ge=1, le=16, description="Bezier curves that a stroke is made of; more bend more")
    look: LookName = Field("paint", description=LOOK_HELP)
    paper: Colour = Field("white", description="colour of the paper: a CSS name or #rrggbb")
    lr_points: float = Field(2.0, **RATE, description="learning rate of the points, px of a side of 224 px")
    lr_width: float = Field(0.3, **RATE, description="learning rate of the widths, px of a side of 224 px; 0: fixed")
    lr_colour: float = Field(0.05, **RATE, description="learning rate of colours and opacity; 0: fixed")
    export_scale: float = Field(4.0, ge=0, le=32, description="drawing.png is so many times the size; 0: none")
    process: Literal["mp4", "gif", "none"] = Field("mp4", description="film of the drawing, stroke by stroke")
    process_seconds: float = Field(10.0, gt=0, le=600, description="length of that film in seconds")

    def amount(self, filled: float = 0.0) -> Amount:
        """filled: the share of areas among the shapes."""
        return Amount(self.strokes, self.segments, filled)


def canvas(brief: Brief, settings: Drawing, paths: Paths) -> Strokes:
    """paths: batched, in px of the brief's size."""
    return Strokes(
        paths,
        brief.size,
        LOOKS[settings.look],
        paper=images.colour(settings.paper),
        rates=Rates(settings.lr_points, settings.lr_width, settings.lr_colour),
        exports=Exports(settings.export_scale, settings.process, settings.process_seconds),
    )
