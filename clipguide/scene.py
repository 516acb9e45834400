"""What a loss sees: the moment (Tick), the picture (Frame), the windows on it (Crop), and all of them as a Scene; and
what is wanted of them (Term).

Import these from `clipguide.core`, beside the loop that uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tick:
    """The clock and the dice of one step.

    `rng` is a CPU generator: the same seed rolls the same numbers whatever device draws the picture.
    `preview` marks a frame that is shown and not optimised; canvases that average show their average then.
    `span` is the part of a longer run that these steps are.
    """

    step: int
    total: int
    rng: torch.Generator
    preview: bool = False
    span: tuple[float, float] = (0.0, 1.0)

    @property
    def progress(self) -> float:
        """0 at the first frame, 1 at the last: of the whole run, where this is one stage of it."""
        start, end = self.span
        return start + (end - start) * (min(1.0, self.step / self.total) if self.total else 1.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a canvas shows at one tick; images are (B, 3, H, W), sRGB in [0, 1]."""

    image: Tensor
    source: Tensor | None = None  # the same picture before the edit
    extras: Mapping[str, Tensor] = field(default_factory=dict)  # "latent", "start", "geometry"

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the frame by name: "image", "source" where there is one, and the extras."""
        source = {} if self.source is None else {"source": self.source}
        return {"image": self.image, **source, **self.extras}


class Crop(Protocol):
    """Dice already rolled: the same n windows for whatever image they are held against."""

    @property
    def count(self) -> int:
        """n."""
        ...

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (n * B, 3, S, S), view after view: the B images of view 0, of view 1, ..."""
        ...

    def part(self, chunk: int, chunks: int) -> Crop:
        """The views of one of `chunks` nearly equal shares; the shares with the lower numbers are the larger ones."""
        ...


Cutouts = Callable[[Tick, int], Crop]  # (tick, side of the views in px) -> windows


class NothingLeft(Exception):
    """A term looked for views in a share that has none; the loop leaves the term out of it."""


class Scene:
    """One frame as the losses see it; each derived thing is made once and shared by all terms.

    The tensors are leaves cut off from the canvas: the gradient of every loss gathers in them.  A scene may show only
    one share (`chunk` of `chunks`) of the views, so that memory does not grow with their number.
    """

    def __init__(self, tensors: Mapping[str, Tensor], tick: Tick, crops: dict, chunk: int = 0, chunks: int = 1) -> None:
        self.tick = tick
        self.share: float | None = None  # the part of all views that a term saw; None while it took none
        self._tensors, self._crops, self._chunk, self._chunks = tensors, crops, chunk, chunks
        self._made: dict[Hashable, Any] = {}

    def image(self, of: str = "image") -> Tensor:
        """The frame's "image", "source" or an extra.  KeyError names what there is."""
        if of not in self._tensors:
            raise KeyError(f"the frame has no '{of}'; it has {', '.join(self._tensors)}")
        return self._tensors[of]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, made at the first call; whoever asks for it later has seen the views it took, too."""
        if key not in self._made:
            share, self.share = self.share, None
            self._made[key] = make(), self.share
            self.share = share
        made, share = self._made[key]
        if share is not None:
            self._note_share(share)
        return made

    def crop(self, cutouts: Cutouts, size: int) -> Crop:
        """This scene's share of the views of `cutouts`; the dice are rolled once a step, for all shares."""
        key = (cutouts, size)
        if key not in self._crops:
            self._crops[key] = cutouts(self.tick, size)
        whole = self._crops[key]
        part = whole.part(self._chunk, self._chunks)
        if not part.count:
            raise NothingLeft
        self._note_share(part.count / whole.count)
        return part

    def _note_share(self, share: float) -> None:
        if self.share not in (None, share):
            raise ValueError("in chunks, a term can only look through cutouts of one number of views")
        self.share = share

    def views(self, cutouts: Cutouts, size: int, of: str = "image") -> Tensor:
        """The picture through this share of the windows: (n * B, 3, size, size), view after view."""
        crop = self.crop(cutouts, size)
        return self.once(("views", cutouts, size, of), lambda: crop(self.image(of)))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is wanted.  `weight` may be a schedule over progress; while it is 0 the loss is not asked.

    A loss over views is a mean over them: then judging them share by share gives the same value and gradient.
    """

    name: str
    loss: Callable[[Scene], Tensor]  # -> (), minimised
    weight: float | Callable[[float], float] = 1.0

    def weight_at(self, progress: float) -> float:
        return self.weight(progress) if callable(self.weight) else self.weight

    def times(self, factor: float | Callable[[float], float]) -> Term:
        """The same, `factor` times as heavy; the factor may be a schedule too."""
        if callable(factor):
            return replace(self, weight=lambda progress: factor(progress) * self.weight_at(progress))
        if callable(self.weight):
            return replace(self, weight=lambda progress: factor * self.weight_at(progress))
        return replace(self, weight=factor * self.weight)
