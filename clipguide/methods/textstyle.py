"""Text style: the photo follows the words directly, without a network between, in the medium that they ask for.

The nearest public form is Zasder3's CLIP-Style-Transfer: the whole picture against the text, VGG content, smoothness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from clipguide.brief import Brief
from clipguide.canvases.averaged import Averaged
from clipguide.core import Step, Term
from clipguide.cutouts import crops, patches
from clipguide.loop import follow
from clipguide.losses.content import content
from clipguide.losses.direction import direction_terms, style_aim
from clipguide.losses.gist import gist
from clipguide.losses.prompt import prompt_terms
from clipguide.losses.smooth import smooth
from clipguide.media import MEDIA, SOFT, Medium, MediumName, chosen
from clipguide.options import CLIPS
from clipguide.styling import Photo, Styling, finished, open_photo
from clipguide.weights import Models


class Settings(Styling):
    clip: str = Field("clip-mini,clip-mini-photo", description=CLIPS)  # a style is a surface
    medium: MediumName = Field(
        "auto", description="what it is redrawn in; auto: stones for a mosaic, strokes for a crayon ..., else pixels"
    )
    lr: float = Field(0.02, gt=0, le=1, description="learning rate")
    words: float = Field(0.0, ge=0, le=100, description="weight of the words themselves, whatever the photo shows")
    direction: float = Field(1.0, ge=0, le=100, description="weight of the way from the source to the words")
    patches: float = Field(1.0, ge=0, le=100, description="weight of the patches' direction: the texture")
    extent: float = Field(0.5, gt=0, le=1, description="side of a patch, as a share of the photo's shorter side")
    gist: float | None = Field(
        None, ge=0, le=100, description="weight of the photo's colours and large shapes; else what suits the medium"
    )
    content: float | None = Field(
        None, ge=0, le=100, description="weight of the photo's things; higher keeps more; else what suits the medium"
    )
    smooth: float = Field(0.5, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    average: float = Field(0.9, ge=0, lt=1, description="decay of the moving average (EMA) of the picture; 0: none")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps; see `core.optimise`.

    Leaves the peer in: CLIPstyler's direction and patches in place of the distance to the words, which drew the thing
    that they name; many views with augmentations instead of one clean one, which drew ghost faces; all scales at once;
    a moving average; learning rate 0.02 for 0.1.
    """
    photo = open_photo(brief, settings, models, "textstyle")
    medium = chosen(settings.medium, [prompt.text or "" for prompt in brief.prompts if prompt.weight > 0])
    if medium not in SOFT:
        photo = replace(photo, detail=0.0)  # cells and strokes are as fine as they are
    made = MEDIA[medium].make(photo.small, brief, settings.lr * MEDIA[medium].pace)
    canvas = Averaged(made, settings.average)
    terms = _terms(brief, settings, models, photo, MEDIA[medium])
    yield from finished(follow(photo.confined(canvas, always=True), terms, brief, settings, models), photo)


def _terms(brief: Brief, settings: Settings, models: Models, photo: Photo, medium: Medium) -> list[Term]:
    judges = models.judges(settings.clip)
    sentences = settings.templates
    aims = [style_aim(judge.encoder, brief.prompts, photo.small, settings.source, sentences) for judge in judges]
    views = crops(settings.cutouts, wide=0.6, zoom=(0.5, 0.95))
    near = patches(max(1, settings.cutouts // 2), extent=settings.extent)
    weights = settings.direction, settings.patches
    words = prompt_terms(brief.prompts, judges, views, templates=sentences, margin=settings.negative_margin)
    held = medium.content if settings.content is None else settings.content
    terms = [
        *direction_terms(judges, aims, views, near, weights, 0.0),
        *(term.times(settings.words) for term in words),
        Term("gist", gist(photo.small), medium.gist if settings.gist is None else settings.gist),
        Term("content", content(models.features(settings.features)), held),
        Term("smooth", smooth(), settings.smooth),
    ]
    return [term for term in terms if term.weight]
