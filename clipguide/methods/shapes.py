"""Shapes: a few dozen triangles, rectangles or ellipses, by CLIP's gradient or by evolution without one (ES-CLIP)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clipguide import images, schedules
from clipguide.beginning import Begun, first_picture, held
from clipguide.brief import Brief
from clipguide.canvases.shapes import Kind, Rates, Shapes
from clipguide.core import Step, optimise
from clipguide.cutouts import crops
from clipguide.errors import UserError
from clipguide.evolution import Search, evolve
from clipguide.losses.guidance import guidance
from clipguide.options import CLIPS
from clipguide.palettes import Colour
from clipguide.weights import Models


class Settings(Begun):
    clip: str = Field("clip-mini", description=CLIPS)  # a shape has no surface to draw
    steps: int = Field(150, ge=0, le=100_000, description="updates of the picture")
    shape: Kind = Field("triangle", description="what the picture is made of")
    count: int = Field(50, ge=1, le=2000, description="how many shapes")
    ground: Colour = Field("white", description="colour behind the shapes: a CSS name or #rrggbb")
    learn_ground: bool = Field(True, description="the ground's colour is found too")
    lr: float = Field(0.03, gt=0, le=1, description="learning rate of places, in shares of the shorter side")
    lr_colour: float = Field(0.05, gt=0, le=1, description="learning rate of colours")
    lr_opacity: float = Field(0.05, gt=0, le=1, description="learning rate of opacities")
    by: Literal["gradient", "evolution"] = Field(
        "gradient", description="follow CLIP's gradient, or try a population of pictures a step and use none"
    )
    population: int = Field(32, ge=2, le=1024, multiple_of=2, description="pictures that evolution tries in a step")
    spread: float = Field(2.0, gt=0, le=100, description="how different evolution's tries are, in learning rates")
    speed: float = Field(8.0, gt=0, le=1000, description="evolution's longest step, in learning rates, of all numbers")


def check(brief: Brief, settings: Settings) -> None:
    """UserError for several pictures by evolution."""
    if settings.by == "evolution" and brief.batch > 1:
        raise UserError(f"--batch {brief.batch}: evolution makes one picture at a time; leave it out")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise` and `evolution.evolve`."""
    judges, cutouts = models.judges(settings.clip), crops(settings.cutouts)
    shapes = Shapes(
        settings.shape,
        settings.count,
        brief.size,
        rng=brief.rng(),
        rates=Rates(settings.lr, settings.lr_colour, settings.lr_opacity),
        batch=brief.batch,
        ground=images.colour(settings.ground),
        learn_ground=settings.learn_ground,
    )
    first = first_picture(brief, settings, models)
    if brief.init is not None:
        shapes.load(images.read(brief.init, brief.size))
    elif first is not None:
        shapes.load(first.cpu())
    terms = guidance(brief, settings, judges, cutouts) + held(first, brief, settings)
    common = {"steps": settings.steps, "seconds": brief.seconds, "seed": brief.seed, "resume": brief.resume}
    if settings.by == "evolution":
        search = Search(settings.population, settings.spread, settings.speed)
        yield from evolve(shapes.to(models.device), terms, search, **common)
        return
    rate = schedules.cosine(0.1, warm_up=0.05)
    yield from optimise(shapes.to(models.device), terms, chunks=settings.chunks, lr_scale=rate, **common)
