"""The Make tab: words in, a picture that grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import gradio as gr

from apps import boxes, order, stage, uploads
from apps.ask import STEPS, Ask, steps, steps_control
from apps.controls import folded
from apps.lazy import EVENT
from apps.order import ASPECTS, GRID, PRESETS, SIDES, shrunk
from apps.runner import Job
from apps.studio import Studio, example, methods, needs_photo, own_options
from clipguide import images
from clipguide.errors import UserError
from clipguide.methods import DEFAULT
from clipguide.runs import Run

Action = Callable[..., AsyncIterator[tuple]]
VARIATIONS = 4
ROLL = "() => Math.floor(Math.random() * 2 ** 31)"


class Page:
    """The tab's components, and what happens between them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.run = gr.State("")  # the name of the run on the stage
        self.place = gr.State(stage.Place())
        self.filled = gr.State({})  # settings of a run that was opened here: name -> value
        self.four_runs, self.picked = gr.State([]), gr.State("")  # of the variations, and the one that is picked
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=5, min_width=320):
                self.ask = self._form()
            with gr.Column(scale=6, min_width=320):
                self._result()
        self.outputs = [self.stage, self.run, self.start, self.stop, self.files]
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
            self.start = gr.Button(stage.START, variant="primary", elem_id="start", scale=2, min_width=140)
            self.stop = gr.Button(stage.STOP, interactive=False, elem_id="stop", min_width=100)
        with gr.Accordion("Leave out, image prompts, start image", open=False) as self.more:
            negative = gr.Textbox(label="Leave out", placeholder="text | blurry", max_lines=2, interactive=True)
            with gr.Row():
                pictures = gr.File(label="Image prompts", file_count="multiple", height=120, interactive=True)
                weight = gr.Slider(-2, 2, 1, step=0.1, label="Their weight", interactive=True)
            start = boxes.Picture(self.studio.root, "Start image", elem_id="start-image")
            video = gr.Checkbox(True, label="Keep frames for a video", interactive=True)
        names = self.studio.offered()
        method = gr.Dropdown(
            list(names), value=DEFAULT, label="Method", info=names[DEFAULT], interactive=True, elem_id="method"
        )
        self.use_example = gr.Button(f"Example: {example(DEFAULT)}", size="sm", variant="secondary", elem_id="example")
        preset = gr.Radio(list(PRESETS), value="standard", label="Quality", interactive=True, elem_id="preset")
        with gr.Row(equal_height=True):
            count = steps_control(self.studio)
            side = gr.Slider(*SIDES, 256, step=GRID, label="Longer side, px", interactive=True, elem_id="side")
        with gr.Row(equal_height=True):
            aspect = gr.Dropdown(list(ASPECTS), value="square", label="Shape", min_width=100, interactive=True)
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=90, interactive=True, elem_id="seed")
            self.dice = gr.Button("⚄ Roll", scale=0, min_width=90, elem_id="dice")
        with gr.Accordion("Advanced settings", open=False, elem_id="advanced") as self.advanced:
            self.unfolded = gr.HTML("", visible=False)  # not empty once the fold was opened
            self.own = gr.Column()  # of the method's own settings
        return Ask(prompt, negative, pictures, weight, method, preset, count, aspect, side, seed, start, video)

    def _result(self) -> None:
        self.stage = gr.HTML(stage.EMPTY, padding=False, elem_id="stage")
        with gr.Row():
            self.go_on = gr.Button("Continue", elem_id="continue", min_width=120)
            self.vary = gr.Button("Variations", elem_id="variations", min_width=120)
        self.files = stage.downloads(height=140)
        with gr.Group(visible=False) as self.four:
            self.gallery = gr.Gallery(
                label="Variations: pick one",
                columns=VARIATIONS,
                height=170,
                object_fit="contain",
                allow_preview=False,
                visible=False,  # that the browser fetches its code when there is something to show
                elem_id="four",
            )
            self.refine = gr.Button(
                "Refine the one that is picked", variant="primary", interactive=False, elem_id="refine"
            )

    def _events(self) -> None:
        ask = self.ask
        self.dice.click(None, js=ROLL, outputs=ask.seed, api_visibility="private")
        told = [ask.method, ask.preset, self.filled]
        described = [ask.method, self.use_example, ask.prompt, ask.start, self.more, ask.steps]
        ask.method.change(self._describe, told, described, **EVENT)
        self.use_example.click(example, ask.method, ask.prompt, **EVENT)
        ask.preset.input(self._set_quality, told, [ask.side, ask.steps, self.filled], **EVENT)
        ask.start.upload(lambda path: None, ask.start, **EVENT).failure(lambda: None, outputs=ask.start, **EVENT)
        self.start.click(None, js=stage.SHOW % "stage", api_visibility="private")
        self.stop.click(lambda place: self.studio.runner.stop(*place.shown), self.place, **EVENT)
        self.gallery.select(self._pick, self.four_runs, [self.picked, self.refine], **EVENT)
        self.advanced.expand(None, js="() => 'unfolded'", outputs=self.unfolded, api_visibility="private")
        self._bind([self.filled, self.unfolded], self._while_folded)
        changes = [ask.method.change, self.filled.change, self.unfolded.change]
        with self.own:
            told = [ask.method, self.filled, self.unfolded]
            gr.render(told, changes, queue=False, show_progress="hidden")(self._settings)

    def _settings(self, method: str, filled: dict[str, Any], unfolded: str) -> None:
        """Draws the method's other settings once their fold was opened, and binds the buttons to them."""
        if not unfolded:
            return
        shown = [option for option in own_options(method) if option.name != STEPS]
        known = filled if filled.get("method") == method else {}
        controls = folded(shown, known, self.studio.catalogue, self.studio.root)
        drawn = gr.State({"method": method, "names": [option.name for option in shown], "filled": filled})
        self._bind([drawn, *controls], lambda act: act)

    def _bind(self, others: list[gr.components.Component], wrapped: Callable[[Action], Action]) -> None:
        """Binds what makes a picture to the form's fields, and to others after them."""
        inputs, outputs = [*self.ask.inputs, *others], self.outputs
        begin, go_on, refine = (wrapped(self._shows(each)) for each in (self._begun, self._gone_on, self._refined))
        gr.on([self.start.click, self.ask.prompt.submit], begin, [self.place, *inputs], outputs, **EVENT)
        self.go_on.click(go_on, [self.place, self.run, *inputs], outputs, **EVENT)
        four = [self.four, self.gallery, self.four_runs, self.refine]
        self.vary.click(wrapped(self._vary), [self.place, *inputs], [*outputs, *four], **EVENT)
        self.refine.click(refine, [self.place, self.picked, *inputs], outputs, **EVENT)

    def _while_folded(self, act: Action) -> Action:
        """The action as long as no other settings are drawn; those are bound to it themselves."""

        async def begin(*given: Any) -> AsyncIterator[tuple]:
            *fields, filled, unfolded = given
            if not unfolded:
                async for shown in act(*fields, {"method": None, "names": [], "filled": filled}):
                    yield shown

        return begin

    def _set_quality(self, method: str, preset: str, filled: dict[str, Any]) -> tuple:
        """The side, the steps, and the settings of an opened run without the steps."""
        filled = {name: value for name, value in filled.items() if name != STEPS}
        return PRESETS[preset][1], steps(method, preset, filled), filled

    def _describe(self, method: str, preset: str, filled: dict[str, Any]) -> tuple:
        photo = {"must": "Start image: this method needs one", "may": "Start image"}.get(needs_photo(method))
        return (
            gr.update(info=methods()[method]),
            f"Example: {example(method)}",
            gr.update(placeholder=example(method)),
            gr.update(visible=photo is not None, label=photo),
            gr.update(open=True) if needs_photo(method) == "must" else gr.skip(),
            steps(method, preset, filled),
        )

    def _order(self, given: Sequence[Any]) -> order.Order:
        """Of the form's fields, of what is drawn under Advanced settings, and of the controls there."""
        count = len(self.ask.inputs)
        return order.order(self.studio, given[:count], given[count], given[count + 1 :])

    def _shows(self, make: Callable[..., Job]) -> Action:
        """The action that has a job made, in a thread, and shows it."""

        async def act(place: stage.Place, *given: Any) -> AsyncIterator[tuple]:
            try:
                job = await asyncio.to_thread(make, *given)
            except UserError as error:
                raise uploads.refused(error) from None
            async for shown in stage.follow(job, self.studio, place.take(job)):
                yield shown

        return act

    async def watch(self, place: stage.Place) -> AsyncIterator[tuple]:
        """Shows what another tab has put there, if it goes on."""
        if not place.shown:
            yield stage.nothing(len(self.outputs))
            return
        job = place.shown[0]
        async for shown in stage.follow(job, self.studio, place.take(job)):
            yield shown

    def _begun(self, *given: Any, **start: Any) -> Job:
        wanted = self._order(given)
        return self.studio.start(wanted.texts, wanted.method, wanted.values | start, video=wanted.video)

    def _gone_on(self, name: str, *given: Any) -> Job:
        """A stopped run goes on; a finished one, or one with another prompt, starts anew from its picture."""
        run, wanted = self.studio.run(name), self._order(given)
        if not run.finished and order.asks_for(wanted.texts, run.recipe):
            return self.studio.resume(run, video=wanted.video)
        return self._begun(*given, init=self._picture(run))

    def _refined(self, name: str, *given: Any) -> Job:
        """The variation at full size: from its picture where the method can start from one, else from its seed."""
        run = self.studio.run(name)
        start = {"init": self._picture(run)} if needs_photo(run.recipe["method"]) == "may" else {}
        return self._begun(*given, seed=run.recipe["settings"]["seed"], **start)

    def _picture(self, run: Run) -> str:
        """Where its picture is kept to start from."""
        return str(uploads.keep(self.studio.root, self.studio.drawn(run)))

    def _four(self, *given: Any) -> list[Job]:
        wanted = self._order(given)
        seeds = range(wanted.values["seed"], wanted.values["seed"] + VARIATIONS)
        small = [wanted.values | {"seed": seed, "size": shrunk(wanted.values["size"])} for seed in seeds]
        return self.studio.start_all(wanted.texts, wanted.method, small, video=False)

    async def _vary(self, place: stage.Place, *given: Any) -> AsyncIterator[tuple]:
        """Four small pictures, of this seed and the next three."""
        try:
            jobs = await asyncio.to_thread(self._four, *given)
        except UserError as error:
            raise uploads.refused(error) from None
        wanted = place.take(*jobs)
        shown_four = gr.update(visible=True), gr.update(value=[], visible=True)
        yield *stage.nothing(5), *shown_four, [], gr.update(interactive=False)
        done: list = []  # (picture, caption); `found` are their runs
        found: list[str] = []
        for job in jobs:
            await asyncio.sleep(stage.LOOK_SECONDS)  # of two yields at once the page may show the second alone
            async for shown in stage.follow(job, self.studio, wanted):
                yield *shown, gr.update(visible=True), *stage.nothing(3)
            if not wanted():
                return
            if job.run.picture.exists():
                done.append((self._shown(job), f"seed {job.planned.common.seed}"))
                found.append(job.name)
            yield *shown, gr.update(visible=True), list(done), list(found), gr.skip()

    def _shown(self, job: Job) -> Any:
        hidden = self.studio.screen.file(job.run.picture)
        return str(job.run.picture) if hidden is None else images.to_pil(hidden)

    def _pick(self, names: list[str], chosen: gr.SelectData) -> tuple:
        return names[chosen.index], gr.update(interactive=True)
