"""Direction: the picture's change should point where the words' change points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clipguide import images
from clipguide.brief import Prompt
from clipguide.core import Cutouts, Encoder, Scene, Term, Tick
from clipguide.cutouts import whole
from clipguide.encoders import Judge, shares
from clipguide.losses.prompt import embed, embeddings
from clipguide.losses.source import kept

Loss = Callable[[Scene], Tensor]

SHORTEST = 0.1  # norm below which a change is not scaled up: at the start it is 0, and 0 / 0 would poison Adam


def direction(encoder: Encoder, aim: Tensor, cutouts: Cutouts, *, threshold: float = 0.0) -> Loss:
    """Mean over the views of 1 - cos(view - source, aim); in [0, 2].

    aim: (D,) unit norm, see `style_aim`.  threshold: a view below it is good enough and pulls no more; CLIPstyler's
    0.7 for patches, which keeps easy places from being overdone.  As in CLIPstyler every view's change, a patch's too,
    is measured from all of the source, which is encoded once and not at every step.
    The frame needs a "source".  (StyleGAN-NADA, Gal et al. 2021; CLIPstyler, Kwon and Ye 2022.)
    """
    before = kept(lambda source: _whole(encoder, source))

    def loss(scene: Scene) -> Tensor:
        change = embeddings(scene, encoder, cutouts) - before(scene.image("source"))  # (n, B, D)
        cosine = (change * aim).sum(-1) / change.norm(dim=-1).clamp(min=SHORTEST)
        value = 1 - cosine
        return torch.where(value > threshold, value, value.detach()).mean()

    return loss


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
            way = (_whole(encoder, images.read(style.image).to(start)) - _whole(encoder, photo.to(start))).mean(0)
        total += style.weight * way / way.norm().clamp(min=1e-6)
    return total / total.norm().clamp(min=1e-6)


def _whole(encoder: Encoder, pictures: Tensor) -> Tensor:
    """(B, D): all of each picture at its true aspect."""
    return encoder.encode_image(whole()(Tick(0, 0, torch.Generator()), encoder.size)(pictures))


def direction_terms(
    judges: Sequence[Judge], aims: Sequence[Tensor], overview: Cutouts, patches: Cutouts, weights: tuple[float, float],
    threshold: float,
) -> list[Term]:
    """For each judge the direction of the whole and of the patches; weights: (whole, patches)."""
    terms = []
    for judge, aim, share in zip(judges, aims, shares(judges), strict=True):
        name = "" if len(judges) == 1 else f" ({judge.encoder.name})"
        near = direction(judge.encoder, aim, patches, threshold=threshold)
        terms.append(Term(f"direction{name}", direction(judge.encoder, aim, overview), weights[0]).times(share))
        terms.append(Term(f"patches{name}", near, weights[1]).times(share))
    return terms
