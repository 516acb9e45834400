"""The suites' plots, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from pretrain.evaluate.report import Table

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


def bars(table: Table, words: Sequence[str], figures: Sequence[str]) -> bytes:
    """Bars from 0 to 1, a group for each row. words: the columns that name a row; figures: those that are drawn."""
    rows, wide = table.records()["rows"], 0.8 / len(figures)
    figure, plot = axes(7, 1 + len(rows) * (0.15 + 0.13 * len(figures)))
    for number, name in enumerate(figures):
        places = [at + (number - (len(figures) - 1) / 2) * wide for at in range(len(rows))]
        plot.barh(places, [row[name] for row in rows], wide, label=name)
    plot.set_yticks(range(len(rows)), [", ".join(str(row[word]) for word in words) for row in rows], fontsize=8)
    plot.set(xlim=(0, 1), ylim=(max(len(rows), 1) - 0.5, -0.5))
    plot.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper right", ncols=len(figures), fontsize=8)
    figure.suptitle(table.title.partition(";")[0], x=0.01, ha="left", fontsize=10)
    return png(figure)


def penalties(tried: Mapping[float, float], chosen: float) -> bytes:
    """tried: decade of a penalty -> accuracy on validation; chosen: the decade that was taken."""
    figure, plot = axes(6, 4)
    plot.plot(*zip(*sorted(tried.items()), strict=True), marker="o")
    plot.axvline(chosen, linestyle="--", color="tab:red", label="chosen")
    plot.set(xlabel="log10 of the penalty", ylabel="top-1 on validation", ylim=(0, 1))
    plot.legend()
    return png(figure)


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
