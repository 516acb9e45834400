"""What does a step of clipstyler cost, against the reference's layout on the same networks, and a fast picture?

The reference's layout is that of the CLIPstyler repository's train_CLIPstyler.py, read and told anew: each of the 64
patches cropped, bent in perspective and resized by itself with torchvision's transforms; CLIP and the feature network
as open_clip builds them, CLIP's own weights collecting a gradient, for it is never frozen; one graph from the losses
to the small network.  As there, the source is encoded once.  "frozen" is the same with CLIP's weights frozen.
Networks, picture, size of the patches and number of views are the same in all.  Times are of the processor and not of
the wall, so that a busy machine misleads less.
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
from clipguide.losses.direction import SHORTEST, style_aim
from clipguide.methods.clipstyler import Settings
from clipguide.models.clip import OpenedClip, open_folder
from clipguide.models.perceptual import clip_features
from clipguide.models.restyler import Restyler
from clipguide.ops.vision_import import import_torchvision
from clipguide.restyling import guidance
from clipguide.weights import Models

SIDE, PATCHES, RUNS, PICTURES = 256, 64, 3, 8


def measure(clip: str = "clip-mini") -> dict[str, str]:
    models, photo = Models("cpu"), _photo()
    settings = Settings(clip=clip, features=clip, cutouts=PATCHES)
    usual = Settings(clip=clip, features=clip)
    jobs = {
        "ours": _our_step(models, settings, photo),
        "usual": _our_step(models, usual, photo),
        "theirs": _reference_step(models, settings, photo, frozen=False),
        "frozen": _reference_step(models, settings, photo, frozen=True),
    }
    seconds = _interleaved(jobs)
    fast = statistics.median(_fast(photo))
    aim = f"{seconds['theirs'] / seconds['ours']:.2f} (aim: at least 2)"
    return {
        f"a step, {SIDE} px, {PATCHES} patches": f"{seconds['ours']:.2f} CPU-s ({torch.get_num_threads()} threads)",
        "the reference's layout": f"{seconds['theirs']:.2f} CPU-s",
        "times faster": aim,
        "times faster than it with CLIP frozen": f"{seconds['frozen'] / seconds['ours']:.2f}",
        f"a step as by default, {usual.cutouts} patches": f"{seconds['usual']:.2f} CPU-s",
        f"{usual.steps} such steps on two cores, ideally": f"{usual.steps * seconds['usual'] / 2:.0f} s (aim: 60)",
        f"the fast one at {SIDE} px, ideally": f"{2 / fast:.1f} pictures/s on two cores (aim: at least 10)",
    }


def _photo() -> Tensor:
    coarse = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(0, 1)


def _interleaved(jobs: dict[str, Callable[[], None]]) -> dict[str, float]:
    """The median seconds of each; the first run warms up."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(RUNS + 1):
        for name, job in jobs.items():
            seconds = _seconds(job)
            times[name] += [seconds] * (run > 0)
    return {name: statistics.median(found) for name, found in times.items()}


def _seconds(run: Callable[[], None]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _our_step(models: Models, settings: Settings, photo: Tensor) -> Callable[[], None]:
    canvas = Restyled(photo, Restyler(settings.width, rng=torch.Generator().manual_seed(0)))
    brief = Brief((Prompt("mosaic"),), (SIDE, SIDE))
    steps = optimise(canvas, guidance(brief, settings, models, photo), steps=100, chunks=settings.chunks)
    next(steps)
    return lambda: next(steps)


def _reference_step(models: Models, settings: Settings, photo: Tensor, *, frozen: bool) -> Callable[[], None]:
    opened = open_folder(models.checkpoint(settings.clip, "clip"))
    opened.model.requires_grad_(not frozen)
    features = clip_features(opened.model.visual, *_statistics(opened), opened.size)
    network = Restyler(settings.width, rng=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(network.parameters(), settings.lr)
    aim = style_aim(models.encoder(settings.clip), [Prompt("mosaic")], photo, "a photo", settings.templates)
    cut = _patch_transform(settings, opened.size)
    with torch.no_grad():
        before, things = _encode(opened, photo), features(photo)

    def step() -> None:
        image = network(photo)
        now = features(image)
        content = sum((now[layer] - things[layer]).square().mean() for layer in features.content)
        patches = torch.cat([cut(image) for _ in range(settings.cutouts)])
        near = _direction(_encode(opened, patches) - before, aim)
        near = torch.where(near < settings.threshold, 0, near).mean()
        whole = _direction(_encode(opened, image) - before, aim).mean()
        rough = (image[..., 1:] - image[..., :-1]).norm() + (image[..., 1:, :] - image[..., :-1, :]).norm()
        loss = settings.patches * near + settings.direction * whole + settings.content * content + 1e-4 * rough
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def _patch_transform(settings: Settings, size: int) -> Callable[[Tensor], Tensor]:
    import_torchvision()
    from torchvision import transforms

    return transforms.Compose([
        transforms.RandomCrop(round(SIDE * settings.extent)),
        transforms.RandomPerspective(0.5, p=1, fill=0),
        transforms.Resize(size),
    ])  # fmt: skip


def _statistics(opened: OpenedClip) -> tuple[Tensor, Tensor]:
    return torch.tensor(opened.mean)[:, None, None], torch.tensor(opened.std)[:, None, None]


def _encode(opened: OpenedClip, images: Tensor) -> Tensor:
    mean, std = _statistics(opened)
    views = F.interpolate(images, (opened.size, opened.size), mode="bicubic")
    return F.normalize(opened.model.encode_image((views - mean) / std), dim=-1)


def _direction(change: Tensor, aim: Tensor) -> Tensor:
    return 1 - (change @ aim) / change.norm(dim=-1).clamp(min=SHORTEST)


@torch.no_grad()
def _fast(photo: Tensor) -> list[float]:
    restyler = Restyler(rng=torch.Generator().manual_seed(0))
    restyler.remember(photo)
    canvas = Restyled(photo, restyler.eval())
    tick = Tick(0, 0, torch.Generator(), preview=True)
    return [_seconds(lambda: canvas.render(tick)) for _ in range(PICTURES)][1:]
