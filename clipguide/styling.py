"""What all methods that restyle a photo share: their settings, the photo, and the way back to its own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from clipguide import images, masks
from clipguide.brief import Brief
from clipguide.canvases.confined import Confined
from clipguide.core import Canvas, Step
from clipguide.errors import UserError
from clipguide.ops.confine import confine
from clipguide.options import Guided
from clipguide.weights import Models

LARGEST_PREVIEW = 2_000_000  # px; the frames of larger photos are shown small, to spare their enlarging at every step
Keep = Literal["none", "colours", "luminance"]


class Masked(Guided):
    """What every method can be told that may change a part of a photo alone."""

    group: ClassVar = "Where it changes"
    mask: Path | None = Field(None, description="an image file; the photo changes where it is opaque, or else light")
    mask_text: str | None = Field(None, description="what of the photo shall change, in words, such as 'the sky'")
    mask_clip: str = Field("clip-mini", description="the CLIP that finds a thing in the photo by its words")
    mask_invert: bool = Field(False, description="change everything but what the mask says")
    feather: float = Field(0.02, ge=0, le=0.5, description="softness of the mask's edge, as a share of the longer side")

    @model_validator(mode="after")
    def _one_mask(self) -> Masked:
        if self.mask is not None and self.mask_text is not None:
            raise UserError("--mask and --mask-text were both given; give the one that says what shall change")
        if self.mask_text is not None and not self.mask_text.strip():
            raise UserError("--mask-text names nothing; say what of the photo shall change, such as 'the sky'")
        return self


class Styling(Masked):
    """`size` is the box in which the style is worked out; the photo keeps its aspect and comes back at its own size."""

    group: ClassVar = "The style"
    photo: ClassVar = "must"

    strength: float = Field(1.0, ge=0, le=1, description="how far from the photo to the style; 0 is the photo itself")
    keep: Keep = Field("none", description="what of the photo stays: nothing, its colours, or its luminance")
    templates: Literal["none", "picture", "photo", "painting"] = Field(
        "picture", description="sentences that styles and source are put into, their embeddings averaged"
    )
    detail: float = Field(0.3, ge=0, le=1, description="share of the photo's detail finer than `size` that comes back")
    source: str = Field("a photo", description="what the photo is now, in words; the style is the way from there")
    features: str = Field("clip-mini", description="network whose features hold the content: a CLIP's name, or vgg19")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo at its own size, and as the style is worked out on it.

    original: (1, 3, H, W).  small: (1, 3, h, w), the same aspect.  mask: (1, 1, h, w) in [0, 1], or None for all of it.
    """

    original: Tensor
    small: Tensor
    mask: Tensor | None
    keep: Keep
    strength: float
    detail: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px of `small`."""
        return self.small.shape[-1], self.small.shape[-2]

    def confined(self, canvas: Canvas, *, always: bool = False) -> Canvas:
        """The canvas, held to the mask and to what may change.  always: also where nothing is, to name the source."""
        if not always and self.mask is None and self.keep == "none":
            return canvas
        return Confined(canvas, self.small, self.mask, self.keep)

    def shown(self, styled: Tensor) -> Tensor:
        """A frame of (B, 3, h, w) at the wanted strength, still small."""
        return self.small + self.strength * (styled - self.small)

    def restored(self, styled: Tensor) -> Tensor:
        """The result at the photo's own size: the styled picture enlarged, with some of the photo's finest detail."""
        return self.redrawn(enlarged(styled, self.original) + self.detail * self._finest())

    def _finest(self) -> Tensor:
        return self.original - enlarged(self.small, self.original)

    def redrawn(self, large: Tensor) -> Tensor:
        """The result from a picture of the photo's own size."""
        return self.changed(self.original, large)

    def changed(self, photo: Tensor, large: Tensor) -> Tensor:
        """As `redrawn`, for another picture of any size with this photo's mask and settings: a video's frame."""
        mask = self.mask
        if mask is not None and mask.shape[-2:] != photo.shape[-2:]:
            mask = F.interpolate(mask, photo.shape[-2:], mode="bilinear")  # 0 stays 0: outside lies the photo itself
        return photo + self.strength * (confine(large, photo, mask, self.keep) - photo)


def open_photo(brief: Brief, settings: Styling, models: Models, method: str) -> Photo:
    """The brief's init image.  UserError where there is none, or where the mask leaves nothing to style."""
    if brief.init is None:
        raise UserError(f"{method} restyles a photo, and none was given; give one with --init PHOTO")
    original = images.read(brief.init).to(models.device)
    small = fitted(original, brief.size)
    mask = find_mask(small, settings, models)
    return Photo(original, small, mask, settings.keep, settings.strength, settings.detail)


def fitted(image: Tensor, box: tuple[int, int]) -> Tensor:
    """(1, 3, H, W) shrunk into the box (width, height) at its own aspect; a smaller one stays as it is."""
    height, width = image.shape[-2:]
    scale = min(1.0, box[0] / width, box[1] / height)
    if scale == 1:
        return image
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def enlarged(image: Tensor, like: Tensor) -> Tensor:
    """(B, 3, h, w) at the size of `like`."""
    if image.shape[-2:] == like.shape[-2:]:
        return image
    return F.interpolate(image, like.shape[-2:], mode="bicubic", antialias=True)


def find_mask(small: Tensor, settings: Masked, models: Models) -> Tensor | None:
    """(1, 1, H, W) in [0, 1] for a photo (1, 3, H, W): 1 where it may change; None for all of it.

    UserError when it leaves nothing.
    """
    if settings.mask is not None:
        mask = masks.from_file(settings.mask, small)
    elif settings.mask_text is not None:
        mask = masks.from_text(models.encoder(settings.mask_clip), settings.mask_text, small)
    else:
        return None
    mask = masks.feathered(1 - mask if settings.mask_invert else mask, settings.feather)
    if mask.amax() < 0.02:
        raise UserError("the mask leaves nothing of the photo to change; give a lighter one, or --mask-invert")
    return mask


def finished(
    steps: Iterator[Step], photo: Photo, redraw: Callable[[], Tensor] | None = None
) -> Iterator[Step]:
    """Each step at the wanted strength, and at the photo's own size; before the last one only up to LARGEST_PREVIEW.

    redraw: draws the photo at its own size when the style is found; without it the change is enlarged.
    """
    enlarged = photo.original[0, 0].numel() <= LARGEST_PREVIEW
    for step in steps:
        if step.last and redraw is not None:
            yield replace(step, image=photo.redrawn(redraw()))
        elif step.last or enlarged:
            yield replace(step, image=photo.restored(step.image))
        else:
            yield replace(step, image=photo.shown(step.image))
