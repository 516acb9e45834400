"""Encoders: CLIPs that judge.  Each network's normalisation lives here and nowhere else."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.brief import split_since
from clipguide.errors import Notice, UserError
from clipguide.models.clip import OpenedClip
from clipguide.models.fold import fold_norms
from clipguide.models.perceptual import Features, clip_features
from clipguide.models.plain_vit import plain_tower
from clipguide.models.same_padding import pad_inside
from clipguide.schedules import Schedule

Tower = Callable[[Tensor], Tensor]  # (N, 3, size, size), normalised -> (N, D)


class ClipEncoder:
    """A frozen CLIP on one device.  A `core.Encoder`.

    name: what it is called in messages and scores.  size: the side of its views in px.
    """

    def __init__(self, opened: OpenedClip, name: str, device: torch.device | str = "cpu") -> None:
        self.name, self.size, self.device = name, opened.size, torch.device(device)
        self._opened = opened
        self.model = opened.model.eval().requires_grad_(False)
        fold_norms(self.model.visual)
        pad_inside(self.model.visual)
        self.model.requires_grad_(False).to(self.device, memory_format=torch.channels_last)
        self._tower = plain_tower(self.model)
        self._mean = torch.tensor(opened.mean, device=self.device)[:, None, None]
        self._std = torch.tensor(opened.std, device=self.device)[:, None, None]

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """-> (N, D), unit norm.  A text longer than the context is cut, with a `Notice` that says so."""
        longest = max(texts, key=self._opened.token_count)
        count, most = self._opened.token_count(longest), self._opened.context_length
        if count > most:
            message = f"{self.name} reads {most} tokens; '{longest[:40]}...' has {count}, so its end is not read"
            warnings.warn(message, Notice, stacklevel=2)
        tokens = self._opened.tokenise(list(texts)).to(self.device)
        return F.normalize(self.model.encode_text(tokens), dim=-1)

    def through(self, wrap: Callable[[Tower], Tower]) -> ClipEncoder:
        """The same encoder, which looks at pictures by way of `wrap` of its image tower."""
        other = copy.copy(self)
        other._tower = wrap(self._tower)
        return other

    def perceptual(self) -> Features:
        """The layers of the image tower, for pictures of any size where the tower takes them."""
        return clip_features(self.model.visual, self._mean, self._std, self.size)

    def encode_image(self, views: Tensor) -> Tensor:
        """views: (N, 3, size, size), sRGB in [0, 1] -> (N, D), unit norm.  Differentiable."""
        return F.normalize(self._tower(self._normalise(views)), dim=-1)

    def _normalise(self, views: Tensor) -> Tensor:
        """Before the channels come last: a plane of one colour takes one number much faster than mixed colours do."""
        normal = (views.to(self.device) - self._mean) / self._std
        return normal.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class Judge:
    """An encoder with its weight in the verdict, which counts in a run from the progress `since` on.

    What is judged outside of the run's steps, such as which start to take, all judge.
    """

    encoder: ClipEncoder
    weight: float = 1.0
    since: float = 0.0


def read_judges(names: str) -> list[tuple[str, float, float]]:
    """'clip-mini,ViT-B-32/openai:0.5@0.6' -> [(name, weight, since)]; see `Judge`.

    UserError for a weight that is not above 0, and where nobody judges from the start.
    """
    judges = []
    for part in names.split(","):
        name, weight, since = split_since(part)
        if weight <= 0:
            raise UserError(f"--clip {part.strip()}: a CLIP's weight must be above 0")
        judges.append((name, weight, since))
    if all(since for _, _, since in judges):
        raise UserError(f"--clip {names}: one CLIP at least must judge from the start; leave its @ out")
    return judges


def rename_judges(names: str, rename: Callable[[str], str]) -> str:
    """The same setting with other names; where these would be read otherwise (a comma in a path), it stays as it is."""
    old = read_judges(names)
    judges = [(rename(name), weight, since) for name, weight, since in old]
    rests = [part.strip()[len(name) :] for part, (name, _, _) in zip(names.split(","), old, strict=True)]
    told = ",".join(name + rest for (name, _, _), rest in zip(judges, rests, strict=True))
    try:
        return told if read_judges(told) == judges else names
    except UserError:
        return names


def first(judges: Sequence[Judge]) -> ClipEncoder:
    """The encoder that looks where one has to, as for what is salient in a photo: the first that need not wait."""
    return next(judge.encoder for judge in judges if not judge.since)


def shares(judges: Sequence[Judge]) -> list[float | Schedule]:
    """The part of each judge in the verdict; at all times they add up to 1.  Schedules where a judge comes later."""

    def share(number: int, progress: float) -> float:
        now = [judge.weight * (progress >= judge.since) for judge in judges]
        return now[number] / sum(now)

    if any(judge.since for judge in judges):
        return [partial(share, number) for number in range(len(judges))]
    return [share(number, 0.0) for number in range(len(judges))]
