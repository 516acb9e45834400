"""What keeps a text tower's knowledge of ImageNet's geometry: where any gloss of WordNet points among the classes.

The closed-form start carries a text into Lite0's feature space by a linear map. Kernel regression from the same 800
classes finds the class rows of other glosses better: of 200 classes left out of 800, in four folds, the right one is
among the first five for .879 against .784. It is no part of a small CLIP; its answers are taught to the heads, on
glosses that nobody labelled and on mixtures of class rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretrain import processes
from pretrain.anchor import HELD_CLASSES, Anchor
from pretrain.loss import affinity

GAMMA, PENALTY = 2.0, 0.05  # of the radial kernel and its ridge, chosen on folds of the 800 classes
SCALE = 15.0  # the teacher's inverse temperature; 10 has the least surprise on left-out classes, 20 clearly more
TEXTS = MIXTURES = 512  # in each step


@dataclass(frozen=True)
class Glosses:
    """vectors (M, hidden): of the text tower, a gloss each; aims (M, F): where they point among the class rows, unit
    norm; rows (800, F): of the classes trained on, unit norm; mean (F,): the mean feature of pictures.
    """

    vectors: Tensor
    aims: Tensor
    rows: Tensor
    mean: Tensor

    @classmethod
    def of(cls, anchor: Anchor, vectors: Tensor) -> Glosses:
        """vectors (M, hidden): of glosses to teach on, beside those of the classes themselves."""
        rows = F.normalize(anchor.classifier.weight.detach() - anchor.classifier.weight.detach().mean(0))
        mean, vectors = anchor.mean, vectors.to(rows.device)
        kept = [index for index in range(len(rows)) if index not in HELD_CLASSES]
        known = anchor.texts[kept]
        aim = regress(known.flatten(0, 1), rows[kept].repeat_interleave(known.shape[1], 0), GAMMA, PENALTY)
        every = torch.cat([vectors, known[:, 2]])
        return cls(every, F.normalize(aim(every)), rows[kept], mean)

    @classmethod
    def read(cls, anchor: Anchor, embed: Callable[[Sequence[str]], Tensor]) -> Glosses:
        """Teaches on WordNet's glosses; embed: texts -> vectors (N, hidden), a hundred or more a second."""
        texts = wordnet_glosses()
        if processes.rank() == 0:
            print(f"reading {len(texts)} glosses of WordNet", flush=True)
        return cls.of(anchor, embed(texts))

    def loss(self, head: nn.Module, text_map: nn.Module, scale: Tensor, rng: torch.Generator) -> Tensor:
        """How far the similarities of random glosses with random mixtures of two class rows are from the teacher's."""
        chosen = torch.randint(len(self.vectors), (TEXTS,), generator=rng)
        first, second = torch.randint(len(self.rows), (2, MIXTURES), generator=rng)
        share = torch.rand(MIXTURES, 1, generator=rng).to(self.rows)
        mixtures = F.normalize(share * self.rows[first] + (1 - share) * self.rows[second])
        image = F.normalize(head(self.mean + mixtures * self.mean.norm()))
        text = F.normalize(text_map(self.vectors[chosen]))
        return affinity(image, text, scale, mixtures, self.aims[chosen], SCALE)

    def seen_loss(
        self, image: Tensor, before: Tensor, text_map: nn.Module, scale: Tensor, rng: torch.Generator
    ) -> Tensor:
        """The same for views in place of mixtures of rows: what the old tower and kernel regression say they show.

        image (N, D): of the views, unit norm; before (N, F): the old trunk's features of them, whose mean is taken off:
        drawings lie elsewhere than `mean`.
        """
        chosen = torch.randint(len(self.vectors), (TEXTS,), generator=rng)
        text = F.normalize(text_map(self.vectors[chosen]))
        return affinity(image, text, scale, F.normalize(before - before.mean(0)), self.aims[chosen], SCALE)


def regress(inputs: Tensor, targets: Tensor, gamma: float, penalty: float) -> Callable[[Tensor], Tensor]:
    """Kernel ridge regression with a radial kernel on unit vectors: (N, A), (N, B) -> a map of (M, A) to (M, B)."""
    inputs = F.normalize(inputs)

    def kernel(others: Tensor) -> Tensor:
        return torch.exp(gamma * (2 * F.normalize(others) @ inputs.T - 2))

    eye = torch.eye(len(inputs), dtype=torch.float64)  # on the CPU: not every device has doubles
    weights = torch.linalg.solve(kernel(inputs).cpu().double() + penalty * eye, targets.cpu().double()).to(targets)
    return lambda others: kernel(others) @ weights


def wordnet_glosses() -> Sequence[str]:
    """Names and gloss of the 12 thousand synsets of ImageNet's most frequent classes, without HELD_CLASSES; kinds of
    these, and what they are kinds of, stay.
    """
    from clipguide.ops.vision_import import import_torchvision

    import_torchvision()
    from timm.data import ImageNetInfo

    small, large = ImageNetInfo("imagenet-1k"), ImageNetInfo("imagenet-12k")
    held = {small.index_to_label_name(index) for index in HELD_CLASSES}
    return [
        large.index_to_description(index, detailed=True).replace(": ", ", ", 1)
        for index in range(large.num_classes())
        if large.index_to_label_name(index) not in held
    ]
