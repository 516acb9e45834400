"""The Batch tab: many photos in many styles, a table that fills, at last a zip and the contact sheet."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from apps import batches, stage, uploads
from apps.batches import Batch, table
from apps.edit import editing, fitted
from apps.lazy import EVENT
from apps.studio import Studio, methods, own_options, texts
from clipguide import images, jobs, runs
from clipguide.errors import UserError
from clipguide.options import MIN_SIDE

MOST_PHOTOS, MOST_STYLES = 100, 20


class Page:
    """The tab's components, and what happens between them."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.run, self.place = studio, gr.State(""), gr.State(stage.Place())
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=4, min_width=300):
                self._form()
            with gr.Column(scale=7, min_width=320):
                self._result()
        self._events()

    def _form(self) -> None:
        names = editing(self.studio)
        first = jobs.PHOTO_METHOD if jobs.PHOTO_METHOD in names else next(iter(names))
        self.photos = gr.File(
            label="Photos", file_count="multiple", height=180, interactive=True, elem_id="batch-photos"
        )
        self.styles = gr.Textbox(
            label="Styles, one a line",
            lines=4,
            max_lines=10,
            placeholder="a mosaic of coloured tiles\na pencil drawing",
            interactive=True,
            elem_id="batch-styles",
        )
        self.method = gr.Dropdown(list(names), value=first, label="Method", info=names[first], interactive=True)
        number = {"precision": 0, "min_width": 100, "interactive": True}
        with gr.Row():
            self.steps = gr.Number(60, label="Steps", minimum=0, elem_id="batch-steps", **number)
            self.side = gr.Number(
                192, label="Worked out at, px", minimum=MIN_SIDE, maximum=1024, elem_id="batch-side", **number
            )
        with gr.Row():
            self.start = gr.Button("Start", variant="primary", elem_id="batch-start", scale=2, min_width=140)
            self.stop = gr.Button("Stop", interactive=False, elem_id="batch-stop", min_width=100)
        self.earlier = gr.Dropdown(
            self._earlier(),
            value=None,
            label="Earlier batches",
            info="newest first",
            interactive=True,
            elem_id="batch-earlier",
        )

    def _result(self) -> None:
        self.table = gr.HTML('<p class="quiet">Photos times styles: each pair is a row.</p>', elem_id="batch-table")
        self.go_on = gr.Button("Make what is left", visible=False, elem_id="batch-continue")
        self.sheet = gr.Image(
            label="Contact sheet",
            visible=False,
            interactive=False,
            buttons=["download", "fullscreen"],
            elem_id="batch-sheet",
        )
        self.zip = gr.File(label="Download", visible=False, interactive=False, elem_id="batch-zip")

    def _events(self) -> None:
        inputs = [self.place, self.photos, self.styles, self.method, self.steps, self.side]
        outputs = [self.run, self.table, self.start, self.stop, self.go_on, self.sheet, self.zip]
        self.method.change(lambda name: gr.update(info=methods()[name]), self.method, self.method, **EVENT)
        self.start.click(self._start, inputs, outputs, **EVENT).then(self.list, outputs=self.earlier, **EVENT)
        self.earlier.input(self._open, [self.place, self.earlier], outputs, trigger_mode="multiple", **EVENT)
        self.go_on.click(self._continue, [self.place, self.run], outputs, **EVENT)
        self.stop.click(lambda place: self.studio.runner.stop(*place.shown), self.place, **EVENT)

    def list_on(self, tab: gr.Tab) -> None:
        """Lists the earlier batches whenever the tab is opened again."""
        tab.select(self.list, outputs=self.earlier, **EVENT)

    def list(self) -> dict:
        """The update of the earlier batches."""
        return gr.update(choices=self._earlier())

    def _earlier(self) -> list[str]:
        return [folder.name for folder in batches.every(self.studio.root)]

    def _plan(self, photos: Sequence[str] | None, styles: str, method: str, steps: int, side: int) -> Batch:
        lines = [line.strip() for line in (styles or "").splitlines() if line.strip()]
        if not photos or len(photos) > MOST_PHOTOS:
            raise UserError(f"{len(photos or ())} photos are chosen; choose from 1 to {MOST_PHOTOS}")
        if not lines or len(lines) > MOST_STYLES:
            raise UserError(f"{len(lines)} styles are given; write from 1 to {MOST_STYLES}, one a line")
        prompts = list(dict.fromkeys(texts(self.studio.root, line)[0] for line in lines))
        kept, refused = self._kept(photos)
        settings: dict[str, Any] = {}
        if any(option.name == "steps" for option in own_options(method)):
            settings["steps"] = int(steps)
        sizes = {name: fitted(path, int(side)) for name, path in kept.items()}
        wanted = [
            jobs.Job(
                jobs.name_of(name, prompt, None),
                (prompt,),
                method,
                settings | {"init": path, "size": sizes[name]},
                name,
            )
            for name, path in kept.items()
            for prompt in prompts
        ]
        if not wanted:
            raise UserError(refused[0][1])
        jobs.check(wanted := jobs.apart(wanted))
        return batches.begun(self.studio.root, runs.slug(prompts[0]), wanted, refused)

    def _kept(self, photos: Sequence[str]) -> tuple[dict[str, Path], list[tuple[str, str]]]:
        """The pictures by a legal name of their own, and the others with what is wrong with them."""
        kept: dict[str, Path] = {}
        refused = []
        for photo in photos:
            called = Path(photo).name
            try:
                path = uploads.keep(self.studio.root, photo)
            except UserError as error:
                refused.append((called, str(error)))
                continue
            name, number = runs.slug(Path(called).stem), 1
            while name in kept:
                number += 1
                name = f"{runs.slug(Path(called).stem)}-{number}"
            kept[name] = path
        return kept, refused

    def _begin(self, *given: Any) -> Batch:
        work = self._plan(*given)
        try:
            self.studio.runner.add(work)
        except UserError:
            shutil.rmtree(work.folder)
            raise
        return work

    async def _start(self, place: stage.Place, *given: Any) -> AsyncIterator[tuple]:
        try:
            work = await asyncio.to_thread(self._begin, *given)
        except UserError as error:
            raise uploads.refused(error) from None
        async for shown in self._follow(work, place.take(work)):
            yield shown

    async def _open(self, place: stage.Place, name: str) -> AsyncIterator[tuple]:
        """Shows a batch that was made earlier, or watches one that is being made."""
        wanted = place.take()
        work = await asyncio.to_thread(self._find, name)
        async for shown in self._follow(work, place.take(work) if wanted() else wanted):
            yield shown

    async def _continue(self, place: stage.Place, name: str) -> AsyncIterator[tuple]:
        work = await asyncio.to_thread(self._find, name.rpartition("/")[2])
        try:
            if work.over:
                self.studio.runner.add(work)
        except UserError as error:
            raise uploads.refused(error) from None
        async for shown in self._follow(work, place.take(work)):
            yield shown

    def _find(self, name: str) -> Batch:
        work = self.studio.runner.find_work(f"{batches.FOLDER}/{name}")
        try:
            return work if isinstance(work, Batch) else batches.reopened(self.studio.root, name)
        except UserError as error:
            raise uploads.refused(error) from None

    async def _follow(self, work: Batch, wanted: Callable[[], bool]) -> AsyncIterator[tuple]:
        """All the outputs, each time that something of them has changed, for as long as it is wanted."""
        running = gr.update(interactive=False), gr.update(interactive=True), *(gr.update(visible=False),) * 3
        async for _ in stage.changes(work, self.studio.runner, wanted):
            yield work.name, table(work), *running
        products = await asyncio.to_thread(self._products, work) if wanted() else ()
        if not wanted():
            yield stage.nothing(7)
            return
        buttons = gr.update(interactive=True), gr.update(interactive=False), gr.update(visible=work.left > 0)
        yield work.name, table(work), *buttons, *products

    def _products(self, work: Batch) -> tuple:
        """The contact sheet and the zip, where there are any and the filter hides none of the pictures."""
        pictures = [path for result in list(work.results.values()) for path in result.files if path.suffix == ".png"]
        sheet = work.folder / batches.SHEET
        hidden = gr.update(visible=False)
        if not pictures or any(self.studio.screen.file(path) is not None for path in pictures):
            return hidden, hidden
        view = gr.update(value=images.to_pil(images.read(sheet)), visible=True) if sheet.exists() else hidden
        return view, gr.update(value=str(work.zip()), visible=True)
