"""The Edit tab: a photo, a mask painted on it, and words; the change slides over the photo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr

from apps import boxes, stage, uploads
from apps.controls import control, folded, values
from apps.lazy import EVENT
from apps.runner import Job
from apps.studio import Studio, example, methods, needs_photo, own_options, texts
from clipguide import images
from clipguide.errors import UserError
from clipguide.jobs import PHOTO_METHOD
from clipguide.options import MIN_SIDE, Common, options

UPFRONT = ("strength", "keep", "steps")  # settings that stand beside the photo, where a method has them


def editing(studio: Studio) -> dict[str, str]:
    """The methods that start from a photo, those first that lay a style on it."""
    lines = studio.offered()
    kinds = {name: needs_photo(name) for name in lines}
    able = [name for wanted in ("must", "may") for name in lines if kinds[name] == wanted]
    able.sort(key=lambda name: not any(option.name == UPFRONT[0] for option in own_options(name)))
    return {name: lines[name] for name in able}


class Page:
    """The tab's components, and what happens between them."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.run, self.place = studio, gr.State(""), gr.State(stage.Place())
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=6, min_width=320):
                self._form()
            with gr.Column(scale=6, min_width=320):
                self._result()
        self._events()

    def _form(self) -> None:
        names = editing(self.studio)
        first = PHOTO_METHOD if PHOTO_METHOD in names else next(iter(names))
        self.photo = boxes.Painter(self.studio.root, "Photo", elem_id="edit-photo")
        self.hint = gr.HTML(self._hint(first), padding=False)
        self.prompt = gr.Textbox(
            label="What it should become",
            placeholder="a watercolour painting",
            max_lines=3,
            interactive=True,
            elem_id="edit-prompt",
        )
        self.method = gr.Dropdown(
            list(names), value=first, label="Method", info=names[first], interactive=True, elem_id="edit-method"
        )
        self.side = gr.Slider(
            64,
            1024,
            256,
            step=16,
            label="Worked out at, px",
            info="along the longer side",
            interactive=True,
            elem_id="edit-side",
        )
        self.own = gr.Column()

    def _result(self) -> None:
        with gr.Row():
            self.start = gr.Button(stage.START, variant="primary", elem_id="edit-start", scale=2, min_width=140)
            self.stop = gr.Button(stage.STOP, interactive=False, elem_id="edit-stop", min_width=100)
        self.stage = gr.HTML(
            stage.EMPTY.replace("Say what you want to see", "Choose a photo"), padding=False, elem_id="edit-stage"
        )
        self.slider = gr.ImageSlider(
            label="Before and after",
            visible=False,
            interactive=False,
            format="png",
            elem_id="edit-slider",
            max_height=520,
        )
        self.files = stage.downloads(height=140)

    def _events(self) -> None:
        self.method.change(self._describe, self.method, [self.method, self.hint, self.prompt], **EVENT)
        self.start.click(None, js=stage.SHOW % "edit-stage", api_visibility="private")
        self.stop.click(lambda place: self.studio.runner.stop(*place.shown), self.place, **EVENT)
        with self.own:
            gr.render(self.method, show_progress="hidden")(self._settings)

    def _settings(self, method: str) -> None:
        """Draws the method's own settings, and binds Start to them."""
        shown = self._options(method)
        upfront = [option for option in shown if option.name in UPFRONT]
        hidden = [option for option in shown if option.name not in UPFRONT]
        told = (self.studio.catalogue, self.studio.root)
        with gr.Row():
            controls = [control(option, option.default, *told) for option in upfront]
        with gr.Accordion("Advanced settings", open=False, elem_id="edit-advanced"):
            controls += folded(hidden, {}, *told)
        outputs = [self.stage, self.run, self.start, self.stop, self.files, self.slider]
        gr.on(
            [self.start.click, self.prompt.submit],
            self._start,
            [self.place, self.photo, self.prompt, self.method, self.side, *controls],
            outputs,
            **EVENT,
        )

    def _options(self, method: str) -> list:
        """In the order of their controls."""
        seed = [option for option in options(Common) if option.name == "seed"]
        shown = [option for option in own_options(method) if option.name not in ("mask", "batch")] + seed
        return sorted(shown, key=lambda option: option.name not in UPFRONT)

    def _describe(self, method: str) -> tuple:
        return gr.update(info=methods()[method]), self._hint(method), gr.update(placeholder=example(method))

    def _hint(self, method: str) -> str:
        if any(option.name == "mask" for option in own_options(method)):
            return '<p class="quiet">Paint over what should change; nothing painted means all of it.</p>'
        return '<p class="quiet">This method changes the whole photo; paint on it is not used.</p>'

    def _plan(self, painting: tuple, prompt: str, method: str, side: int, *own: Any) -> Job:
        photo, mask = painting
        if photo is None:
            raise UserError("no photo is chosen; drop one into the box on the left")
        chosen = values(self._options(method), own, self.studio.catalogue, self.studio.root) | {"init": photo}
        if mask is not None and any(option.name == "mask" for option in own_options(method)):
            chosen["mask"] = mask
        chosen["size"] = fitted(photo, side)
        return self.studio.start(texts(self.studio.root, prompt or ""), method, chosen)

    async def _start(self, place: stage.Place, *given: Any) -> AsyncIterator[tuple]:
        try:
            job = await asyncio.to_thread(self._plan, *given)
        except UserError as error:
            raise uploads.refused(error) from None
        wanted = place.take(job)
        async for shown in stage.follow(job, self.studio, wanted):
            yield *shown, gr.update(visible=False)
        if wanted() and job.run.picture.exists():
            pair = await asyncio.to_thread(self._pair, job)
            yield *shown, gr.update(value=pair, visible=True)

    def _pair(self, job: Job) -> tuple:
        """The photo as the method saw it, and what came of it, of one size."""
        hidden = self.studio.screen.file(job.run.picture)
        after = images.read(job.run.picture) if hidden is None else hidden
        before = images.read(job.planned.common.init, (after.shape[-1], after.shape[-2]))
        return images.to_pil(before), images.to_pil(after)


def fitted(photo: str | Path, side: int) -> tuple[int, int]:
    """(width, height) in px of the photo's aspect, `side` along its longer side, or less where it is smaller."""
    height, width = images.read(photo).shape[-2:]
    scale = min(1.0, side / max(height, width))
    return tuple(max(MIN_SIDE, round(part * scale)) for part in (width, height))
