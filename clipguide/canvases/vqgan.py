"""VQGAN: the codes are optimised that a frozen VQGAN draws."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.core import Frame, Tick
from clipguide.models.vqgan import VQGAN
from clipguide.ops.straight_through import straight_through


class Latent(nn.Module):
    """`batch` pictures of (width, height) px as latents z, one vector for each code of the VQGAN's grid.

    Every place is drawn as the code that is nearest to its vector, and the gradient passes straight through to the
    vector, as in VQGAN+CLIP (Crowson et al., 2022); after a step z is put back into the range of the codebook, channel
    by channel.  Starts as random codes.  extras: "latent" and "start", the z of now and of the beginning, (B, C, h, w).
    Each channel is stored in standard deviations of the codebook, so that one rate, `lr`, suits every channel of every
    VQGAN; the public scripts take z's own unit.  shrink: the picture is drawn so many times smaller and enlarged.
    Where the size is no multiple of the grid's, the last row or column of codes is cut off.
    """

    def __init__(
        self, vqgan: VQGAN, size: tuple[int, int], *, rng: torch.Generator, lr: float = 0.1, batch: int = 1,
        shrink: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        # bound methods: the frozen network is no part of what a run saves
        self.encode, self.quantise, self.decode = vqgan.encode, vqgan.quantise, vqgan.decode
        self.size, self.factor = size, vqgan.factor
        self.drawn = tuple(-(-side // shrink) for side in size)  # (width, height) in px
        codes = vqgan.codebook.detach().float().cpu()  # (K, C)
        self.lr = lr
        unit = codes.std(0).clamp(min=1e-3 * float(codes.std()))[:, None, None]
        columns, rows = (-(-side // self.factor) for side in self.drawn)
        picks = torch.randint(len(codes), (batch, rows, columns), generator=rng)
        self.register_buffer("start", codes[picks].movedim(-1, 1).contiguous())  # (B, C, h, w)
        self.z = nn.Parameter(self.start / unit)
        self.register_buffer("unit", unit, persistent=False)
        self.register_buffer("low", codes.amin(0)[:, None, None] / unit, persistent=False)
        self.register_buffer("high", codes.amax(0)[:, None, None] / unit, persistent=False)

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.z], "lr": self.lr}]

    def codes(self, tick: Tick) -> tuple[Tensor, Tensor]:
        """z, and what is drawn of it: (B, C, h, w) each."""
        z = self.z * self.unit
        return z, self.quantise(z)

    def render(self, tick: Tick) -> Frame:
        width, height = self.drawn
        z, codes = self.codes(tick)
        image = self.decode(codes)[..., :height, :width]
        if self.drawn != self.size:
            image = F.interpolate(image, self.size[::-1], mode="bilinear", align_corners=False)
        return Frame(image, extras={"latent": z, "start": self.start})

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        width, height = self.drawn
        if self.drawn != self.size:
            image = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
        rest = (0, -width % self.factor, 0, -height % self.factor)
        self.restart(self.encode(F.pad(image, rest, mode="replicate").to(self.start)))

    @torch.no_grad()
    def restart(self, z: Tensor) -> None:
        """Begins at z, (1 or B, C, h, w)."""
        self.start.copy_(z.expand_as(self.start))
        self.z.copy_(self.start / self.unit)

    @torch.no_grad()
    def take(self, other: Latent, where: Tensor) -> None:
        """Takes those pictures of `other`, one like this, for which `where` (B,) is true."""
        others = other.state_dict()
        for name, mine in self.state_dict().items():
            mine.copy_(torch.where(where[:, None, None, None], others[name], mine))

    def project(self) -> None:
        self.z.clamp_(self.low, self.high)


class Choice(Latent):
    """The same grid, where every place is a choice among all codes: what is optimised are the codes' logits.

    At each step a code is drawn by its probability, and the gradient goes to the mean of the codes under it, as in
    Crowson's notebook for codebook sampling; a preview takes the likeliest.  Unlike there it does not
    begin as noise: the code of the start is likelier than all others together, by `SURE` to 1.  lr: of the logits.
    """

    SURE = 9.0  # against it all others together are 1

    def __init__(
        self, vqgan: VQGAN, size: tuple[int, int], *, rng: torch.Generator, lr: float = 0.1, batch: int = 1,
        shrink: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(vqgan, size, rng=rng, lr=lr, batch=batch, shrink=shrink)
        self.nearest, self.lr = vqgan.nearest, lr
        self.register_buffer("book", vqgan.codebook.detach().float().cpu(), persistent=False)  # (K, C)
        del self.z
        self.logits = nn.Parameter(torch.zeros(batch, len(self.book), *self.start.shape[2:]))  # (B, K, h, w)
        self.restart(self.start)

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.logits], "lr": self.lr}]

    def codes(self, tick: Tick) -> tuple[Tensor, Tensor]:
        mean = torch.einsum("bkhw,kc->bchw", self.logits.softmax(1), self.book)
        scores = self.logits.detach()
        if not tick.preview:
            dice = torch.rand(scores.shape, generator=tick.rng).clamp(1e-9, 1 - 1e-7)
            scores = scores - (-dice.log()).log().to(scores)  # Gumbel's trick: the largest is drawn by its probability
        return mean, straight_through(F.embedding(scores.argmax(1), self.book).movedim(-1, 1), mean)

    @torch.no_grad()
    def restart(self, z: Tensor) -> None:
        numbers = self.nearest(z.to(self.book))[:, None].expand(len(self.logits), -1, -1, -1)
        self.logits.zero_().scatter_(1, numbers, math.log(self.SURE * len(self.book)))
        self.start.copy_(F.embedding(numbers[:, 0], self.book).movedim(-1, 1))

    def project(self) -> None:
        """Every choice is legal."""
