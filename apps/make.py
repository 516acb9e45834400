"""The Make tab: words in, a picture that grows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import boxes, stage, uploads
from apps.controls import control, folded
from apps.order import ASPECTS, GRID, PRESETS, Order, order, shrunk
from apps.runner import Job
from apps.studio import Studio, example, methods, needs_photo, own_options
from clipguide import images
from clipguide.errors import UserError
from clipguide.methods import DEFAULT

VARIATIONS = 4
UPFRONT = ("steps",)  # settings that are not folded away; the quality scales their defaults


@dataclass(frozen=True, slots=True)
class Ask:
    """The fields of the form that every method has, in the page's order."""

    prompt: gr.Textbox
    negative: gr.Textbox
    image_prompts: gr.File
    image_weight: gr.Slider
    method: gr.Dropdown
    preset: gr.Radio
    aspect: gr.Dropdown
    side: gr.Slider
    seed: gr.Number
    start: boxes.Picture
    video: gr.Checkbox

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [getattr(self, name) for name in self.__dataclass_fields__ if name != "preset"]


class Page:
    """The tab's components, and what happens between them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.run = gr.State("")  # the name of the run on the stage
        self.filled = gr.State({})  # settings of a run that was opened here: name -> value
        self.four_runs, self.picked = gr.State([]), gr.State("")  # of the variations, and the one that is picked
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=5, min_width=320):
                self.ask = self._form()
            with gr.Column(scale=6, min_width=320):
                self._result()
        self._events()

    def _form(self) -> Ask:
        prompt = gr.Textbox(
            label="Prompt",
            placeholder=example(DEFAULT),
            info="Words; weigh them as in 'a fox:2 | snow:0.5'. Enter starts.",
            max_lines=4,
            autofocus=True,
            interactive=True,
            elem_id="prompt",
        )
        with gr.Row():
            self.start = gr.Button("Start", variant="primary", elem_id="start", scale=2)
            self.stop = gr.Button("Stop", interactive=False, elem_id="stop")
        with gr.Accordion("Leave out, image prompts, start image", open=False) as self.more:
            negative = gr.Textbox(label="Leave out", placeholder="text | blurry", max_lines=2, interactive=True)
            with gr.Row():
                pictures = gr.File(label="Image prompts", file_count="multiple", height=120, interactive=True)
                weight = gr.Slider(-2, 2, 1, step=0.1, label="Their weight", interactive=True)
            start = boxes.Picture(self.studio.root, "Start image", elem_id="start-image")
            video = gr.Checkbox(True, label="Keep frames for a video", interactive=True)
        names = methods()
        method = gr.Dropdown(
            list(names), value=DEFAULT, label="Method", info=names[DEFAULT], interactive=True, elem_id="method"
        )
        self.use_example = gr.Button(f"Example: {example(DEFAULT)}", size="sm", variant="secondary", elem_id="example")
        preset = gr.Radio(list(PRESETS), value="standard", label="Quality", interactive=True, elem_id="preset")
        side = gr.Slider(64, 1024, 256, step=GRID, label="Longer side in px", interactive=True, elem_id="side")
        with gr.Row(equal_height=True):
            aspect = gr.Dropdown(list(ASPECTS), value="square", label="Shape", min_width=110, interactive=True)
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=110, interactive=True, elem_id="seed")
            self.dice = gr.Button("🎲 Roll", scale=0, min_width=96, elem_id="dice")
        self.own = gr.Column()  # of the method's own settings
        return Ask(prompt, negative, pictures, weight, method, preset, aspect, side, seed, start, video)

    def _result(self) -> None:
        self.stage = gr.HTML(stage.EMPTY, padding=False, elem_id="stage")
        with gr.Row():
            self.go_on = gr.Button("Continue", elem_id="continue", min_width=120)
            self.vary = gr.Button("Variations", elem_id="variations", min_width=120)
        self.files = gr.File(label="Download", file_count="multiple", interactive=False, visible=False, height=140)
        with gr.Group(visible=False) as self.four:
            self.gallery = gr.Gallery(
                label="Variations: pick one",
                columns=VARIATIONS,
                height=170,
                object_fit="contain",
                allow_preview=False,
                elem_id="four",
            )
            self.refine = gr.Button(
                "Refine the one that is picked", variant="primary", interactive=False, elem_id="refine"
            )

    def _events(self) -> None:
        ask = self.ask
        private = {"api_visibility": "private", "show_progress": "hidden"}
        self.dice.click(lambda: random.randrange(2**31), outputs=ask.seed, **private)
        ask.method.change(
            self._describe, ask.method, [ask.method, self.use_example, ask.prompt, ask.start, self.more], **private
        )
        self.use_example.click(example, ask.method, ask.prompt, **private)
        ask.preset.input(self._set_quality, [ask.preset, self.filled], [ask.side, self.filled], **private)
        ask.start.upload(lambda path: None, ask.start, **private).failure(lambda: None, outputs=ask.start, **private)
        self.start.click(None, js=stage.SHOW % "stage", api_visibility="private")
        self.stop.click(self._stop, self.run, concurrency_limit=None, **private)
        self.gallery.select(self._pick, self.four_runs, [self.picked, self.refine], **private)
        with self.own:
            gr.render([ask.method, ask.preset, self.filled], show_progress="hidden")(self._settings)

    def _settings(self, method: str, preset: str, filled: dict[str, Any]) -> None:
        """Draws the method's own settings, and binds the buttons to them."""
        options, told = own_options(method), (self.studio.catalogue, self.studio.root)
        upfront = [option for option in options if option.name in UPFRONT]
        values = {option.name: round(option.default * PRESETS[preset][0]) for option in upfront}
        values |= filled if filled.get("method") == method else {}
        made = {option.name: control(option, values[option.name], *told) for option in upfront}
        with gr.Accordion("Advanced settings", open=False, elem_id="advanced"):
            hidden = [option for option in options if option not in upfront]
            made |= dict(zip([option.name for option in hidden], folded(hidden, values, *told), strict=True))
        controls = [made[option.name] for option in options]
        inputs = [*self.ask.inputs, *controls]
        outputs = [self.stage, self.run, self.start, self.stop, self.files]
        private = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        gr.on([self.start.click, self.ask.prompt.submit], self._start, inputs, outputs, **private)
        self.go_on.click(self._continue, [self.run, *inputs], outputs, **private)
        four = [self.four, self.gallery, self.four_runs, self.refine]
        self.vary.click(self._vary, inputs, [*outputs, *four], **private)
        self.refine.click(self._refine, [self.picked, *inputs], outputs, **private)

    def _set_quality(self, preset: str, filled: dict[str, Any]) -> tuple:
        """The side, and the settings of an opened run without those that the quality sets."""
        return PRESETS[preset][1], {name: value for name, value in filled.items() if name not in UPFRONT}

    def _describe(self, method: str) -> tuple:
        photo = {"must": "Start image: this method needs one", "may": "Start image"}.get(needs_photo(method))
        return (
            gr.update(info=methods()[method]),
            f"Example: {example(method)}",
            gr.update(placeholder=example(method)),
            gr.update(visible=photo is not None, label=photo),
            gr.update(open=True) if needs_photo(method) == "must" else gr.skip(),
        )

    def _order(self, given: Sequence[Any]) -> Order:
        count = len(self.ask.inputs)
        return order(self.studio, given[:count], given[count:])

    async def _start(self, *given: Any) -> AsyncIterator[tuple]:
        try:
            wanted = await asyncio.to_thread(self._order, given)
            job = self.studio.start(wanted.texts, wanted.method, wanted.values, video=wanted.video)
        except UserError as error:
            raise uploads.refused(error) from None
        async for shown in stage.follow(job, self.studio):
            yield shown

    def _stop(self, name: str) -> None:
        job = self.studio.runner.find(name)
        if job is not None:
            self.studio.runner.stop(job)

    async def _continue(self, name: str, *given: Any) -> AsyncIterator[tuple]:
        """A stopped run goes on; a finished one, or one with another prompt, starts anew from its picture."""
        try:
            run = self.studio.run(name)
            wanted = await asyncio.to_thread(self._order, given)
            if run.finished or wanted.texts != run.recipe["prompts"]:
                start = {"init": str(uploads.keep(self.studio.root, run.picture))}
                job = self.studio.start(wanted.texts, wanted.method, wanted.values | start, video=wanted.video)
            else:
                job = self.studio.resume(run, video=wanted.video)
        except UserError as error:
            raise uploads.refused(error) from None
        async for shown in stage.follow(job, self.studio):
            yield shown

    async def _vary(self, *given: Any) -> AsyncIterator[tuple]:
        """Four small pictures, of this seed and the next three."""
        try:
            wanted = await asyncio.to_thread(self._order, given)
            jobs = []
            for number in range(VARIATIONS):
                small = wanted.values | {"seed": wanted.values["seed"] + number, "size": shrunk(wanted.values["size"])}
                jobs.append(self.studio.start(wanted.texts, wanted.method, small, video=False))
        except UserError as error:
            raise uploads.refused(error) from None
        yield *(gr.skip(),) * 5, gr.update(visible=True), [], [], gr.update(interactive=False)
        done: list = []  # (picture, caption); `found` are their runs
        found: list[str] = []
        for number, job in enumerate(jobs):
            async for shown in stage.follow(job, self.studio):
                yield *shown, gr.update(visible=True), *(gr.skip(),) * 3
            if job.run.picture.exists():
                done.append((self._shown(job), f"seed {wanted.values['seed'] + number}"))
                found.append(job.name)
            yield *shown, gr.update(visible=True), list(done), list(found), gr.skip()
            await asyncio.sleep(stage.FRAME_SECONDS)  # of two yields at once the page may show the second alone

    def _shown(self, job: Job) -> Any:
        hidden = self.studio.screen.file(job.run.picture)
        return str(job.run.picture) if hidden is None else images.to_pil(hidden)

    def _pick(self, names: list[str], chosen: gr.SelectData) -> tuple:
        return names[chosen.index], gr.update(interactive=True)

    async def _refine(self, name: str, *given: Any) -> AsyncIterator[tuple]:
        """The variation at full size: from its picture where the method can start from one, else from its seed."""
        try:
            run = self.studio.run(name)
            wanted = await asyncio.to_thread(self._order, given)
            start = {"seed": run.recipe["settings"]["seed"]}
            if needs_photo(run.recipe["method"]) == "may":
                start["init"] = str(uploads.keep(self.studio.root, run.picture))
            job = self.studio.start(wanted.texts, wanted.method, wanted.values | start, video=wanted.video)
        except UserError as error:
            raise uploads.refused(error) from None
        async for shown in stage.follow(job, self.studio):
            yield shown
