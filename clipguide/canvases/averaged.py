"""Averaged: any canvas, shown as the moving average of its parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from clipguide.core import Canvas, Exportable, Frame, Loadable, Tick


class Averaged(nn.Module):
    """Optimises `canvas`; previews, the result among them, show the exponential moving average of its parameters.

    decay: the weight of the past after a step, in [0, 1); 0 shows the parameters themselves.  The average is corrected
    for its start, as Adam's moments are, so that a short run is no average with the first noise.
    It is Loadable and Exportable where the canvas is; what it exports is the average, as in the picture.
    """

    def __init__(self, canvas: Canvas, decay: float = 0.95) -> None:
        super().__init__()
        self.canvas, self.decay = canvas, decay
        wanted = {id(parameter) for group in canvas.param_groups() for parameter in group["params"]}
        self.names = [name for name, parameter in canvas.named_parameters() if id(parameter) in wanted]
        self.average = nn.ParameterList(nn.Parameter(torch.zeros_like(p), False) for p in self._optimised())
        self.register_buffer("weight", torch.zeros(()))
        if isinstance(canvas, Loadable):
            self.load = canvas.load
        if isinstance(canvas, Exportable):
            self.export = lambda: self._averaged("export")

    def _optimised(self) -> list[nn.Parameter]:
        return [self.canvas.get_parameter(name) for name in self.names]

    def param_groups(self) -> list[dict[str, Any]]:
        return self.canvas.param_groups()

    def render(self, tick: Tick) -> Frame:
        return self._averaged("render", tick) if tick.preview else self.canvas.render(tick)

    def project(self) -> None:
        self.canvas.project()
        self.weight.mul_(self.decay).add_(1 - self.decay)
        for average, parameter in zip(self.average, self._optimised(), strict=True):
            average.mul_(self.decay).add_(parameter, alpha=1 - self.decay)

    def _averaged(self, method: str, *arguments: Any) -> Any:
        """What the canvas does with the average in the place of its parameters."""
        if not self.weight:
            return getattr(self.canvas, method)(*arguments)
        averages = [average / self.weight.to(average) for average in self.average]
        shown = {f"canvas.{name}": average for name, average in zip(self.names, averages, strict=True)}
        return functional_call(_Call(self.canvas), shown, (method, *arguments))


class _Call(nn.Module):
    """A canvas's methods by way of `forward`, which is what functional_call runs."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.canvas = canvas

    def forward(self, method: str, *arguments: Any) -> Any:
        return getattr(self.canvas, method)(*arguments)
