"""VQGAN: the codes are optimised that a frozen VQGAN draws."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.core import Frame, Tick
from clipguide.models.vqgan import VQGAN


class Latent(nn.Module):
    """`batch` pictures of (width, height) px as latents z, one vector for each code of the VQGAN's grid.

    Every place is drawn as the code that is nearest to its vector, and the gradient passes straight through to the
    vector, as in VQGAN+CLIP (Crowson et al., 2022); after a step z is put back into the range of the codebook, channel
    by channel.  Starts as random codes.  extras: "latent" and "start", the z of now and of the beginning, (B, C, h, w).
    lr: in standard deviations of the codebook, so that one rate suits every VQGAN; the public scripts take z's own
    unit.  shrink: the picture is drawn so many times smaller and enlarged.  Where the size is no multiple of the
    grid's, the last row or column of codes is cut off.
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
        self.lr = lr * float(codes.std())
        columns, rows = (-(-side // self.factor) for side in self.drawn)
        picks = torch.randint(len(codes), (batch, rows, columns), generator=rng)
        self.z = nn.Parameter(codes[picks].movedim(-1, 1).contiguous())  # (B, C, h, w)
        self.register_buffer("start", self.z.detach().clone())
        self.register_buffer("low", codes.amin(0)[:, None, None], persistent=False)
        self.register_buffer("high", codes.amax(0)[:, None, None], persistent=False)

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.z], "lr": self.lr}]

    def render(self, tick: Tick) -> Frame:
        width, height = self.drawn
        image = self.decode(self.quantise(self.z))[..., :height, :width]
        if self.drawn != self.size:
            image = F.interpolate(image, self.size[::-1], mode="bilinear", align_corners=False)
        return Frame(image, extras={"latent": self.z, "start": self.start})

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        width, height = self.drawn
        if self.drawn != self.size:
            image = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
        rest = (0, -width % self.factor, 0, -height % self.factor)
        self.restart(self.encode(F.pad(image, rest, mode="replicate").to(self.z)))

    @torch.no_grad()
    def restart(self, z: Tensor) -> None:
        """Begins at z, (1 or B, C, h, w), from which "start" is measured then."""
        self.z.copy_(z.expand_as(self.z))
        self.start.copy_(self.z)

    def project(self) -> None:
        self.z.clamp_(self.low, self.high)
