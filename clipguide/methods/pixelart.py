"""Pixel art: a coarse grid of coloured cells under CLIP's gradient (after pixray's pixel drawers)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from clipguide import images, palettes
from clipguide.brief import Brief
from clipguide.canvases.grid import Grid
from clipguide.canvases.snap import Dither, Snap
from clipguide.core import Step, Term
from clipguide.cutouts import crops
from clipguide.loop import run_leg
from clipguide.losses.guidance import guidance
from clipguide.losses.opacity import opacity
from clipguide.ops.cells import Shape, Symmetry, cells
from clipguide.stages import Leg
from clipguide.underpainting import Underpainted, underpainted
from clipguide.weights import Models

ANY = "any"


def _known(palette: str) -> str:
    return palette if palette in (ANY, palettes.LEARNED) else palettes.known(palette)


class Settings(Underpainted):
    steps: int = Field(100, ge=0, le=100_000, description="updates of the picture")
    cutouts: int = Field(9, ge=1, le=1024, description="views of the picture that CLIP judges in a step")
    wide: float = Field(0.8, ge=0, le=1, description="share of the views that show all of the picture; the others zoom")
    cells: Shape = Field("square", description="shape of the cells")
    cell: float = Field(4.0, ge=1, le=256, description="width of a cell in px")
    cell_aspect: float = Field(1.0, ge=0.1, le=10, description="width over height of a cell; 2: the C64's wide pixels")
    fabric: palettes.Colour = Field(
        "linen", description="colour between stitches, or between the stones of --cells tessera"
    )
    palette: Annotated[str, AfterValidator(_known)] = Field(
        "learned", description=f"colours: any, learned, {palettes.NAMES}, @FILE, or a list such as 'navy, white'"
    )
    colours: int = Field(16, ge=2, le=palettes.MOST, description="how many colours a learned or @FILE palette has")
    dither: Dither = Field("none", description="mix colours by a pattern, or by error diffusion in the result")
    dither_strength: float = Field(1.0, ge=0, le=4, description="of the pattern; 1 is the distance between colours")
    symmetry: Symmetry = Field("none", description="exact symmetry of the grid; turn: the same upside down")
    transparent: bool = Field(False, description="cells may be clear; sprite.png has them so")
    clear: float = Field(0.3, ge=0, le=100, description="weight of emptiness in a transparent picture")
    smooth: float = Field(0.2, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    lr: float = Field(0.1, gt=0, le=10, description="learning rate of the cells")
    contrast: float = Field(0.3, ge=0, le=2, description="strength of the random start")
    decay: float = Field(1.5, ge=0, le=3, description="power of 1/frequency; higher is smoother")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`."""
    judges, cutouts = models.judges(settings.clip), crops(settings.cutouts, wide=settings.wide)

    def draw(leg: Leg) -> Iterator[Step]:
        picture = leg.picture if brief.init is None else images.read(brief.init, brief.size)
        grid = _grid(brief, settings, picture)
        if picture is not None:
            grid.load(picture.cpu())
        terms = guidance(brief, settings, judges, cutouts)
        if settings.transparent:
            terms.append(Term("clear", opacity(), settings.clear))
        return run_leg(grid, terms, leg, settings, models)

    yield from underpainted(brief, settings, models, draw)


def _grid(brief: Brief, settings: Settings, picture: Tensor | None) -> Grid:
    rng = brief.rng()
    layout = cells(
        settings.cells,
        brief.size,
        settings.cell,
        aspect=settings.cell_aspect,
        symmetry=settings.symmetry,
        fabric=images.colour(settings.fabric),
    )
    return Grid(
        layout,
        rng=rng,
        lr=settings.lr,
        batch=brief.batch,
        contrast=settings.contrast,
        decay=settings.decay,
        snap=_snap(brief, settings, rng, picture),
        transparent=settings.transparent,
    )


def _snap(brief: Brief, settings: Settings, rng: torch.Generator, picture: Tensor | None) -> Snap | None:
    if settings.palette == ANY:
        return None
    learn = settings.palette == palettes.LEARNED
    if learn:
        colours = _start(brief, settings, rng, picture)
    else:
        colours = palettes.read(settings.palette, settings.colours)[None]
    return Snap(colours, learn=learn, dither=settings.dither, strength=settings.dither_strength)


def _start(brief: Brief, settings: Settings, rng: torch.Generator, picture: Tensor | None) -> Tensor:
    """(B, K, 3) where a learned palette begins: the main colours of the picture it starts from, or dice."""
    dice = torch.rand(brief.batch, settings.colours, 3, generator=rng)
    for number, image in enumerate([] if picture is None else picture.expand(brief.batch, -1, -1, -1)):
        main = images.main_colours(image.cpu(), settings.colours)
        dice[number, : len(main)] = main
    return dice
