"""What keeps ImageNet knowledge while a tower is tuned on other pictures: class rows as pairs, and the old logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.models.fold import fold_norms
from pretrain.loss import contrastive, distil

HELD_CLASSES = range(0, 1000, 5)  # never trained on: their rows measure what is kept


@dataclass(frozen=True)
class Anchor:
    """rows (1000, F): pseudo-features of the classes; texts (1000, T, hidden): their text vectors, T wordings each;
    mean (F,): the mean feature of pictures.
    """

    teacher: nn.Module
    classifier: nn.Linear
    rows: Tensor
    texts: Tensor
    mean: Tensor

    @classmethod
    def of(cls, trunk: nn.Module, classifier: nn.Linear, texts: Tensor, mean: Tensor) -> Anchor:
        """trunk: never tuned; texts (1000, T, hidden); mean (F,): the mean feature of pictures."""
        centred = classifier.weight.detach() - classifier.weight.detach().mean(0)
        # a feature of the length that pictures' features have around their mean, pointing along the class's row
        rows = mean + F.normalize(centred) * mean.norm()
        return cls(trunk.eval().requires_grad_(False), classifier.requires_grad_(False), rows, texts, mean)

    def class_loss(self, head: nn.Module, text_map: nn.Module, scale: Tensor, rng: torch.Generator) -> Tensor:
        """Class rows through the image head against one random wording of each class, over the 800 trained classes."""
        kept = torch.tensor([i for i in range(len(self.rows)) if i not in HELD_CLASSES])
        chosen = torch.randint(self.texts.shape[1], (len(kept),), generator=rng)
        text = F.normalize(text_map(self.texts[kept, chosen]))
        return contrastive(F.normalize(head(self.rows[kept])), text, scale)

    def held_top(self, head: nn.Module, text_map: nn.Module) -> tuple[float, float]:
        """Top-1 and top-5 of the 200 held-out classes: gloss to row, among those 200. Rows, not photographs."""
        held = torch.tensor(list(HELD_CLASSES))
        with torch.no_grad():
            near = F.normalize(text_map(self.texts[held, 2])) @ F.normalize(head(self.rows[held])).T
        rank = (near > near.diagonal()[:, None]).sum(1)
        return (rank < 1).float().mean().item(), (rank < 5).float().mean().item()

    @torch.no_grad()
    def features(self, clean: Tensor) -> Tensor:
        """(N, F), of the old trunk; clean: the unharmed views (N, 3, S, S), normalised."""
        return self.teacher(clean)

    def distil_loss(self, features: Tensor, before: Tensor) -> Tensor:
        """The tuned trunk's class logits against the old trunk's, from the features of both, (N, F)."""
        return distil(self.classifier(features), self.classifier(before))


def imagenet_anchor(
    model: nn.Module, tokenise: Callable[[Sequence[str]], Tensor], preprocess: dict[str, Any]
) -> Anchor:
    """The anchor of a CLIP with a Lite0 tower and a MiniLM text tower, from the untouched ImageNet weights."""
    from pretrain.align import class_texts, mean_feature
    from pretrain.models import embed_texts, lite0

    wordings = class_texts()
    texts = embed_texts(model, tokenise, [text for group in wordings for text in group])
    trunk, classifier = lite0()
    mean = mean_feature(trunk, preprocess)
    fold_norms(trunk)
    device = model.logit_scale.device
    trunk.to(device, memory_format=torch.channels_last)
    texts = texts.view(len(wordings), -1, texts.shape[1])
    return Anchor.of(trunk, classifier.to(device), texts.to(device), mean.to(device))
