"""Averaged: any canvas, shown as the moving average of its parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clipguide.core import Canvas, Frame, Tick


class Averaged(nn.Module):
    """Optimises `canvas`; previews, the result among them, show the exponential moving average of its parameters.

    decay: the weight of the past after a step, in [0, 1); 0 shows the parameters themselves.  The average is corrected
    for its start, as Adam's moments are, so that a short run is no average with the first noise.
    """

    def __init__(self, canvas: Canvas, decay: float = 0.95) -> None:
        super().__init__()
        self.canvas, self.decay = canvas, decay
        self.average = nn.ParameterList(nn.Parameter(torch.zeros_like(p), False) for p in canvas.parameters())
        self.register_buffer("weight", torch.zeros((), dtype=torch.float64))

    def param_groups(self) -> list[dict[str, Any]]:
        return self.canvas.param_groups()

    def render(self, tick: Tick) -> Frame:
        if not tick.preview or not self.weight:
            return self.canvas.render(tick)
        names = [name for name, _ in self.canvas.named_parameters()]
        averages = [average / self.weight.to(average) for average in self.average]
        shown = {f"canvas.{name}": average for name, average in zip(names, averages, strict=True)}
        return functional_call(_Render(self.canvas), shown, (tick,))

    def project(self) -> None:
        self.canvas.project()
        self.weight.mul_(self.decay).add_(1 - self.decay)
        for average, parameter in zip(self.average, self.canvas.parameters(), strict=True):
            average.mul_(self.decay).add_(parameter, alpha=1 - self.decay)

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        self.canvas.load(image)


class _Render(nn.Module):
    """A canvas's `render` as a `forward`, which is what functional_call runs."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.canvas = canvas

    def forward(self, tick: Tick) -> Frame:
        return self.canvas.render(tick)
