"""Fourier: the picture's spectrum is optimised, its colours decorrelated."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.core import Frame, Tick
from clipguide.ops.colour import correlate, decorrelate

MARGIN = 1 / 16  # of the longer side: more than half a wave of the first ones, of coarse to fine


class Fourier(nn.Module):
    """`batch` pictures of (width, height) px as spectra.

    Each coefficient is stored divided by 1 / frequency^decay, so that one learning rate moves coarse and fine alike
    strongly as natural pictures do; with decorrelated colours and a sigmoid at the end, as in Lucid (Olah et al.,
    2017) and aphantasia.  contrast: standard deviation of the start, before the sigmoid and a gain of 4.
    detail: (start, until) for coarse to fine: at first only frequencies below `start` times the highest are drawn, and
    from progress `until` on all of them; a preview shows what the last step drew.
    margin: a spectrum's picture repeats, so what is at its top also shows at its bottom; with a margin the spectrum is
    that of a larger picture, by this share of the longer side all around, whose middle is seen.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        rng: torch.Generator,
        lr: float = 0.05,
        batch: int = 1,
        decay: float = 1.0,
        contrast: float = 0.3,
        detail: tuple[float, float] = (1.0, 0.0),
        margin: float = 0.0,
    ) -> None:
        super().__init__()
        self.lr, self.detail = lr, detail
        self.margin = min(round(margin * max(size)), min(size) - 1)
        width, height = self.sheet = size[0] + 2 * self.margin, size[1] + 2 * self.margin
        rows = torch.fft.fftfreq(height)[:, None]
        columns = torch.fft.rfftfreq(width)[None]
        frequency = torch.sqrt(rows.square() + columns.square())  # cycles per px, (H, W // 2 + 1)
        longest = 1 / max(self.sheet)
        self.register_buffer("frequency", frequency, persistent=False)
        scale = frequency.clamp(min=longest).pow(-decay)
        self.register_buffer("scale", scale / _deviation(scale, self.sheet), persistent=False)
        noise = torch.randn(batch, 3, height, width // 2 + 1, 2, generator=rng)
        self.spectrum = nn.Parameter(contrast * noise)
        self.register_buffer("reached", torch.zeros(()))  # progress of the last step

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.spectrum], "lr": self.lr}]

    def render(self, tick: Tick) -> Frame:
        if not tick.preview:
            self.reached.fill_(tick.progress)
        return Frame(torch.sigmoid(4 * correlate(self._waves(float(self.reached)))))

    def _waves(self, progress: float) -> Tensor:
        """(B, 3, H, W) decorrelated channels about 0, of standard deviation 1 for a spectrum of normal numbers."""
        (width, height), margin = self.sheet, self.margin
        spectrum = torch.view_as_complex(self.spectrum) * (self.scale * self._mask(progress))
        waves = torch.fft.irfft2(spectrum, s=(height, width), norm="ortho") / 2**0.5
        return waves[..., margin : height - margin, margin : width - margin]

    def _mask(self, progress: float) -> Tensor:
        """Lets the coarse waves through first: a soft low-pass whose edge runs to the finest by `detail[1]`."""
        start, until = self.detail
        if until <= 0 or progress >= until:
            return torch.ones_like(self.frequency)
        edge = 0.5 * start ** (1 - progress / until)
        return torch.sigmoid((edge - self.frequency) / (0.15 * edge))

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        waves = decorrelate(torch.logit(image.clamp(0.02, 0.98)) / 4)
        waves = F.pad(waves, [self.margin] * 4, mode="reflect")
        spectrum = torch.fft.rfft2(waves * 2**0.5, norm="ortho") / self.scale
        self.spectrum.copy_(torch.view_as_real(spectrum).expand_as(self.spectrum))

    def project(self) -> None:
        """Every spectrum is legal."""


def _deviation(scale: Tensor, size: tuple[int, int]) -> Tensor:
    """Standard deviation of the picture whose half spectrum is `scale` times complex normal numbers."""
    width, height = size
    weight = torch.full_like(scale[0], 2.0)  # a column stands for its mirror image too ...
    weight[0] = 0.5  # ... but for the first, and of an even width the last: there only the real part is seen
    if width % 2 == 0:
        weight[-1] = 0.5
    return (scale.square() * weight).sum().div(width * height).sqrt()
