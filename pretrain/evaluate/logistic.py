"""Logistic regression by L-BFGS in plain torch, on any device, and the search for its regularisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

COARSE = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)  # decades of the penalty where the search begins


@dataclass(frozen=True)
class Classifier:
    """weight (C, F), bias (C,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, C) scores."""
        return features @ self.weight.T + self.bias

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        return (self(features).argmax(1) == labels).float().mean().item()


def fit(
    features: Tensor,
    labels: Tensor,
    classes: int,
    penalty: float,
    *,
    steps: int = 1000,
    start: Classifier | None = None,
) -> Classifier:
    """Minimises the summed cross entropy plus penalty / 2 times the squared norm of the weights; the bias is free.

    That is scikit-learn's LogisticRegression with C = 1 / penalty. features (N, F) float; labels (N,) int64.
    """
    weight = torch.zeros(classes, features.shape[1], device=features.device) if start is None else start.weight.clone()
    bias = torch.zeros(classes, device=features.device) if start is None else start.bias.clone()
    parameters = [weight.requires_grad_(), bias.requires_grad_()]
    search = torch.optim.LBFGS(
        parameters, max_iter=steps, tolerance_grad=1e-6, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        loss = F.cross_entropy(F.linear(features, weight, bias), labels)
        loss = loss + penalty / (2 * len(labels)) * weight.square().sum()
        loss.backward()
        return loss

    search.step(closure)
    return Classifier(weight.detach(), bias.detach())


def search(
    score: Callable[[float], float], coarse: Sequence[float] = COARSE, finest: float = 0.125
) -> dict[float, float]:
    """Decades (log10 of a penalty) that were tried for a score to maximise: coarse first, then halved around the best.

    The search of Radford et al. 2021, appendix A.3, whose finest step is an eighth of a decade.  -> decade: score.
    """
    found = {decade: score(decade) for decade in coarse}
    step = coarse[1] - coarse[0] if len(coarse) > 1 else 0.0
    while step > finest * 1.001:
        step /= 2
        middle = best(found)
        for decade in (middle - step, middle + step):
            if decade not in found and min(coarse) <= decade <= max(coarse):
                found[decade] = score(decade)
    return found


def best(found: dict[float, float]) -> float:
    """The decade of the highest score, of equal ones the nearest to 0."""
    return max(found, key=lambda decade: (found[decade], -abs(decade)))


def fit_chosen(
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    classes: int,
    *,
    coarse: Sequence[float] = COARSE,
    finest: float = 0.125,
    steps: int = 1000,
) -> tuple[Classifier, dict[float, float]]:
    """(The classifier fitted on both parts with the best penalty, accuracy on validation by decade of the penalty)."""

    def score(decade: float) -> float:
        return fit(*train, classes, 10**decade, steps=min(steps, 100)).accuracy(*validation)

    found = search(score, coarse, finest)
    both = torch.cat([train[0], validation[0]]), torch.cat([train[1], validation[1]])
    return fit(*both, classes, 10 ** best(found), steps=steps), found
