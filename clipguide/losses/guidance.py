"""Guidance: the prompts of a brief, and everything else a picture can be asked for, as settings and as terms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from clipguide import images, losses, palettes
from clipguide.brief import Brief, Prompt, parse_prompts, split_weight
from clipguide.core import Cutouts, Term
from clipguide.encoders import Judge
from clipguide.errors import UserError
from clipguide.losses.composition import composition
from clipguide.losses.edge import edge
from clipguide.losses.focus import focus
from clipguide.losses.palette import palette
from clipguide.losses.prompt import prompt_terms
from clipguide.losses.saturation import saturation
from clipguide.losses.smooth import smooth
from clipguide.losses.spot import inverted, spot_terms
from clipguide.losses.symmetry import symmetry
from clipguide.options import Guided

WEIGHT = {"ge": 0, "le": 100}
FRAME = "a picture frame"


def _spoken(text: str) -> str:
    if text:
        parse_prompts([text])
    return text


def _found(text: str) -> str:
    for name, _ in _losses(text):
        losses.find(name)
    return text


Prompts = Annotated[str, AfterValidator(_spoken)]


class Composed(Guided):
    """What every method can be told that draws a whole picture: colours, symmetry, margin, composition, spots."""

    group: ClassVar = "Colour and composition"
    stories: ClassVar = True

    smooth: float = Field(0.0, **WEIGHT, description="weight of total variation (TV loss); higher is calmer")
    unframed: float = Field(
        1.0, **WEIGHT, description="weight of showing no picture frame, beside the prompts'; for pictures from nothing"
    )
    saturation: float = Field(0.0, ge=-100, le=100, description="weight of colourfulness; below 0 the picture greys")
    tint: Annotated[str, AfterValidator(lambda text: text and palettes.known(text))] = Field(
        "", description=f"palette that colours are drawn to: {palettes.NAMES}, @FILE, or 'navy, white'"
    )
    tint_weight: float = Field(1.0, **WEIGHT, description="weight of the pull to the palette of --tint")
    mirror: float = Field(0.0, **WEIGHT, description="weight of symmetry, as --mirror-kind says")
    mirror_kind: Literal["left-right", "top-bottom", "both", "turn"] = Field(
        "left-right", description="the symmetry of --mirror; turn: the same upside down"
    )
    border: float = Field(0.0, **WEIGHT, description="weight of a border of one colour all around")
    border_colour: palettes.Colour = Field("white", description="colour of the border: a CSS name or #rrggbb")
    border_width: float = Field(0.08, gt=0, lt=0.5, description="width of the border, as a share of the shorter side")
    compose: float = Field(0.0, **WEIGHT, description="weight of the composition, as --compose-rule says")
    compose_rule: Literal["centre", "thirds", "balance"] = Field(
        "thirds", description="where the visual weight goes: the middle, a crossing of thirds, or the vertical axis"
    )
    focus: float = Field(0.0, **WEIGHT, description="weight of a plain ground around the middle")
    focus_colour: palettes.OptionalColour = Field("", description="colour of that ground; empty: whatever it has")
    focus_spread: float = Field(0.35, gt=0, le=2, description="size of the free middle, as a share of half the side")
    spot: Prompts = Field("", description="prompts for the part of the picture where --spot-mask is white")
    spot_off: Prompts = Field("", description="prompts for the part where --spot-mask is black")
    spot_mask: Path | None = Field(None, description="a picture of the size's aspect, white (or opaque) is the spot")
    spot_weight: float = Field(1.0, **WEIGHT, description="weight of the spot prompts")
    losses: Annotated[str, AfterValidator(_found)] = Field(
        "", description="losses of installed packages, as NAME[:WEIGHT], joined by commas"
    )

    @model_validator(mode="after")
    def _masked(self) -> Composed:
        if (self.spot or self.spot_off) and self.spot_mask is None:
            raise UserError("--spot and --spot-off need --spot-mask: a picture that is white where the spot is")
        return self


def guidance(brief: Brief, settings: Composed, judges: Sequence[Judge], cutouts: Cutouts) -> list[Term]:
    """The terms of the brief's prompts and of every setting of `Composed` that is switched on.

    UserError for a picture of a palette or a mask that cannot be read, or a loss that cannot be imported.
    """
    said = {"templates": settings.templates, "margin": settings.negative_margin}
    terms = prompt_terms(unframed(brief, settings), judges, cutouts, **said)
    return [*terms, *_spots(brief, settings, judges, cutouts), *_looks(settings), *_installed(settings)]


def unframed(brief: Brief, settings: Composed) -> tuple[Prompt, ...]:
    """The brief's prompts, and a push away from frames: as strong as these pull on average over the run, times
    `settings.unframed`.

    CLIP takes "a painting of" a night for one on a wall, and a scene for what a window shows.  A photo has no push,
    nor has who asks for a frame.
    """
    prompts = brief.prompts
    pull = settings.unframed * sum(max(0.0, prompt.weight) / prompt.chapter[1] for prompt in prompts)
    if not pull or brief.init is not None or any("frame" in prompt.text.lower() for prompt in prompts):
        return prompts
    return *prompts, Prompt(FRAME, weight=-pull)


def _looks(settings: Composed) -> list[Term]:
    ground = images.colour(settings.focus_colour) if settings.focus_colour else None
    terms = [
        Term("smooth", smooth(), settings.smooth),
        Term("saturation", saturation(), settings.saturation),
        Term("mirror", symmetry(settings.mirror_kind), settings.mirror),
        Term("border", edge(images.colour(settings.border_colour), settings.border_width), settings.border),
        Term("compose", composition(settings.compose_rule), settings.compose),
        Term("focus", focus(ground, settings.focus_spread), settings.focus),
    ]
    if settings.tint:
        terms.append(Term("tint", palette(palettes.read(settings.tint, 16)), settings.tint_weight))
    return [term for term in terms if term.weight]


def _spots(brief: Brief, settings: Composed, judges: Sequence[Judge], cutouts: Cutouts) -> list[Term]:
    wanted = {"spot": settings.spot, "spot_off": settings.spot_off}
    if not any(wanted.values()):
        return []
    mask = images.read_alpha(settings.spot_mask, brief.size)
    terms = []
    for name, text in wanted.items():
        if text:
            part = mask if name == "spot" else inverted(mask)
            said = {"templates": settings.templates, "margin": settings.negative_margin}
            terms += spot_terms(parse_prompts([text]), part, judges, cutouts, name=name, **said)
    return [term.times(settings.spot_weight) for term in terms]


def _installed(settings: Composed) -> list[Term]:
    return [Term(name, losses.installed(name)(), weight) for name, weight in _losses(settings.losses)]


def _losses(text: str) -> list[tuple[str, float]]:
    return [split_weight(part) for part in text.split(",") if part.strip()]
