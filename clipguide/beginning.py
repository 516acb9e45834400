"""What a picture begins with when there is no photo: what a feed-forward network draws of its prompt, or nothing yet.

A gradient finds fine forms sooner than it finds out that a night is dark and that the sea lies under the sun.  The
network has seen that, and draws it at once, though softly; CLIP then works on it.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from clipguide.brief import Brief, told
from clipguide.core import Term
from clipguide.losses.gist import gist
from clipguide.losses.guidance import Composed, unframed
from clipguide.options import CLIPS
from clipguide.scores import Scorer
from clipguide.weights import Models

BLOCKS = 16  # along the shorter side: how coarse a picture it is that `hold` holds


class Begun(Composed):
    clip: str = Field("clip-mini,clip-mini-photo@0.2", description=CLIPS)  # forms first, surfaces later
    start: Literal["forward", "noise"] = Field(
        "forward", description="what it begins with where there is no --init: what a network draws of the prompt at"
        " once, or noise"
    )  # fmt: skip
    forward: str = Field("forward-mini", description="that network: its name, or a folder")
    throws: int = Field(16, ge=1, le=1024, description="candidates: so many are drawn, and CLIP takes its favourite")
    hold: float = Field(2.0, ge=0, le=1000, description="weight of keeping that picture's colours and layout")


def first_picture(brief: Brief, settings: Begun, models: Models) -> Tensor | None:
    """(B, 3, H, W) in [0, 1], each the best of `throws`; None for noise, and where no prompt is a text to follow."""
    wanted = [prompt for prompt in told(brief.prompts, 0.0) if prompt.text and prompt.weight > 0]
    if settings.start != "forward" or brief.init is not None or not wanted:
        return None
    network = models.forward(settings.forward)
    reader = models.encoder(network.config.clip)
    weights = torch.tensor([prompt.weight for prompt in wanted]).to(models.device)
    text = F.normalize(weights @ reader.encode_text([prompt.text for prompt in wanted]), dim=-1)
    shape = brief.batch, settings.throws
    dice = torch.randn(*shape, network.config.dice, generator=brief.rng()).to(models.device)
    with torch.no_grad():
        drawn = network(text.expand(dice[..., 0].numel(), -1), dice.flatten(0, 1))
        scores = Scorer(models.judges(settings.clip), told(unframed(brief, settings), 0.0))(drawn)
    best = drawn.unflatten(0, shape)[torch.arange(brief.batch), scores.view(shape).argmax(1)]
    return F.interpolate(best, brief.size[::-1], mode="bicubic", antialias=True).clamp(0, 1)


def held(picture: Tensor | None, brief: Brief, settings: Begun) -> list[Term]:
    """The pull to that picture, if it is wanted."""
    if picture is None or not settings.hold:
        return []
    return [Term("begun", gist(picture, max(1, min(brief.size) // BLOCKS)), settings.hold)]
