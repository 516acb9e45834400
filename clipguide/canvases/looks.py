"""Looks: what a drawing tool leaves on the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LookName = Literal["paint", "ink", "marker", "charcoal", "crayon", "watercolour"]
LOOK_HELP = "the tool: paint (any colour, opacity and width), ink, marker, charcoal, crayon, watercolour"


@dataclass(frozen=True, slots=True)
class Look:
    """A tool.  Lengths are px of a picture whose shorter side is 224 px, CLIP's own; a larger picture gets more.

    start: range of the widths that strokes begin with; width: range that they keep to.  opacity: the same for both.
    darkest, lightest: range of the colour channels.  grey: all three channels are equal.  soft: half the width of a
    stroke's edge.  multiply: inks darken each other, instead of lying one over the other.  filled: share of the shapes
    that are areas instead of strokes, where a photo is redrawn.
    """

    start: tuple[float, float]
    width: tuple[float, float]
    opacity: tuple[float, float] = (0.0, 1.0)
    darkest: float = 0.0
    lightest: float = 1.0
    grey: bool = False
    soft: float = 0.75
    multiply: bool = False
    filled: float = 0.0


LOOKS: dict[LookName, Look] = {
    "paint": Look(start=(1.0, 5.0), width=(0.5, 50.0), filled=0.25),  # CLIPDraw's, which has no areas
    "ink": Look(start=(1.0, 2.0), width=(0.6, 4.0), opacity=(1.0, 1.0), lightest=0.08, grey=True),
    "marker": Look(start=(5.0, 9.0), width=(4.0, 14.0), opacity=(0.8, 1.0)),
    "charcoal": Look(start=(2.0, 6.0), width=(1.5, 12.0), opacity=(0.15, 0.7), lightest=0.25, grey=True, soft=1.6),
    "crayon": Look(start=(1.5, 3.5), width=(1.0, 6.0), opacity=(0.3, 0.85), soft=1.2, multiply=True),
    "watercolour": Look(
        start=(8.0, 24.0), width=(4.0, 48.0), opacity=(0.05, 0.7), soft=2.4, multiply=True, filled=0.25
    ),
}
