"""What makes an encoder's gradient draw: training on pictures that were changed against it, and on noise and blur.

The gradient of an ordinary encoder with respect to the picture is speckle. After adversarial fine-tuning it shows
shapes, and pictures made by following it can be named (CLIPAG, Ganz and Elad 2024, arXiv 2306.16805).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def attack(
    images: Tensor, loss: Callable[[Tensor], Tensor], *, radius: float, steps: int, rng: torch.Generator
) -> Tensor:
    """Pictures within `radius` of the given ones that raise the loss: projected gradient steps from a random start.

    images: (N, 3, S, S) in [0, 1]; radius: L2 over all values of one picture; loss: pictures -> scalar, summed or
    averaged over pictures that do not influence each other. Returns detached (N, 3, S, S) in [0, 1].
    """
    moved = images + _to_length(torch.randn(images.shape, generator=rng).to(images), radius * 0.5)
    for _ in range(steps):
        moved = moved.detach().clamp(0, 1).requires_grad_()
        (slope,) = torch.autograd.grad(loss(moved), moved)
        moved = moved.detach() + _to_length(slope, radius * (1.25 if steps == 1 else 2.0 / steps))
        moved = images + _within(moved - images, radius)
    return moved.detach().clamp(0, 1)


def _norm(delta: Tensor) -> Tensor:
    return delta.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None, None]


def _to_length(delta: Tensor, length: float) -> Tensor:
    return delta * (length / _norm(delta))


def _within(delta: Tensor, radius: float) -> Tensor:
    return delta * (radius / _norm(delta)).clamp(max=1)


def roughen(images: Tensor, rng: torch.Generator, *, noise: float, blur: float) -> Tensor:
    """Normal noise of a deviation up to `noise` on each picture; a `blur` share of them at a lower resolution."""
    count, size = len(images), images.shape[-1]
    sigma = torch.rand(count, 1, 1, 1, generator=rng).square() * noise
    images = images + torch.randn(images.shape, generator=rng).to(images) * sigma.to(images)
    chosen = torch.rand(count, generator=rng) < blur
    if chosen.any():
        small = int(size * (0.35 + 0.5 * torch.rand((), generator=rng).item()))
        shrunk = F.interpolate(images[chosen], (small, small), mode="bilinear", antialias=True)
        images = images.index_put((chosen.nonzero()[:, 0],), F.interpolate(shrunk, (size, size), mode="bilinear"))
    return images.clamp(0, 1)
