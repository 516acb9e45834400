"""What does a step of clipstyler cost, against the reference's layout on the same networks, and a fast picture?

The reference layout is CLIPstyler's: each patch cropped, bent in perspective and resized by itself, the whole source
and the whole picture encoded beside them, and one graph from the losses to the network.  Its views, networks and terms
here are ours.  Times are of the processor and not of the wall, so that a busy machine misleads less.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.brief import Brief, Prompt
from clipguide.canvases.restyled import Restyled
from clipguide.core import Tick, optimise
from clipguide.encoders import ClipEncoder
from clipguide.losses.direction import SHORTEST, style_aim
from clipguide.methods.clipstyler import Settings
from clipguide.models.restyler import Restyler
from clipguide.ops.warp import sample, window_grid
from clipguide.restyling import guidance
from clipguide.weights import Models

SIDE, STEPS, PICTURES = 256, 3, 8


def measure(clip: str = "clip-mini") -> dict[str, str]:
    models, settings = Models("cpu"), Settings(clip=clip, features=clip)
    photo = _photo()
    ours, reference = [], []
    step, peer = _our_step(models, settings, photo), _reference_step(models, settings, photo)
    for number in range(STEPS + 1):
        for run, times in ((step, ours), (peer, reference)):
            seconds = _seconds(run)
            times += [seconds] * (number > 0)  # the first one warms up
    mine, theirs, fast = (statistics.median(t) for t in (ours, reference, _fast(photo)))
    threads = torch.get_num_threads()
    return {
        f"a step, {SIDE} px, {settings.cutouts} patches": f"{mine:.2f} CPU-s ({threads} threads)",
        "a step in the reference's layout": f"{theirs:.2f} CPU-s",
        "times faster": f"{theirs / mine:.2f} (aim: at least 2)",
        f"{settings.steps} steps on two cores, ideally": f"{settings.steps * mine / 2:.0f} s (aim: at most 60)",
        f"the fast one at {SIDE} px, ideally": f"{2 / fast:.1f} pictures/s on two cores (aim: at least 10)",
    }


def _photo() -> Tensor:
    coarse = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(0, 1)


def _seconds(run: Callable[[], None]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _our_step(models: Models, settings: Settings, photo: Tensor) -> Callable[[], None]:
    canvas = Restyled(photo, Restyler(settings.width, rng=torch.Generator().manual_seed(0)))
    brief = Brief((Prompt("mosaic"),), (SIDE, SIDE))
    steps = optimise(canvas, guidance(brief, settings, models, photo), steps=100)
    next(steps)
    return lambda: next(steps)


def _reference_step(models: Models, settings: Settings, photo: Tensor) -> Callable[[], None]:
    encoder, features = models.encoder(settings.clip), models.features(settings.features)
    network = Restyler(settings.width, rng=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(network.parameters(), settings.lr)
    aim = style_aim(encoder, [Prompt("mosaic")], photo, "a photo", settings.templates)
    rng = torch.Generator().manual_seed(0)

    def step() -> None:
        image = network(photo)
        with torch.no_grad():
            before, maps = encoder.encode_image(_resized(photo, encoder)), features(photo)
        patches = [_patch(image, settings, encoder, rng) for _ in range(settings.cutouts)]
        seen = encoder.encode_image(torch.cat(patches))
        near = _direction(seen - before, aim)
        whole = _direction(encoder.encode_image(_resized(image, encoder)) - before, aim)
        things = sum((a - b).square().mean() for a, b in zip(features(image), maps, strict=True))
        rough = (image[..., 1:] - image[..., :-1]).abs().mean() + (image[..., 1:, :] - image[..., :-1, :]).abs().mean()
        loss = settings.patches * near + settings.direction * whole + settings.content * things + rough
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def _direction(change: Tensor, aim: Tensor) -> Tensor:
    return (1 - (change @ aim) / change.norm(dim=-1).clamp(min=SHORTEST)).mean()


def _resized(image: Tensor, encoder: ClipEncoder) -> Tensor:
    return F.interpolate(image, (encoder.size, encoder.size), mode="bicubic")


def _patch(image: Tensor, settings: Settings, encoder: ClipEncoder, rng: torch.Generator) -> Tensor:
    """A crop at a random place, bent in perspective at its own size, then resized."""
    side = round(SIDE * settings.extent)
    top, left = torch.randint(0, SIDE - side, (2,), generator=rng).tolist()
    crop = image[..., top : top + side, left : left + side]
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    corners = square + (torch.rand(4, 2, generator=rng) - 0.5) * 0.5
    bent = sample(crop, window_grid(corners[None], side), torch.zeros(1, dtype=torch.long), torch.zeros(1, 3))
    return _resized(bent, encoder)


@torch.no_grad()
def _fast(photo: Tensor) -> list[float]:
    restyler = Restyler(rng=torch.Generator().manual_seed(0))
    restyler.remember(photo)
    canvas = Restyled(photo, restyler.eval())
    tick = Tick(0, 0, torch.Generator(), preview=True)
    return [_seconds(lambda: canvas.render(tick)) for _ in range(PICTURES)][1:]
