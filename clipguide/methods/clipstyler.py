"""CLIPstyler (Kwon and Ye, 2022): a small network, trained on one photo, that redraws it as the words say."""

from __future__ import annotations

from collections.abc import Iterator

from clipguide.brief import Brief
from clipguide.canvases.restyled import Restyled
from clipguide.core import Step
from clipguide.loop import follow
from clipguide.models.restyler import Restyler
from clipguide.restyling import Restyling, guidance, large
from clipguide.styling import finished, open_photo
from clipguide.weights import Models


class Settings(Restyling):
    """See `restyling.Restyling`."""


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.

    Leaves the paper in: a network that starts as the identity and has patterns to draw with (see `models.surfaces`);
    content as a share of variance; a cosine schedule.
    """
    photo = open_photo(brief, settings, models, "clipstyler")
    restyler = Restyler(settings.width, copies=brief.batch, rng=brief.rng())
    canvas = Restyled(photo.small.expand(brief.batch, -1, -1, -1), restyler, lr=settings.lr)
    terms = guidance(brief, settings, models, photo.small)
    steps = follow(photo.confined(canvas), terms, brief, settings, models)
    yield from finished(steps, photo, (lambda: large(canvas, photo, settings.tile)) if settings.tile else None)
