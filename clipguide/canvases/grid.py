"""Grid: pixel art, a coarse grid of coloured cells."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide import images
from clipguide.canvases.snap import Snap
from clipguide.core import Frame, Tick
from clipguide.ops.cells import Cells
from clipguide.ops.colour import correlate, decorrelate

STEEPNESS = 4.0  # of the sigmoid that makes colours, as in `canvases.fourier`
CLEAR = 0.5  # opacity below which a cell is transparent


class Grid(nn.Module):
    """`batch` pictures of cells, each of one colour, with hard edges.

    The cells' colours are the sum of a pyramid of grids, each half as fine as the one before, so that one learning rate
    moves coarse and fine; decorrelated and squashed as in `Fourier`.  contrast: standard deviation of the start.
    decay: power of 1 / frequency with which finer grids count less, as in `Fourier`; at 1 each octave counts alike.
    snap: to a palette, None for any colour.  transparent: cells may also be clear; while it is optimised a clear cell
    shows a plain colour drawn anew at each step, so that no ground can be counted on, and white at the end.
    """

    def __init__(
        self,
        cells: Cells,
        *,
        rng: torch.Generator,
        lr: float = 0.1,
        batch: int = 1,
        contrast: float = 0.3,
        decay: float = 1.0,
        snap: Snap | None = None,
        transparent: bool = False,
    ) -> None:
        super().__init__()
        self.cells, self.lr, self.snap, self.transparent = cells, lr, snap, transparent
        channels = 4 if transparent else 3
        sides = _pyramid(cells.rows, cells.columns)
        shares = 2.0 ** ((decay - 1) * torch.arange(len(sides)))  # of each level, the finest first
        self.shares = (shares / shares.norm()).tolist()
        noise = [torch.randn(batch, channels, *side, generator=rng) for side in sides]
        self.levels = nn.ParameterList(nn.Parameter(contrast * level) for level in noise)

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.levels), "lr": self.lr}]

    def render(self, tick: Tick) -> Frame:
        colours, alpha = self._cells(final=tick.preview)
        picture = self.cells.paint(colours)
        if alpha is None:
            return Frame(picture)
        shown = self.cells.show(alpha)
        batch = len(picture)
        ground = torch.ones(1) if tick.preview else torch.rand(batch, 3, 1, 1, generator=tick.rng)
        return Frame(picture * shown + ground.to(picture) * (1 - shown), extras={"alpha": shown})

    def _cells(self, *, final: bool) -> tuple[Tensor, Tensor | None]:
        """Colours (B, 3, rows, columns) and, of a transparent grid, opacity (B, 1, rows, columns): 0 or 1."""
        waves = self._waves()
        colours = torch.sigmoid(STEEPNESS * correlate(waves[:, :3]))
        if self.snap is not None:
            colours = self.snap(colours, final=final)
        if not self.transparent:
            return colours, None
        alpha = torch.sigmoid(STEEPNESS * (waves[:, 3:] + 0.25))  # opaque at the start
        return colours, (alpha.detach() > CLEAR).to(alpha) + (alpha - alpha.detach())

    def _waves(self) -> Tensor:
        """(B, C, rows, columns) decorrelated channels about 0."""
        size = (self.cells.rows, self.cells.columns)
        waves = self.shares[0] * self.levels[0]
        for share, level in zip(self.shares[1:], self.levels[1:], strict=True):
            waves = waves + share * F.interpolate(level, size, mode="bilinear", align_corners=False)
        return waves

    def project(self) -> None:
        """Every number is legal; a learning palette follows the cells."""
        if self.snap is not None and self.snap.learn:
            self.snap.update(torch.sigmoid(STEEPNESS * correlate(self._waves()[:, :3])))

    @torch.no_grad()
    def load(self, image: Tensor) -> None:
        cells = self.cells.mean(image)
        for level in self.levels:
            level.zero_()
        self.levels[0][:, :3] = decorrelate(torch.logit(cells.clamp(0.02, 0.98)) / STEEPNESS) / self.shares[0]

    @torch.no_grad()
    def export(self) -> dict[str, bytes]:
        """cells.png: one pixel a cell, clear where it is transparent; cells-2.png and so on in a batch.

        Of a transparent grid also sprite.png, the picture at full size with its clear cells.
        """
        colours, alpha = self._cells(final=True)
        files = {}
        for number in range(len(colours)):
            suffix = f"-{number + 1}" if number else ""
            opaque = None if alpha is None else alpha[number : number + 1]
            small = _with_alpha(colours[number : number + 1], opaque)
            files[f"cells{suffix}.png"] = images.png(self.cells.shrink(small)[0])
            if opaque is not None:
                files[f"sprite{suffix}.png"] = images.png(self.cells.show(small)[0])
        return files


def _pyramid(rows: int, columns: int) -> list[tuple[int, int]]:
    """(rows, columns) and its halves, down to a grid with a side of 2 or less."""
    sides = [(rows, columns)]
    while min(sides[-1]) > 2:
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    return sides


def _with_alpha(colours: Tensor, alpha: Tensor | None) -> Tensor:
    return colours if alpha is None else torch.cat([colours, alpha], 1)
