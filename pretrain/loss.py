"""Losses as pure functions. Features are of unit norm; gathering over processes happens before the call."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive(image: Tensor, text: Tensor, scale: Tensor | float, positive: Tensor | None = None) -> Tensor:
    """CLIP's symmetric cross entropy, a scalar (Radford et al. 2021).

    image (N, D), text (M, D) with M >= N: texts beyond N are further negatives for the images (only a locked text tower
    can supply them fresh). positive (N, M) bool marks every fitting pair, the diagonal by default; where an image has
    several, they share the target equally (as in supervised contrastive learning, Khosla et al. 2020).
    """
    logits = scale * image @ text.T  # (N, M)
    count = len(image)
    if positive is None:
        positive = torch.eye(count, len(text), dtype=torch.bool, device=image.device)
    by_image = _soft_cross_entropy(logits, positive)
    by_text = _soft_cross_entropy(logits[:, :count].T, positive[:, :count].T)
    return (by_image + by_text) / 2


def _soft_cross_entropy(logits: Tensor, positive: Tensor) -> Tensor:
    target = positive.to(logits)
    target = target / target.sum(1, keepdim=True)
    return -(target * logits.log_softmax(1)).sum(1).mean()


def sigmoid(
    image: Tensor, text: Tensor, scale: Tensor | float, bias: Tensor | float, positive: Tensor | None = None
) -> Tensor:
    """Pairwise sigmoid loss, a scalar: each pair is a yes-or-no question (SigLIP, Zhai et al. 2023)."""
    logits = scale * image @ text.T + bias
    if positive is None:
        positive = torch.eye(*logits.shape, dtype=torch.bool, device=image.device)
    return -F.logsigmoid(torch.where(positive, logits, -logits)).sum() / len(image)


def distil(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """Kullback-Leibler divergence of softened class logits (N, K), times temperature squared (Hinton et al. 2015)."""
    target = (teacher / temperature).log_softmax(1)
    return (
        F.kl_div((student / temperature).log_softmax(1), target, reduction="batchmean", log_target=True)
        * temperature**2
    )
