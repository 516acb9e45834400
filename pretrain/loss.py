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
    return _divergence(student / temperature, teacher / temperature) * temperature**2


def affinity(
    image: Tensor, text: Tensor, scale: Tensor | float, old_image: Tensor, old_text: Tensor, old_scale: Tensor | float
) -> Tensor:
    """How far the similarities of pairs are from a teacher's, a scalar: zero where they are the same.

    image, text (N, D) and the teacher's (N, E), each pair with the scale of its CLIP. The mean over both directions of
    the Kullback-Leibler divergence of the distributions that the contrastive loss makes of similarities (affinity
    mimicking of TinyCLIP, Wu et al. 2023, arXiv 2309.12314, there as cross entropy: the same gradient). Only
    similarities are compared, so D and E may differ.
    """
    student, teacher = scale * image @ text.T, old_scale * old_image @ old_text.T
    return (_divergence(student, teacher) + _divergence(student.T, teacher.T)) / 2


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)
