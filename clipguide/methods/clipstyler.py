"""CLIPstyler (Kwon and Ye, 2022): a small network, trained on one photo, that redraws it as the words say."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from clipguide import schedules
from clipguide.brief import Brief
from clipguide.canvases.restyled import Restyled
from clipguide.core import Step, Term, optimise
from clipguide.cutouts import crops, patches
from clipguide.losses.content import content
from clipguide.losses.direction import direction_terms, style_aim
from clipguide.losses.smooth import smooth
from clipguide.models.restyler import Restyler, redraw
from clipguide.styling import Styling, finished, open_photo
from clipguide.weights import Models


class Settings(Styling):
    lr: float = Field(3e-3, gt=0, le=1, description="learning rate of the network")
    width: int = Field(16, ge=4, le=64, description="channels of the network at full size")
    direction: float = Field(1.0, ge=0, le=100, description="weight of the whole picture's direction")
    patches: float = Field(4.0, ge=0, le=100, description="weight of the patches' direction: the texture")
    content: float = Field(0.5, ge=0, le=100, description="weight of the photo's things; higher keeps more")
    smooth: float = Field(0.5, ge=0, le=100, description="weight of total variation; higher is calmer")
    threshold: float = Field(0.7, ge=0, le=2, description="a patch below this loss is good enough and pulls no more")
    extent: float = Field(0.3, gt=0, le=1, description="side of a patch, as a share of the photo's shorter side")
    tile: int = Field(0, ge=0, le=4096, description="px of the tiles in which the photo's own size is redrawn; 0: not")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.

    Leaves the paper in: a network that starts as the identity, content as a share of variance, a cosine schedule.
    """
    photo = open_photo(brief, settings, models, "clipstyler")
    judges, features = models.judges(settings.clip), models.features(settings.features)
    restyler = Restyler(settings.width, copies=brief.batch, rng=brief.rng())
    canvas = Restyled(photo.small.expand(brief.batch, -1, -1, -1), restyler, lr=settings.lr).to(models.device)
    aims = [
        style_aim(judge.encoder, brief.prompts, photo.small, settings.source, settings.templates) for judge in judges
    ]
    overview = crops(max(4, settings.chunks), wide=1.0, turn=5, perspective=0.1, jitter=0, noise=0.05, erase=0)
    near = patches(settings.cutouts, extent=settings.extent)
    terms = [
        *direction_terms(
            judges, aims, overview, near, (settings.direction, settings.patches), settings.threshold
        ),
        Term("content", content(features), settings.content),
        Term("smooth", smooth(), settings.smooth),
    ]
    steps = optimise(
        photo.confined(canvas).to(models.device),
        terms,
        steps=settings.steps,
        seconds=brief.seconds,
        seed=brief.seed,
        chunks=settings.chunks,
        lr_scale=schedules.cosine(0.1, warm_up=0.05),
        resume=brief.resume,
    )

    def large():
        restyler.remember(canvas.photos)
        return redraw(restyler.eval(), photo.original, settings.tile)

    yield from finished(steps, photo, large if settings.tile else None)
