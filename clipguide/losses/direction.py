"""Direction: the picture's change should point where the words' change points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clipguide import images
from clipguide.brief import Prompt
from clipguide.core import Cutouts, Encoder, Scene, Term, Tick
from clipguide.cutouts import whole
from clipguide.encoders import Judge
from clipguide.losses.prompt import embed, embeddings

Loss = Callable[[Scene], Tensor]

SHORTEST = 0.1  # norm below which a change is not scaled up: at the start it is 0, and 0 / 0 would poison Adam


def direction(
    encoder: Encoder, aim: Tensor, cutouts: Cutouts, *, threshold: float = 0.0, from_whole: bool = False
) -> Loss:
    """Mean over the views of 1 - cos(picture - source, aim); in [0, 2], 1 for an unchanged picture.

    aim: (D,) unit norm, see `style_aim`.  threshold: a view below it is good enough and pulls no more; CLIPstyler's
    0.7 for patches, which keeps easy places from being overdone.  from_whole: each view's change is measured from
    all of the source, as CLIPstyler does for patches, and not from the source through the same window.
    The frame needs a "source".  (StyleGAN-NADA, Gal et al. 2021; CLIPstyler, Kwon and Ye 2022.)
    """

    def loss(scene: Scene) -> Tensor:
        with torch.no_grad():
            before = whole_source(scene, encoder) if from_whole else embeddings(scene, encoder, cutouts, "source")
        change = embeddings(scene, encoder, cutouts) - before  # (n, B, D)
        cosine = (change * aim).sum(-1) / change.norm(dim=-1).clamp(min=SHORTEST)
        value = 1 - cosine
        return torch.where(value > threshold, value, value.detach()).mean()

    return loss


def whole_source(scene: Scene, encoder: Encoder) -> Tensor:
    """(1, B, D): all of the source, at its true aspect."""

    def encode() -> Tensor:
        return encoder.encode_image(whole()(scene.tick, encoder.size)(scene.image("source")))[None]

    return scene.once(("whole source", id(encoder)), encode)


@torch.no_grad()
def style_aim(encoder: Encoder, styles: Sequence[Prompt], photo: Tensor, source: str, templates: str) -> Tensor:
    """(D,) unit norm: the weighted sum of every style's own direction, which a negative weight turns round.

    A text's direction runs from the text `source` to the style, both averaged over the same templates; an image's
    from `photo`, (1 or B, 3, H, W), to the image.
    """
    start = embed(encoder, source, templates)
    total = torch.zeros_like(start)
    for style in styles:
        if style.image is None:
            way = embed(encoder, style.text, templates) - start
        else:
            way = _whole(encoder, images.read(style.image).to(start)) - _whole(encoder, photo.to(start))
        total += style.weight * way / way.norm().clamp(min=1e-6)
    return total / total.norm().clamp(min=1e-6)


def _whole(encoder: Encoder, pictures: Tensor) -> Tensor:
    """(D,): the mean embedding of all of each picture."""
    return encoder.encode_image(whole()(Tick(0, 0, torch.Generator()), encoder.size)(pictures)).mean(0)


def direction_terms(
    judges: Sequence[Judge], aims: Sequence[Tensor], overview: Cutouts, patches: Cutouts, weights: tuple[float, float],
    threshold: float,
) -> list[Term]:
    """For each judge the direction of the whole and of the patches; weights: (whole, patches)."""
    total, terms = sum(judge.weight for judge in judges), []
    for judge, aim in zip(judges, aims, strict=True):
        name = "" if len(judges) == 1 else f" ({judge.encoder.name})"
        share = judge.weight / total
        near = direction(judge.encoder, aim, patches, threshold=threshold, from_whole=True)
        terms.append(Term(f"direction{name}", direction(judge.encoder, aim, overview), weights[0] * share))
        terms.append(Term(f"patches{name}", near, weights[1] * share))
    return terms
