"""The loop and its nouns: what is optimised (Canvas), who judges (Encoder), through which window (Cutouts),
what is wanted (Term over a Scene), and what happens (Step).

Images are (B, 3, H, W), sRGB in [0, 1], everywhere.  Everything is minimised.  Weights multiply in `Term` alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

T = TypeVar("T")
Gradients = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Tick:
    """The clock and the dice of one step.

    `rng` is a CPU generator: the same seed rolls the same numbers whatever device draws the picture.
    `preview` marks a frame that is shown and not optimised; canvases that average show their average then.
    """

    step: int
    total: int
    rng: torch.Generator
    preview: bool = False

    @property
    def progress(self) -> float:
        """0 at the first frame, 1 at the last."""
        return min(1.0, self.step / self.total) if self.total else 1.0


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


class Canvas(Protocol):
    """What is optimised: an `nn.Module` whose parameters draw a picture."""

    def param_groups(self) -> list[dict[str, Any]]:
        """One group {"params": [...], "lr": float} for each learning rate."""
        ...

    def render(self, tick: Tick) -> Frame:
        """Draws the picture from the parameters."""
        ...

    def project(self) -> None:
        """Puts the parameters back into their legal set; the loop calls it after each update, under no_grad."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any: ...


@runtime_checkable
class Loadable(Protocol):
    """A canvas that can start from an image."""

    def load(self, image: Tensor) -> None:
        """image: (1 or B, 3, H, W) of the canvas's own size, sRGB in [0, 1]."""
        ...


@runtime_checkable
class Exportable(Protocol):
    """A canvas with more to give than its picture."""

    def export(self) -> dict[str, bytes]:
        """File name -> content, for example {"drawing.svg": ...}."""
        ...


class Encoder(Protocol):
    """Who judges: a CLIP.  Normalisation with the network's own statistics happens inside."""

    size: int

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """-> (N, D), unit norm."""
        ...

    def encode_image(self, views: Tensor) -> Tensor:
        """views: (N, 3, size, size), sRGB in [0, 1] -> (N, D), unit norm."""
        ...


class Crop(Protocol):
    """Dice already rolled: the same n windows for whatever image they are held against."""

    count: int

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (n * B, 3, S, S), view after view: the B images of view 0, of view 1, ..."""
        ...

    def part(self, chunk: int, chunks: int) -> Crop:
        """The views of one of `chunks` nearly equal shares."""
        ...


Cutouts = Callable[[Tick, int], Crop]  # (tick, side of the views in px) -> windows


class Scene:
    """One frame as the losses see it; each derived thing is made once and shared by all terms.

    The tensors are leaves cut off from the canvas: the gradient of every loss gathers in them.  A scene may show only
    one share (`chunk` of `chunks`) of the views, so that memory does not grow with their number.
    """

    def __init__(self, tensors: Mapping[str, Tensor], tick: Tick, crops: dict, chunk: int = 0, chunks: int = 1) -> None:
        self.tick = tick
        self.looked = False  # whether a view was taken since the loop last cleared it
        self.share = 1.0  # the part of all views that this scene shows
        self._tensors, self._crops, self._chunk, self._chunks = tensors, crops, chunk, chunks
        self._made: dict[Hashable, Any] = {}

    def image(self, of: str = "image") -> Tensor:
        """The frame's "image", "source" or an extra.  KeyError names what there is."""
        if of not in self._tensors:
            raise KeyError(f"the frame has no '{of}'; it has {', '.join(self._tensors)}")
        return self._tensors[of]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, made at the first call with this key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def crop(self, cutouts: Cutouts, size: int) -> Crop:
        """This scene's share of the views of `cutouts`; the dice are rolled once a step, for all shares."""
        key = (cutouts, size)
        if key not in self._crops:
            self._crops[key] = cutouts(self.tick, size)
        whole = self._crops[key]
        part = whole.part(self._chunk, self._chunks)
        self.looked, self.share = True, part.count / whole.count
        return part

    def views(self, cutouts: Cutouts, size: int, of: str = "image") -> Tensor:
        """The picture through this share of the windows: (n * B, 3, size, size), view after view."""
        crop = self.crop(cutouts, size)
        return self.once(("views", cutouts, size, of), lambda: crop(self.image(of)))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is wanted.  `weight` may be a schedule over progress."""

    name: str
    loss: Callable[[Scene], Tensor]  # -> (), minimised
    weight: float | Callable[[float], float] = 1.0

    def weight_at(self, progress: float) -> float:
        return self.weight(progress) if callable(self.weight) else self.weight


@dataclass(frozen=True, slots=True)
class Step:
    """What the loop yields.  The last one is a preview, and is the result."""

    index: int
    total: int
    image: Tensor  # (B, 3, H, W) in [0, 1], detached
    losses: Mapping[str, Tensor]  # each term's () value before its weight
    canvas: Canvas
    state: Callable[[], dict[str, Any]]  # everything that resumes the run at this very step
    finish: Callable[[], None]  # asks the loop to end: the next step is the last

    @property
    def last(self) -> bool:
        return self.index >= self.total


class _Clock:
    """How many steps there are: a number, or as many as fit into `seconds`."""

    def __init__(self, steps: int, seconds: float | None) -> None:
        self.steps, self.seconds = steps, seconds
        self.began = self.first_done = time.monotonic()
        self.asked_to_stop = False

    def finish(self) -> None:
        self.asked_to_stop = True

    def total(self, step: int) -> int:
        if self.asked_to_stop:
            return step
        if self.seconds is None:
            return self.steps
        now = time.monotonic()
        if step <= 1:  # the first step warms caches up: it says nothing about the others
            self.first_done = now
            return max(step, self.steps)
        pace = (now - self.first_done) / (step - 1)
        return step + max(0, int((self.seconds - (now - self.began)) / pace) - 1)  # one more is left for the result


def optimise(
    canvas: Canvas,
    terms: Sequence[Term],
    *,
    steps: int,
    seconds: float | None = None,
    seed: int = 0,
    chunks: int = 1,
    lr_scale: Callable[[float], float] = lambda progress: 1.0,
    optimiser: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] = torch.optim.Adam,
    resume: Mapping[str, Any] | None = None,
) -> Iterator[Step]:
    """Follows the gradient of the terms through the canvas.

    Yields steps + 1 times: frame i with the losses of that very frame, then the update; the last Step is a preview
    and is the result.  So step 0 is the start, steps = 0 is legal, and breaking off keeps what there is.

    seconds: takes as many steps as fit instead of `steps`; such a run depends on the machine's speed.
    chunks: shares the views are judged in; memory follows the size of a share.
    lr_scale: progress -> factor on every group's learning rate.
    resume: a `Step.state()`: the run goes on at that step, to the identical picture.
    """
    optimiser_ = optimiser(canvas.param_groups())
    rates = [group["lr"] for group in optimiser_.param_groups]
    rng = torch.Generator().manual_seed(seed)
    step, clock = 0, _Clock(steps, seconds)
    if resume is not None:
        step = resume["step"]
        rng.set_state(resume["rng"])
        canvas.load_state_dict(resume["canvas"])
        optimiser_.load_state_dict(resume["optimiser"])
    while True:
        total = clock.total(step)
        tick, dice = Tick(step, total, rng, preview=step >= total), rng.get_state()
        with torch.set_grad_enabled(not tick.preview):
            frame = canvas.render(tick)
            losses, gradients = _judge(frame, terms, tick, chunks)

        def state(step: int = step, dice: Tensor = dice) -> dict[str, Any]:
            inner = {"canvas": canvas.state_dict(), "optimiser": optimiser_.state_dict()}
            return {"step": step, "rng": dice, **inner}

        yield Step(step, total, frame.image.detach(), losses, canvas, state, clock.finish)
        if tick.preview:
            return
        for group, rate in zip(optimiser_.param_groups, rates, strict=True):
            group["lr"] = rate * lr_scale(tick.progress)
        _update(canvas, optimiser_, frame, gradients)
        step += 1


def _judge(frame: Frame, terms: Sequence[Term], tick: Tick, chunks: int) -> tuple[dict[str, Tensor], Gradients]:
    """The value of every term, and the gradient of their weighted sum in every tensor of the frame."""
    leaves = {name: t.detach().requires_grad_(t.requires_grad) for name, t in frame.tensors().items()}
    losses: dict[str, Tensor] = {}
    crops: dict[Hashable, Crop] = {}
    waiting = list(terms)  # a term that takes no view is whole after the first share
    for chunk in range(chunks if terms else 0):
        scene = Scene(leaves, tick, crops, chunk, chunks)
        sum_, waiting = _sum_of_terms(scene, waiting, losses)
        if sum_.requires_grad:
            sum_.backward()
    return losses, {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def _sum_of_terms(scene: Scene, terms: Sequence[Term], losses: dict[str, Tensor]) -> tuple[Tensor, list[Term]]:
    """The weighted sum over one share of the views, and the terms that have more shares to see."""
    sum_, again = torch.zeros(()), []
    for term in terms:
        scene.looked = False
        value = term.loss(scene)
        if scene.looked:
            value = value * scene.share
            again.append(term)
        losses[term.name] = losses.get(term.name, 0) + value.detach()
        sum_ = sum_.to(value) + term.weight_at(scene.tick.progress) * value
    return sum_, again


def _update(canvas: Canvas, optimiser: torch.optim.Optimizer, frame: Frame, gradients: Gradients) -> None:
    optimiser.zero_grad()
    if not gradients:
        return
    tensors = frame.tensors()
    torch.autograd.backward([tensors[name] for name in gradients], list(gradients.values()))
    optimiser.step()
    with torch.no_grad():
        canvas.project()
