"""What a gradient finds late, in closed form: the directions of z, distances between z, the decoder's last layer.

Left alone, an encoder uses few directions of z: measured, 4 of 8 after 3,900 steps, so that hues had no place.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.models.vqgan import VQGAN

CELL = 8  # px, side of the squares whose mean colours are compared


def means(images: Tensor) -> Tensor:
    """(B, 3, H, W) -> the mean colours of squares, (B, 3, H / CELL, W / CELL)."""
    return F.avg_pool2d(images, CELL)


def covariance(z: Tensor) -> Tensor:
    """(B, C, h, w) -> (C, C)."""
    return torch.cov(z.movedim(1, 0).flatten(1))


def spread(z: Tensor) -> Tensor:
    """How far z, (B, C, h, w), is from unit variance without correlation, as in VICReg (Bardes et al., 2105.04906)."""
    matrix = covariance(z)
    return (matrix - torch.eye(len(matrix)).to(z)).square().mean()


@torch.no_grad()
def fold(vqgan: VQGAN, matrix: Tensor) -> None:
    """Makes `matrix`, (C, C), times z the new z, without changing any picture that is not quantised."""
    into, out_of = vqgan.network.quant_conv, vqgan.network.post_quant_conv
    into.weight.copy_(torch.einsum("ij,jkhw->ikhw", matrix, into.weight))
    into.bias.copy_(matrix @ into.bias)
    out_of.weight.copy_(torch.einsum("ijhw,jk->ikhw", out_of.weight, torch.linalg.inv(matrix)))


def metric(vqgan: VQGAN, images: Tensor, colour: float, rng: torch.Generator, draws: int = 4) -> Tensor:
    """(C, C): with it times z, a squared distance is about the squared error of the picture that the decoder draws.

    The square root of the mean of J'J, J the decoder's derivative, found by random projections.  colour: the weight of
    mean colours in that error.  Scaled so that z has unit variance in the mean.
    """
    z = vqgan.encode(images).detach().requires_grad_()
    drawn = vqgan.draw(z)
    small, found = means(drawn), z.new_zeros(z.shape[1], z.shape[1])
    for _ in range(draws):
        noise, noise_small = (torch.randn(x.shape, generator=rng) for x in (drawn, small))
        projected = (drawn * noise).sum() + colour**0.5 * CELL * (small * noise_small).sum()
        (slope,) = torch.autograd.grad(projected, z, retain_graph=True)
        slope = slope.movedim(1, -1).flatten(0, 2)
        found += slope.T @ slope / len(slope) / draws
    values, directions = torch.linalg.eigh(found)
    root = directions @ values.clamp(min=1e-3 * values.max()).sqrt().diag() @ directions.T
    return root / (root @ covariance(z.detach()) @ root.T).trace().div(len(root)).sqrt()


@torch.no_grad()
def refit(vqgan: VQGAN, batches: Sequence[Tensor], *, coded: bool, share: float = 1.0, ridge: float = 1e-4) -> None:
    """The decoder's last convolution by least squares, so that pictures of `batches`, (B, 3, H, W) each, come back.

    coded: from their codes, else from z itself.  share: how much of the way the weights go.
    Measured after 4,600 steps without quantisation: the squared error falls by a quarter.
    """
    last, seen = vqgan.network.decoder.conv_out, {}
    hook = last.register_forward_pre_hook(lambda _, given: seen.update(x=given[0]))
    inner, outer = last.weight[0].numel(), last.out_channels
    square, product = torch.zeros(inner + 1, inner + 1), torch.zeros(inner + 1, outer)
    for images in batches:
        z = vqgan.encode(images)
        error = 2 * (images - vqgan.draw(vqgan.quantise(z) if coded else z))
        patches = F.unfold(seen["x"], last.kernel_size, padding=last.padding).movedim(1, -1).flatten(0, 1)
        patches = torch.cat([patches, torch.ones(len(patches), 1)], 1)
        square += patches.T @ patches
        product += patches.T @ F.pixel_unshuffle(error, vqgan.patch).movedim(1, -1).flatten(0, 2)
    hook.remove()
    change = torch.linalg.solve(square + ridge * square.diag().mean() * torch.eye(inner + 1), share * product)
    last.weight += change[:-1].T.reshape(last.weight.shape)
    last.bias += change[-1]
