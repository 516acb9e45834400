"""Where does a step's time go, and how near is it to what the machine can multiply?

The networks' own share is the encoder and the canvas, forward and backward, each timed inside the very step that it is
compared with, so that whatever else the machine does disturbs both alike.  What is left is ours: warp, losses,
optimiser.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from clipguide import api
from clipguide.core import Canvas
from clipguide.encoders import ClipEncoder
from clipguide.methods.fourier import Settings
from clipguide.models.clip import OpenedClip, build_network, read_tokeniser
from clipguide.weights import Models

SIDE = 2048  # of the matrices


class Watch:
    """Seconds that each network spent in the step at hand."""

    def __init__(self, encoders: Sequence[ClipEncoder], canvas: Canvas) -> None:
        self.spent: Counter[str] = Counter()
        self._began: dict[str, float] = {}
        self._render, canvas.render = canvas.render, self.render
        for encoder in encoders:
            encoder.encode_image = partial(self.encode_image, encoder.encode_image)
        for group in canvas.param_groups():
            for parameter in group["params"]:
                parameter.register_post_accumulate_grad_hook(lambda _: self._end("canvas backward"))

    def encode_image(self, encode: Callable[[Tensor], Tensor], views: Tensor) -> Tensor:
        views = views.view_as(views)  # of this encoder alone: its gradient arrives when this encoder is done
        self._begin("encoder")
        seen = encode(views)
        self._end("encoder")
        if seen.requires_grad:  # the last frame is only shown
            seen.register_hook(lambda _: self._begin("encoder backward"))
            views.register_hook(lambda _: self._end("encoder backward"))
        return seen

    def render(self, tick):
        self._begin("canvas")
        frame = self._render(tick)
        self._end("canvas")
        if frame.image.requires_grad:
            frame.image.register_hook(lambda _: self._begin("canvas backward"))
        return frame

    def _begin(self, network: str) -> None:
        self._began[network] = time.perf_counter()

    def _end(self, network: str) -> None:
        if network in self._began:  # the first frame was rendered before anybody watched
            self.spent[network] += time.perf_counter() - self._began[network]  # for each chunk of the views


class Stranger(Models):
    """OpenAI's ViT-B/32 with random weights: its time is theirs."""

    def encoder(self, name: str) -> ClipEncoder:
        if name not in self._encoders:
            import open_clip

            network = build_network(open_clip.get_model_config("ViT-B-32-quickgelu"))
            tokenise, token_count = read_tokeniser(Path("none"), 77, fixed=True)
            colours = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
            opened = OpenedClip(network.eval(), tokenise, token_count, 224, *colours, 77)
            self._encoders[name] = ClipEncoder(opened, name, self.device)
        return self._encoders[name]


def measure() -> dict[str, str]:
    figures = {}
    for clip, models, views, runs in (
        ("clip-mini", Models("cpu"), Settings().cutouts, 25),
        ("clip-mini", Models("cpu"), 16, 25),
        ("ViT-B/32", Stranger("cpu"), 32, 3),
    ):
        figures |= _step(clip, models, views, runs)
    return figures | _picture()


def _picture() -> dict[str, str]:
    """The same over all steps of a default picture, whose second CLIP judges in a part of them."""
    models = Models("cpu")
    planned = api.plan(["a castle"], "fourier")
    steps = planned.steps(models)
    watch = Watch([judge.encoder for judge in models.judges(planned.settings.clip)], next(steps).canvas)
    next(steps)
    watch.spent.clear()
    whole = _seconds(lambda: list(steps))
    share = 1 - sum(watch.spent.values()) / whole
    return {"a default picture: outside its networks": f"{share:.1%} of {whole:.1f} s (aim: at most 10 %)"}


def _step(clip: str, models: Models, views: int, runs: int) -> dict[str, str]:
    encoder, square = models.encoder(clip), torch.rand(SIDE, SIDE)
    steps = api.plan(["a castle"], "fourier", {"steps": 10_000, "cutouts": views, "clip": clip}).steps(models)
    watch = Watch([encoder], next(steps).canvas)
    next(steps)  # warms up
    rows = []
    for _ in range(runs):
        watch.spent.clear()
        step = _seconds(lambda: next(steps))
        rows.append({"step": step, "product": _seconds(lambda: square @ square), **watch.spent})
    least = {name: min(row[name] for row in rows) for name in rows[0]}  # of the least disturbed run
    encode = least["encoder"] + least["encoder backward"]
    ours = statistics.median(1 - sum(_watched(row)) / row["step"] for row in rows)
    reached, peak = _flops(encoder, views) / encode, 2 * SIDE**3 / least["product"]
    title = f"{clip}, {views} views"
    return {
        f"{title}: a step": f"{least['step'] * 1e3:.0f} ms",
        f"{title}: its encoder, forward and backward": f"{encode * 1e3:.0f} ms",
        f"{title}: its canvas": f"{(least['canvas'] + least['canvas backward']) * 1e3:.1f} ms",
        f"{title}: outside both": f"{ours:.1%} (aim: at most 10 %)",
        f"{title}: encoder, a matrix product": f"{reached / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s",
    }


def _watched(row: dict[str, float]) -> list[float]:
    return [seconds for name, seconds in row.items() if name not in ("step", "product")]


def _flops(encoder: ClipEncoder, views: int) -> int:
    with FlopCounterMode(display=False) as counter:
        one = torch.rand(1, 3, encoder.size, encoder.size, requires_grad=True)
        encoder.encode_image(one).sum().backward()
    return views * counter.get_total_flops()


def _seconds(job) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began
