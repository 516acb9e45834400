"""The drawing process: a film in which the strokes come one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from clipguide import video
from clipguide.ops.strokes import Paths

FPS = 24
REST = 1.5  # seconds that the finished drawing stays

Layer = Callable[[Paths, Tensor | None], Tensor]  # draws shapes on a ground, or on empty paper -> (1, 3, H, W)


def frames(layer: Layer, paths: Paths, most: int) -> Iterator[Tensor]:
    """The empty paper, then the drawing after each shape, or after each few so that there are at most `most`.

    Each frame is drawn on the one before it, so that all of them together cost one drawing.
    """
    count = paths.points.shape[1]
    each = max(1, -(-count // max(1, most - 1)))
    picture = layer(paths.map(lambda part: part[:, :0]), None)
    yield picture
    for first in range(0, count, each):
        some = slice(first, first + each)
        picture = layer(paths.map(lambda part, some=some: part[:, some]), picture)
        yield picture


def film(layer: Layer, paths: Paths, kind: str, *, seconds: float) -> bytes:
    """An MP4 or GIF file (`kind`) of about `seconds`, then the finished drawing for a moment."""

    def run() -> Iterator[Tensor]:
        shown = list(frames(layer, paths, round(seconds * FPS)))
        repeat = max(1, round(seconds * FPS / len(shown)))
        for frame in shown:
            yield from [frame] * repeat
        yield from [shown[-1]] * round(REST * FPS)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"process.{kind}"
        video.write(path, run(), fps=FPS)
        return path.read_bytes()
