"""The suites' plots, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of its own, without pyplot's state; inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def few_shot(zero: float, rows: Sequence[Sequence[float]]) -> bytes:
    """rows: (k, mean, lowest, highest). Pictures a class on a logarithmic axis; zero-shot is the dashed line."""
    figure, plot = axes(6, 4)
    shots, mean, low, high = zip(*rows, strict=True)
    plot.plot(shots, mean, marker="o", label="linear probe")
    plot.fill_between(shots, low, high, alpha=0.2)
    plot.axhline(zero, linestyle="--", color="tab:red", label="zero-shot")
    plot.set_xscale("log", base=2)
    plot.set_xticks(shots, [str(k) for k in shots])
    plot.set(xlabel="pictures a class", ylabel="top-1", ylim=(0, 1))
    plot.legend()
    return png(figure)


def shift(domains: Sequence[str], supervised: Sequence[float], zero: Sequence[float]) -> bytes:
    """Bars of both classifiers for each domain."""
    figure, plot = axes(1.5 + 0.9 * len(domains), 4)
    places = range(len(domains))
    plot.bar([place - 0.2 for place in places], supervised, 0.4, label="supervised on the first domain")
    plot.bar([place + 0.2 for place in places], zero, 0.4, label="zero-shot")
    plot.set_xticks(list(places), domains, rotation=25, ha="right")
    plot.set(ylabel="top-1", ylim=(0, 1))
    plot.legend()
    return png(figure)


def confusion(counts: Tensor, names: Sequence[str]) -> bytes:
    """counts (C, C): rows are the truth, columns what was said, each row as shares of its sum."""
    figure, plot = axes(3 + 0.22 * len(names), 2.5 + 0.22 * len(names))
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    image = plot.imshow(shares.numpy(), cmap="magma_r", vmin=0, vmax=1)
    plot.set_xticks(range(len(names)), [name[:28] for name in names], rotation=90, fontsize=7)
    plot.set_yticks(range(len(names)), [name[:28] for name in names], fontsize=7)
    plot.set(xlabel="said", ylabel="true")
    figure.colorbar(image, shrink=0.6)
    return png(figure)
