"""Principal components of the pictures that a feed-forward network learns from."""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor

from clipguide.errors import UserError

SPARE = 32  # further directions that the search for the components looks into (Halko, Martinsson and Tropp, 2011)


def premultiplied(pictures: NDArray) -> Tensor:
    """uint8 RGBA (N, 4, S, S) -> (N, 4, S, S) in [0, 1]: colours times alpha, and alpha, which can be added up."""
    found = torch.from_numpy(pictures).float() / 255
    found[:, :3] *= found[:, 3:]
    return found


def principal(pictures: NDArray, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """uint8 RGBA (N, 4, S, S) -> mean (P,) and components (count, P), orthogonal.

    The components all have one length, such that the squares of a picture's weights add up to 1 in the mean.  UserError
    where there are no more pictures than components.
    """
    if len(pictures) <= count:
        raise UserError(f"{len(pictures)} pictures have no {count} components; give more, or fewer --components")
    x = premultiplied(pictures).flatten(1)
    mean = x.mean(0)
    x -= mean
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        spare = min(SPARE, len(x) - count, x.shape[1] - count)
        directions = torch.svd_lowrank(x, count + spare, niter=2)[2][:, :count]
    length = (x @ directions).square().sum(1).mean().sqrt()
    return mean, directions.T * length


def weights_of(pictures: NDArray, mean: Tensor, components: Tensor) -> Tensor:
    """The weights (N, count) with which the components of `principal` come nearest to each picture."""
    aside = premultiplied(pictures).flatten(1) - mean
    return aside @ components.T / components.square().sum(1)
