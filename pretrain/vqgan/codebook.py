"""A codebook that follows the mean of what it codes (van den Oord et al., arXiv 1711.00937, appendix A.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DECAY = 0.99
DEAD = 0.1  # of the mean use: a code below it starts anew (Dhariwal et al., arXiv 2005.00341)
EVERY = 10  # steps between two looks for dead codes


class MovingCodebook(nn.Module):
    """Moves `codes`, (K, C), in place.  use: (K,) mean number of z a step; total: (K, C) mean sum of them."""

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.codes = codes  # the network's own tensor: no buffer of this module
        self.register_buffer("use", torch.zeros(len(codes)))
        self.register_buffer("total", torch.zeros_like(codes))

    @torch.no_grad()
    def begin(self, z: Tensor, rng: torch.Generator, rounds: int = 8) -> None:
        """Codes from z, (N, C) with N >= K: drawn from them, then a few rounds of k-means."""
        self.codes.copy_(z[torch.randperm(len(z), generator=rng)[: len(self.codes)]])
        for _ in range(rounds):
            numbers = torch.cdist(z, self.codes).argmin(1)
            count = torch.bincount(numbers, minlength=len(self.codes)).to(z)
            sums = torch.zeros_like(self.codes).index_add_(0, numbers, z)
            self.codes.copy_(torch.where(count[:, None] > 0, sums / count.clamp(min=1)[:, None], self.codes))
        self.go_on()

    def go_on(self) -> None:
        """From the codes as they are, each of which counts as used alike."""
        self.use.fill_(1.0)
        self.total.copy_(self.codes)

    @property
    def begun(self) -> bool:
        return bool(self.use.any())

    @torch.no_grad()
    def follow(self, z: Tensor, numbers: Tensor, step: int, rng: torch.Generator) -> None:
        """After a step that coded z (N, C) by `numbers` (N,): moves the codes; some z replace codes of little use."""
        count = torch.bincount(numbers, minlength=len(self.codes)).to(z)
        self.use.lerp_(count, 1 - DECAY)
        self.total.lerp_(torch.zeros_like(self.total).index_add_(0, numbers, z), 1 - DECAY)
        self.codes.copy_(self.total / self.use.clamp(min=1e-5)[:, None])
        if step % EVERY == 0:
            self._restart(z, rng)

    def _restart(self, z: Tensor, rng: torch.Generator) -> None:
        mean = self.use.mean()
        dead = (self.use < DEAD * mean).nonzero()[:, 0][: len(z) // 4]
        fresh = z[torch.randperm(len(z), generator=rng)[: len(dead)]]
        self.codes[dead], self.use[dead], self.total[dead] = fresh, mean, fresh * mean


def perplexity(count: Tensor) -> float:
    """How many codes are in use, as if all were used alike: exp of the entropy of their counts (K,)."""
    share = count / count.sum()
    return (-(share * share.clamp(min=1e-12).log()).sum()).exp().item()
