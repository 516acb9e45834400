"""VQGAN+CLIP: the codes of a VQGAN under CLIP's gradient (Crowson et al., 2022), small first, then at full size."""

from __future__ import annotations

from collections.abc import Iterator

from clipguide.brief import Brief
from clipguide.core import Step
from clipguide.imagery import Imagery, studio
from clipguide.stages import staged
from clipguide.styling import Masked
from clipguide.weights import Models


class Settings(Imagery, Masked):
    """All that `imagery` offers, and a mask where the picture starts from a photo."""


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.

    Unlike the public scripts: the picture grows, its views keep its aspect, the latent is averaged and the rate falls.
    """
    opened = studio(brief, settings, models)
    stages = opened.picture(settings.steps)
    yield from staged(stages, seed=brief.seed, seconds=brief.seconds, resume=brief.resume)
