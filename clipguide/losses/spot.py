"""Spot prompts: a text for one part of the picture, inside or outside a mask."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from clipguide.brief import Prompt
from clipguide.core import Crop, Cutouts, Scene, Term
from clipguide.encoders import Judge
from clipguide.losses.prompt import prompt_terms

T = TypeVar("T")
GREY = 0.5  # what lies where nobody shall look


@dataclass(frozen=True, slots=True)
class Spot:
    """One part of a picture.  mask: (1, 1, H, W) in [0, 1], 1 where the text counts."""

    mask: Tensor

    def show(self, image: Tensor) -> Tensor:
        """The box around the part, the rest of it grey: (B, 3, H, W) -> (B, 3, h, w)."""
        rows, columns = (self.mask[0, 0].amax(axis) > 0.5 for axis in (1, 0))
        top, bottom = _ends(rows)
        left, right = _ends(columns)
        mask = self.mask.to(image)[..., top:bottom, left:right]
        return image[..., top:bottom, left:right] * mask + GREY * (1 - mask)


def _ends(there: Tensor) -> tuple[int, int]:
    places = there.nonzero()[:, 0]
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, len(there))


class _SpotScene:
    """A scene in which only the spot is to be seen: what `losses.prompt` asks of a scene, and no more."""

    def __init__(self, scene: Scene, spot: Spot) -> None:
        self._scene, self._spot = scene, spot

    def image(self, of: str = "image") -> Tensor:
        return self.once(("shown", of), lambda: self._spot.show(self._scene.image(of)))

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        return self._scene.once(("spot", id(self._spot), key), make)

    def crop(self, cutouts: Cutouts, size: int) -> Crop:
        return self._scene.crop(cutouts, size)

    def views(self, cutouts: Cutouts, size: int, of: str = "image") -> Tensor:
        crop = self.crop(cutouts, size)
        return self.once(("views", cutouts, size, of), lambda: crop(self.image(of)))


def spot_terms(
    prompts: Sequence[Prompt],
    mask: Tensor,
    judges: Sequence[Judge],
    cutouts: Cutouts,
    *,
    name: str,
    templates: str = "none",
    margin: float = 0.0,
) -> list[Term]:
    """As `prompt_terms`, judged on the part of the picture where `mask` (1, 1, H, W) is 1.

    pixray's spot prompts; there the whole picture is masked, here the views are taken of the box around the part, so
    that a small part is seen as large as a whole picture.
    """
    spot = Spot(mask)

    def inside(term: Term) -> Term:
        return Term(f"{name}: {term.name}", lambda scene: term.loss(_SpotScene(scene, spot)), term.weight)

    return [inside(term) for term in prompt_terms(prompts, judges, cutouts, templates=templates, margin=margin)]


def inverted(mask: Tensor) -> Tensor:
    """The rest of the picture."""
    return torch.ones_like(mask) - mask
