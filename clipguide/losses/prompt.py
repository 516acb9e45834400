"""Prompts: pull the picture's embedding towards a text or an image, or push it away."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from clipguide import images, schedules
from clipguide.brief import TEMPLATES, Prompt
from clipguide.core import Cutouts, Encoder, Scene, Term
from clipguide.encoders import Judge, shares
from clipguide.schedules import Schedule

LONGEST = 768  # px of an image prompt's longer side: its windows are warped at every step, and views are no larger

Loss = Callable[[Scene], Tensor]
Target = Tensor | Loss  # unit vectors that broadcast with (n, B, D), or what makes them from a scene


def great_circle(a: Tensor, b: Tensor) -> Tensor:
    """Half the squared angle between unit vectors, (..., D) with (..., D) -> (...), in rad^2.

    The spherical loss of Crowson's notebooks, 2 arcsin^2(|a - b| / 2): it pulls harder the farther it is.  The clamp
    keeps its gradient finite at equal and at opposite vectors.
    """
    half_chord = (a - b).square().sum(-1) / 4  # sin^2 of half the angle
    return 2 * half_chord.clamp(1e-6, 1 - 1e-6).sqrt().asin().square()


def embeddings(scene: Scene, encoder: Encoder, cutouts: Cutouts, of: str = "image") -> Tensor:
    """(n, B, D): the picture seen through each window of this scene's share; encoded once for all terms."""

    def encode() -> Tensor:
        batch = scene.image(of).shape[0]
        return encoder.encode_image(scene.views(cutouts, encoder.size, of)).unflatten(0, (-1, batch))

    return scene.once(("embeddings", id(encoder), cutouts, of), encode)


def embed(encoder: Encoder, text: str, templates: str = "none") -> Tensor:
    """(D,) unit norm: the mean over the sentences of `brief.TEMPLATES[templates]`."""
    mean = encoder.encode_text([template.format(text) for template in TEMPLATES[templates]]).mean(0)
    return mean / mean.norm()


def prompt(encoder: Encoder, target: Target, cutouts: Cutouts, *, stop: float = 0.0, of: str = "image") -> Loss:
    """Pulls every view towards `target`.  Mean over views of `great_circle`; no pull below `stop`."""

    def loss(scene: Scene) -> Tensor:
        distance = great_circle(embeddings(scene, encoder, cutouts, of), _aim(target, scene))
        return torch.where(distance > stop, distance, distance.detach()).mean()

    return loss


def avoid(encoder: Encoder, target: Target, cutouts: Cutouts, *, margin: float = 0.0, of: str = "image") -> Loss:
    """Pushes every view away from `target` until their cosine is `margin`: bounded, so it cannot swamp the rest."""

    def loss(scene: Scene) -> Tensor:
        cosine = (embeddings(scene, encoder, cutouts, of) * _aim(target, scene)).sum(-1)
        return (cosine - margin).clamp(min=0).mean()

    return loss


def _aim(target: Target, scene: Scene) -> Tensor:
    return target(scene) if callable(target) else target


def seen_alike(encoder: Encoder, image: Tensor, cutouts: Cutouts) -> Target:
    """`image`, (1, 3, H, W), as a target: through the very windows that show the picture (as in pixray)."""

    def target(scene: Scene) -> Tensor:
        @torch.no_grad()
        def encode() -> Tensor:
            views = scene.crop(cutouts, encoder.size)(image.to(scene.image()))
            return encoder.encode_image(views)[:, None]  # (n, 1, D)

        return scene.once(("embeddings of", id(image), id(encoder), cutouts), encode)

    return target


def prompt_terms(
    prompts: Sequence[Prompt],
    judges: Sequence[Judge],
    cutouts: Cutouts,
    *,
    templates: str = "none",
    margin: float = 0.0,
) -> list[Term]:
    """One term for each prompt and judge, named after both; the weights' absolute values add up to 1 at all times.

    So two prompts pull no harder on a picture than one, and the other terms keep their share.  Those of a story are
    faded in and out (`schedules.chapter`).
    """
    terms = []
    for wanted, share in zip(prompts, _shares(prompts), strict=True):
        for judge, part in zip(judges, shares(judges), strict=True):
            name = wanted.name if len(judges) == 1 else f"{wanted.name} ({judge.encoder.name})"
            target = _target(wanted, judge.encoder, cutouts, templates)
            if wanted.weight < 0:
                loss = avoid(judge.encoder, target, cutouts, margin=_margin(wanted, margin))
            else:
                loss = prompt(judge.encoder, target, cutouts, stop=wanted.stop)
            terms.append(Term(name, loss, share).times(part))
    return terms


def _shares(prompts: Sequence[Prompt]) -> list[float | Schedule]:
    """The part of each in all that is asked for, which is a schedule where some of it belongs to a story."""
    fades = [schedules.chapter(*prompt.chapter) for prompt in prompts]

    def share(number: int, progress: float) -> float:
        now = [abs(prompt.weight) * fade(progress) for prompt, fade in zip(prompts, fades, strict=True)]
        return now[number] / max(sum(now), 1e-6)

    if all(prompt.chapter == (0, 1) for prompt in prompts):
        return [share(number, 0.0) for number in range(len(prompts))]
    return [partial(share, number) for number in range(len(prompts))]


def _margin(wanted: Prompt, margin: float) -> float:
    """The cosine at which the push away from a prompt ends: that of its stop, where it has one."""
    return math.cos(math.sqrt(2 * wanted.stop)) if wanted.stop else margin


def _target(wanted: Prompt, encoder: Encoder, cutouts: Cutouts, templates: str) -> Target:
    if wanted.image is not None:
        return seen_alike(encoder, images.read(wanted.image, longest=LONGEST), cutouts)
    return embed(encoder, wanted.text, templates)
