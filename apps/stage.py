"""The picture on its way, as HTML: the frame, how far it is, how long it takes, and the curve of the score."""

from __future__ import annotations

import asyncio
import base64
import html
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import gradio as gr
from torch import Tensor

from apps.runner import Job, Runner, Work
from apps.safety import Screen
from apps.studio import Studio
from clipguide import images
from clipguide.runs import Run

LOOK_SECONDS = 0.4  # between looks at a job
FRAME_SECONDS = 0.8  # between frames at least: a browser of the same machine takes 23 ms to show one
SHARE = 1 / 30  # of the time, that the frames of a page may take
MAX_LIVE = 512  # px of the longer side of a live frame
MAX_INLINE = 3 << 20  # bytes of a PNG shown as it is
PRODUCTS = (".png", ".svg", ".mp4", ".gif", ".obj", ".ply", ".glb")
CURVE = (320, 72)  # px of the score curve
START, STOP = "Start", "Stop"  # the labels of the buttons of every stage


WORDS = {"waiting": "Waiting", "running": "Drawing", "done": "Done", "stopped": "Stopped", "failed": "Failed"}


class Place:
    """Where a visitor's page shows work, one at a time: who takes it ends the watching of what was there before.

    The work itself goes on.
    """

    def __init__(self) -> None:
        self.shown: list[Work] = []

    def take(self, *work: Work) -> Callable[[], bool]:
        """Shows this from now on; what is returned tells whether it still does."""
        mine = self.shown = list(work)
        return lambda: self.shown is mine


def blank(said: str, name: str = "No picture yet") -> str:
    """The place of a picture that is not there, and why.  Both texts are HTML."""
    return f'<div class="picture blank" role="img" aria-label="{name}"><span>{said}</span></div>'


SHOW = "() => document.querySelector('#%s').scrollIntoView({block: 'nearest', behavior: 'smooth'})"  # JavaScript
EMPTY = f'<figure class="stage">{blank("Say what you want to see, and press <b>Start</b>.")}</figure>'


def downloads(**told: Any) -> gr.File:
    """The place where a run's files are handed out."""
    hidden = {"interactive": False, "visible": False}
    return gr.File(label="Download", file_count="multiple", elem_classes="download", **hidden, **told)


async def follow(job: Job, studio: Studio, wanted: Callable[[], bool]) -> AsyncIterator[tuple]:
    """Stage, run, Start, Stop and the files, each time that something of them has changed, for as long as it is wanted.

    A new state says all of it: of two yields that come at once the page may show the second alone.  The frames after it
    send plain values, for which Gradio does little; for each update, `gr.skip()` too, it makes a whole new component.
    """
    running = job.name, gr.update(interactive=False), gr.update(interactive=True), gr.update(visible=False)
    unchanged = gr.skip(), START, STOP, None  # for the run, which is no component, skipping costs nothing
    state = ""
    async for view in watch(job, studio, wanted):
        told, state = unchanged if job.state == state else running, job.state
        yield view, *told
    if wanted():
        found = files(job.run, studio.screen)
        shown = gr.update(value=found, visible=bool(found))
        yield view, job.name, gr.update(interactive=True), gr.update(interactive=False), shown
    else:
        yield nothing(5)


def nothing(count: int) -> tuple:
    """No change of so many outputs.  What an event told last is sent once more when it ends: this may be."""
    return (gr.skip(),) * count


def files(run: Run, screen: Screen) -> list[str]:
    """What of a run can be downloaded; nothing that the filter hides."""
    pictures = [path for path in run.pictures() if path.exists() and screen.file(path) is None]
    if not pictures:
        return []
    made = {*run.pictures(), run.folder / "preview.png"}
    others = [path for path in sorted(run.folder.iterdir()) if path.suffix in PRODUCTS and path not in made]
    others = [path for path in others if path.suffix != ".png" or screen.file(path) is None]
    return [str(path) for path in [*pictures, *others, run.folder / "recipe.json"]]


async def watch(job: Job, studio: Studio, wanted: Callable[[], bool]) -> AsyncIterator[str]:
    """The stage each time that something has changed, until the job is over, or is wanted no more."""
    async for _ in changes(job, studio.runner, wanted):
        view = await asyncio.to_thread(render, job, studio.runner, studio.screen)
        if wanted():
            yield view


async def changes(work: Work, runner: Runner, wanted: Callable[[], bool] = lambda: True) -> AsyncIterator[None]:
    """Yields at once, and each time that there is something new to show, until the work is over, or wanted no more.

    News are told at once.  Other frames wait, and for so long after the last one as keeps within `SHARE` what it took
    from its yield until the next was asked for: to draw it here, and all that Gradio does to send it.
    """
    shown, news, due = None, None, 0.0
    while wanted():
        version = (work.version, runner.before(work) if work.state == "waiting" else 0)
        over = work.over
        began = time.monotonic()
        if over or (version != shown and (began >= due or work.news != news)):
            shown, news = version, work.news
            yield
            ended = time.monotonic()
            due = ended + max(FRAME_SECONDS, (ended - began) / SHARE)
        if over:
            return
        await asyncio.sleep(LOOK_SECONDS)


def render(job: Job, runner: Runner, screen: Screen) -> str:
    """The stage as it stands."""
    prompt = html.escape(" | ".join(job.planned.texts)) or job.planned.method
    image = job.image
    if image is not None:
        picture = _inline(images.jpeg(_shrunk(screen.show(tiled(image)))), "jpeg", prompt)
    elif job.over and job.run.picture.exists():
        picture = finished(job.run.pictures(), prompt, screen)
    else:
        picture = blank(_waiting(job, runner), prompt)
    return f'<figure class="stage" data-run="{html.escape(job.name)}">{picture}{_caption(job)}</figure>'


def finished(pictures: Sequence, prompt: str, screen: Screen) -> str:
    """The result: the file itself where it is one of no great size."""
    shown = screen.file(pictures[0])
    if len(pictures) == 1 and shown is None and pictures[0].stat().st_size <= MAX_INLINE:
        return _inline(pictures[0].read_bytes(), "png", prompt)
    frames = [images.read(path)[0] if (hidden := screen.file(path)) is None else hidden[0] for path in pictures]
    return _inline(images.jpeg(_tile(frames), 92), "jpeg", prompt)


def tiled(batch: Tensor) -> Tensor:
    """(B, 3, H, W) -> (1, 3, h, w): all pictures of a batch, side by side in rows."""
    return batch if len(batch) == 1 else _tile(list(batch))


def _tile(frames: Sequence[Tensor]) -> Tensor:
    side = max(frames[0].shape[-2:])
    return frames[0][None] if len(frames) == 1 else images.sheet(frames, side=side)


def _shrunk(image: Tensor) -> Tensor:
    stride = -(-max(image.shape[-2:]) // MAX_LIVE)
    return image[..., ::stride, ::stride]


def _inline(data: bytes, kind: str, prompt: str) -> str:
    address = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<div class="picture"><img src="{address}" alt="{prompt}" decoding="sync"></div>'


def _waiting(job: Job, runner: Runner) -> str:
    if job.state != "waiting":
        return "" if job.over else "The networks are being opened"
    before = runner.before(job)
    return "It is the next" if not before else f"{before} picture{'s' * (before > 1)} before this one"


def _caption(job: Job) -> str:
    if job.state == "failed":
        return f'<figcaption role="alert" class="error">{html.escape(job.error)}</figcaption>'
    percent = 100 * job.step / job.total if job.total else 100 * job.over
    facts = [WORDS[job.state]]
    if job.image is not None or job.over:
        facts.append(f"step {job.step} of {job.total}")
    if not job.over and (left := job.seconds_left) is not None:
        facts.append(f"{clock(left)} left")
    if job.score is not None:
        facts.append(f"score {job.score:.3f}")
    said = " · ".join(facts)
    return (
        f'<figcaption><div class="bar" role="progressbar" aria-label="steps" aria-valuenow="{percent:.0f}" '
        f'aria-valuemin="0" aria-valuemax="100"><i style="width:{percent:.1f}%"></i></div>'
        f'<p role="status">{said}</p>{curve(job.scores)}</figcaption>'
    )


def clock(seconds: float) -> str:
    """'0:42', '12:05', '1:02:03'."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def curve(scores: Sequence[tuple[int, float]]) -> str:
    """The score over the steps as an SVG; nothing before the second value."""
    if len(scores) < 2:
        return ""
    width, height = CURVE
    steps, values = [step for step, _ in scores], [value for _, value in scores]
    low, high = min(values), max(values)
    across, up = max(1, steps[-1] - steps[0]), max(1e-6, high - low)
    points = [((s - steps[0]) / across * width, height - 4 - (v - low) / up * (height - 8)) for s, v in scores]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<svg class="curve" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="score from {values[0]:.3f} to {values[-1]:.3f}">'
        f'<polygon points="0,{height} {line} {width},{height}"/><polyline points="{line}"/></svg>'
        f'<div class="scale"><span>{values[0]:.3f}</span><span>score</span><span>{values[-1]:.3f}</span></div>'
    )
