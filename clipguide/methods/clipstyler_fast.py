"""CLIPstyler, fast: one network trained once for a style, on a folder of photos; then a forward pass for each picture.

    clipguide stylise photo.jpg "mosaic" --method clipstyler-fast --photos FOLDER --name my-mosaic
    clipguide stylise photo.jpg "mosaic" --method clipstyler-fast --restyler my-mosaic
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from clipguide import images
from clipguide.brief import Brief
from clipguide.canvases.confined import Confined
from clipguide.canvases.restyled import Restyled
from clipguide.core import Step, optimise
from clipguide.errors import UserError
from clipguide.loop import follow
from clipguide.models.restyler import Restyler, open_restyler
from clipguide.ops.confine import confine
from clipguide.restyling import Restyling, guidance, large
from clipguide.styling import Photo, finished, open_photo
from clipguide.weights import Models, keep, may_keep

FILE = "restyler.safetensors"


class Settings(Restyling):
    photos: Path | None = Field(None, description="a folder of photos to train on")
    most: int = Field(200, ge=1, le=10_000, description="photos read from the folder, at most")
    photo_batch: int = Field(4, ge=1, le=64, description="photos in a step of training")
    name: str | None = Field(None, description="a name to keep the trained network under, for --restyler")
    restyler: str | None = Field(None, description="a trained network instead of training: its name, or its file")

    @field_validator("name")
    @classmethod
    def _keepable(cls, name: str | None) -> str | None:
        """Refused now, and not when the network is trained."""
        if name is not None and not may_keep(name):
            raise ValueError("no name for a network; take letters, digits and dashes, and no bundled one's name")
        return name

    @model_validator(mode="after")
    def _one_of_two(self) -> Settings:
        if (self.photos is None) == (self.restyler is None):
            raise UserError("clipstyler-fast needs --photos FOLDER to train on, or --restyler NAME; give one")
        return self


def check(brief: Brief, settings: Settings) -> None:
    """UserError for several pictures: the network makes one of each photo."""
    if brief.batch > 1:
        raise UserError(f"--batch {brief.batch}: clipstyler-fast makes one picture of a photo; leave it out")


def run(brief: Brief, settings: Settings, models: Models) -> Iterator[Step]:
    """Yields the steps of the training, or with `restyler` the one step of its use; see `core.optimise`.

    The network of clipstyler is trained; the paper's fast variant fine-tunes the decoder of a pretrained AdaIN instead.
    """
    photo = open_photo(brief, settings, models, "clipstyler-fast")
    if settings.restyler is not None:
        yield from _apply(settings, models, photo)
        return
    photos = torch.cat([photo.small, *_read(settings, photo)])
    about = {"style": " | ".join(prompt.name for prompt in brief.prompts), "name": settings.name or ""}
    restyler = Restyler(settings.width, rng=brief.rng())
    batch = min(settings.photo_batch, len(photos))
    canvas = Restyled(photos, restyler, lr=settings.lr, batch=batch, about=about).to(models.device)
    confined = canvas if settings.keep == "none" else Confined(canvas, photo.small, keep=settings.keep)
    steps = follow(confined, guidance(brief, settings, models, photos[:8]), brief, settings, models)
    steps = (replace(step, image=_shown(restyler, photo)) for step in steps)  # not the batch, but the wanted photo
    for step in finished(steps, photo, (lambda: large(canvas, photo, settings.tile)) if settings.tile else None):
        if step.last and settings.name is not None:
            keep(settings.name, "restyler", f"restyles photos: {about['style']}", canvas.export())
        yield step


def _apply(settings: Settings, models: Models, photo: Photo) -> Iterator[Step]:
    path = models.checkpoint(settings.restyler, "restyler")
    restyler = open_restyler(path / FILE if path.is_dir() else path).train().to(models.device)
    canvas = Restyled(photo.small, restyler)
    steps = optimise(photo.confined(canvas), [], steps=0)
    yield from finished(steps, photo, (lambda: large(canvas, photo, settings.tile)) if settings.tile else None)


@torch.no_grad()
def _shown(restyler: Restyler, photo: Photo) -> Tensor:
    return confine(restyler(photo.small), photo.small, photo.mask, photo.keep)


def _read(settings: Settings, photo: Photo) -> list[Tensor]:
    """The folder's photos, cropped to the photo's aspect and size; what cannot be read is passed over."""
    if not settings.photos.is_dir():
        raise UserError(f"--photos {settings.photos} is no folder; give one with photos in it")
    found: list[Tensor] = []
    for path in sorted(settings.photos.iterdir()):
        if path.suffix.lower() not in images.PHOTOS or len(found) == settings.most:
            continue
        try:
            found.append(images.read(path, photo.size).to(photo.small))
        except UserError:
            continue
    if not found:
        raise UserError(f"--photos {settings.photos} holds no photo that can be read; give a folder with some")
    return found
