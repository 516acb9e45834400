"""What the methods share that draw by a VQGAN: their settings, what guides, the start, and the stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from clipguide import images
from clipguide.beginning import Begun, first_picture, held
from clipguide.brief import Brief, told
from clipguide.canvases.averaged import Averaged
from clipguide.canvases.confined import Confined
from clipguide.canvases.vqgan import Choice, Latent
from clipguide.core import Canvas, Step, Term, Tick
from clipguide.cutouts import MIRROR, crops
from clipguide.errors import UserError
from clipguide.loop import COOLING, Rate, run_leg
from clipguide.losses.guidance import guidance
from clipguide.losses.latent import near
from clipguide.models.tiled import Tiled
from clipguide.scores import Scorer
from clipguide.stages import Leg, Stage
from clipguide.styling import Masked, find_mask
from clipguide.underpainting import waves
from clipguide.weights import Models

CODES: dict[str, type[Latent]] = {"latent": Latent, "choice": Choice}
PRESETS: dict[str, dict[str, Any]] = {
    "draft": {"steps": 60, "cutouts": 4},
    "normal": {},
    "better": {"steps": 250, "cutouts": 16, "throws": 32},
    "best": {"steps": 500, "cutouts": 32, "throws": 64},
}


class Imagery(Begun):
    presets: ClassVar = PRESETS

    preset: Literal["draft", "normal", "better", "best"] = Field(
        "normal", description="sets steps, cutouts and throws, where they are not given"
    )
    vqgan: str = Field("vqgan-mini", description="the VQGAN that draws: its name, a folder, or taming's .ckpt file")
    cutouts: int = Field(9, ge=1, le=1024, description="views of the picture that CLIP judges in a step")
    wide: float = Field(0.8, ge=0, le=1, description="share of the views that show all of the picture; the others zoom")
    codes: Literal["latent", "choice"] = Field(
        "latent", description="what is optimised: vectors, drawn as the nearest codes, or the odds of every code"
    )
    lr: float = Field(0.2, gt=0, le=10, description="learning rate, in standard deviations of the VQGAN's codes")
    smooth: float = Field(0.3, ge=0, le=100, description="weight of total variation (TV loss); higher is calmer")
    average: float = Field(0.9, ge=0, lt=1, description="decay of the moving average (EMA) of the latent; 0: none")
    start: Literal["forward", "spectrum", "codes", "gradient", "noise"] = Field(
        "forward", description="what it begins with where there is no --init: what a network draws of the prompt at"
        " once, coarse waves, random codes, four colours blended, noise"
    )
    starts: int = Field(1, ge=1, le=1024, description="random codes, gradients, noises to choose from, by CLIP")
    tile: int = Field(512, ge=0, le=4096, description="px of the tiles of a larger picture; 0: it is drawn as a whole")
    near: float = Field(0.0, ge=0, le=100, description="weight of staying near the codes that it starts with")
    coarse: float = Field(0.5, ge=0, lt=1, description="share of the steps spent on coarse forms; none with --init")
    grow: int = Field(2, ge=0, le=3, description="how often the picture doubles its size then, if it starts from codes")


@dataclass(frozen=True)
class Studio:
    """A brief with all that is opened for it.

    photo: (1, 3, H, W) to start from, or None.  mask: (1, 1, H, W), where it may change, or None for all of it.
    """

    brief: Brief
    settings: Imagery
    models: Models
    terms: list[Term]
    photo: Tensor | None
    mask: Tensor | None

    def latent(self, rng: torch.Generator, shrink: int = 1) -> Latent:
        brief, settings = self.brief, self.settings
        vqgan, kind = self.models.vqgan(settings.vqgan), CODES[settings.codes]
        if settings.tile and max(brief.size) > settings.tile * shrink:
            vqgan = Tiled(vqgan, settings.tile)
        made = kind(vqgan, brief.size, rng=rng, lr=settings.lr, batch=brief.batch, shrink=shrink)
        return made.to(self.models.device)

    def first(self, shrink: int) -> Latent:
        """Begins with the photo, or with the best of so many random starts."""
        rng = self.brief.rng()
        best = self._drawn(rng, shrink)
        if self.photo is not None or self.settings.start == "forward" or self.settings.starts == 1:
            return best
        judges, highest = self.models.judges(self.settings.clip), None
        scorer = Scorer(judges, told(self.brief.prompts, 0.0))
        for number in range(self.settings.starts):
            other = self._drawn(rng, shrink) if number else best
            with torch.no_grad():
                score = scorer(other.render(Tick(0, 0, rng)).image)  # (B,)
            better = torch.ones_like(score, dtype=torch.bool) if highest is None else score > highest
            best.take(other, better)
            highest = score if highest is None else torch.maximum(score, highest)
        return best

    def _drawn(self, rng: torch.Generator, shrink: int) -> Latent:
        latent = self.latent(rng, shrink)
        if self.photo is not None:
            latent.load(self.photo)
        elif (first := first_picture(self.brief, self.settings, self.models)) is not None:
            latent.load(first)
        elif self.settings.start in STARTS:
            latent.load(STARTS[self.settings.start](self.brief.size, self.brief.batch, rng))
        return latent

    def optimise(self, latent: Latent, leg: Leg, lr_scale: Rate = COOLING, more: Sequence[Term] = ()) -> Iterator[Step]:
        """Follows the terms, and `more` of them, through the codes, held to the mask."""
        canvas: Canvas = Averaged(latent, self.settings.average)
        if self.mask is not None:
            canvas = Confined(canvas, self.photo, self.mask)
        terms = [*self.terms, *more]
        if self.settings.near:
            unit = float(self.models.vqgan(self.settings.vqgan).codebook.std())
            terms.append(Term("near the start", near(unit), self.settings.near))
        yield from run_leg(canvas, terms, leg, self.settings, self.models, lr_scale=lr_scale)

    def picture(self, steps: int) -> list[Stage]:
        """The stages in which a picture is made: a photo at once by codes, anything else coarse first."""
        settings = self.settings
        few = 0 if self.photo is not None else round(steps * settings.coarse)
        if few and settings.start in ("forward", "spectrum"):
            return [(few, self._spectrum), (steps - few, self._codes(1))]
        grow = min(settings.grow, _doublings(self.brief.size, self.models.vqgan(settings.vqgan).factor)) if few else 0
        small = [(few // grow, self._codes(2 ** (grow - number))) for number in range(grow)]
        return [*small, (steps - sum(count for count, _ in small), self._codes(1, hold=not few))]

    def _spectrum(self, leg: Leg) -> Iterator[Step]:
        """Waves, the coarse ones first; from what a network draws of the prompt, or from noise."""
        first = first_picture(self.brief, self.settings, self.models)
        canvas = Averaged(waves(self.brief, leg, first), self.settings.average)
        terms = [*self.terms, *held(first, self.brief, self.settings)]
        yield from run_leg(canvas, terms, leg, self.settings, self.models)

    def _codes(self, shrink: int, hold: bool = False) -> Callable[[Leg], Iterator[Step]]:
        """Codes from the picture of the stage before or, in the first one, from the start.

        hold: to what a network drew of the prompt, if the picture began with that.
        """

        def run(leg: Leg) -> Iterator[Step]:
            if leg.picture is None and leg.resume is None:
                latent = self.first(shrink)
            else:
                latent = self.latent(self.brief.rng(), shrink)
                if leg.picture is not None:
                    latent.load(leg.picture)
            begun = first_picture(self.brief, self.settings, self.models) if hold else None
            yield from self.optimise(latent, leg, more=held(begun, self.brief, self.settings))

        return run


def studio(brief: Brief, settings: Imagery, models: Models) -> Studio:
    """Opens the networks and the photo.  UserError for what is not there, or for a mask without a photo."""
    models.vqgan(settings.vqgan)  # a wrong name is refused before anything is made
    judges = models.judges(settings.clip)
    terms = guidance(brief, settings, judges, crops(settings.cutouts, wide=settings.wide, mirror=MIRROR))
    photo = None if brief.init is None else images.read(brief.init, brief.size).to(models.device)
    return Studio(brief, settings, models, terms, photo, _mask(photo, settings, models))


def _mask(photo: Tensor | None, settings: Imagery, models: Models) -> Tensor | None:
    if not isinstance(settings, Masked):
        return None
    if photo is not None:
        return find_mask(photo, settings, models)
    if settings.mask is not None or settings.mask_text is not None:
        raise UserError("--mask and --mask-text say what of a photo may change; give the photo with --init PHOTO")
    return None


def _doublings(size: tuple[int, int], factor: int) -> int:
    """How often the shorter side can be halved with at least 4 codes left along it."""
    return max(0, (min(size) // (4 * factor)).bit_length() - 1)


def _gradient(size: tuple[int, int], batch: int, rng: torch.Generator) -> Tensor:
    """(B, 3, H, W): the colours of four random corners, blended."""
    corners = torch.rand(batch, 3, 2, 2, generator=rng)
    return F.interpolate(corners, size[::-1], mode="bilinear", align_corners=True)


def _noise(size: tuple[int, int], batch: int, rng: torch.Generator) -> Tensor:
    """(B, 3, H, W): every pixel of a random colour."""
    return torch.rand(batch, 3, *size[::-1], generator=rng)


STARTS = {"gradient": _gradient, "noise": _noise}
