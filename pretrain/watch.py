"""How well a run does so far on pairs that it does not train on."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.errors import UserError
from pretrain.evaluate.retrieval import recall
from pretrain.feed import Sample, decode, samples
from pretrain.pairs import fitting
from pretrain.state import Inputs, TrainState

MOST = 512  # pairs: enough to see a trend, at a few seconds


@dataclass(frozen=True)
class Watch:
    """A fixed set of held-out pairs.  images: uint8 (N, 3, H, W); texts: one caption each."""

    images: Tensor
    texts: Sequence[str]
    concepts: Sequence[str]

    @classmethod
    def read(cls, folder: Path, side: int = 128) -> Watch:
        """Up to MOST pairs of a folder of shards, the same ones every time, `side` px.  UserError without any."""
        shards, dice = sorted(folder.glob("*.tar")), random.Random(0)
        if not shards:
            raise UserError(f"{folder} holds no .tar shards; give the validation folder that data build wrote")
        decoded = (decode(sample, side, dice, Counter()) for sample in spread(shards, MOST))
        pairs = [pair for pair in decoded if pair is not None]
        if not pairs:
            raise UserError(f"{folder} holds no pair that can be read; build the shards again")
        images, texts, concepts = zip(*pairs, strict=True)
        return cls(torch.stack(images), texts, concepts)

    @torch.no_grad()
    def recall(self, state: TrainState, inputs: Inputs, size: int) -> float:
        """R@1 of picture to caption, by the weights of this step.

        How it misleads: it chooses among these few captions alone, and they come from the same sources and composing
        as the training pairs, but for a style that is kept for choosing, where the build has one.  Good for watching
        one run, not for comparing data sets.
        """
        model, device = state.model, state.model.logit_scale.device
        training = model.training
        model.eval()
        small = F.interpolate(self.images.float() / 255, (size, size), mode="bilinear", antialias=True)
        image = torch.cat([model.encode_image(inputs.normalise(part.to(device))) for part in small.split(64)])
        text = torch.cat([self._text(model, inputs, part) for part in _parts(self.texts, 64)])
        model.train(training)
        fits = fitting(self.concepts, self.concepts).to(device)
        return recall(F.normalize(image.float()), F.normalize(text.float()), fits, (1,))[1]

    def _text(self, model: torch.nn.Module, inputs: Inputs, texts: Sequence[str]) -> Tensor:
        device = model.logit_scale.device
        if inputs.cache is not None:
            return model.text.proj(inputs.cache(texts).to(device))
        return model.encode_text(inputs.tokenise(texts).to(device))


def spread(shards: Iterable[Path], count: int) -> list[Sample]:
    """That many samples, undecoded, from all over the shards and so of all their tasks: those of the lowest hashes."""

    def place(sample: Sample) -> bytes:
        return hashlib.sha256(f"{sample['__url__']}/{sample['__key__']}".encode()).digest()

    return nsmallest(count, samples(shards, Counter()), key=place)


def _parts(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
