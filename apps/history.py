"""The History tab: every run, read from the folders themselves; so it survives restarts."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from apps import ask, describe, make, order, stage, uploads
from apps.lazy import EVENT, one_at_a_time
from apps.runner import Job
from apps.studio import Studio
from clipguide import images, runs, video
from clipguide.errors import UserError
from clipguide.options import show

ON_A_PAGE = 24
THUMBNAIL = 192  # px of the longer side
NOTHING = '<p class="quiet">Choose a run above.</p>'


class Page:
    """The tab's components, and what happens between them.  `making` is the Make tab, where runs can be opened."""

    def __init__(self, studio: Studio, making: make.Page, tabs: gr.Tabs) -> None:
        self.studio, self.making, self.tabs = studio, making, tabs
        shown, names = self._found()
        self.names, self.run = gr.HTML(names, visible=False), gr.State("")  # names: those of the gallery that is seen
        self.place, self.doomed = gr.State(stage.Place()), gr.State("")  # doomed: which run is asked about
        with gr.Row(elem_classes="ends"):
            self.search = gr.Textbox(
                label="Search", placeholder="words of the prompt", max_lines=1, elem_id="history-search"
            )
            self.page = gr.Number(1, label="Page", precision=0, minimum=1, interactive=True, scale=0, min_width=110)
            self.refresh = gr.Button("Refresh", scale=0, min_width=120, elem_id="history-refresh")
        self.gallery = gr.Gallery(
            shown,
            label="Runs, newest first",
            show_label=False,
            columns=8,
            object_fit="contain",
            allow_preview=False,
            interactive=False,
            fit_columns=False,
            buttons=[],
            elem_id="history",
        )
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=5, min_width=320):
                self.stage = gr.HTML(NOTHING, padding=False, elem_id="history-stage")
            with gr.Column(scale=5, min_width=320):
                with gr.Row():
                    self.open = gr.Button("Open in Make", interactive=False, min_width=130, elem_id="history-open")
                    self.again = gr.Button("Run again", interactive=False, min_width=110, elem_id="history-again")
                    self.go_on = gr.Button("Continue", interactive=False, min_width=110, elem_id="history-continue")
                with gr.Row():
                    self.video = gr.Button("Make a video", interactive=False, min_width=130, elem_id="history-video")
                    self.delete = gr.Button(
                        "Delete", variant="stop", interactive=False, min_width=110, elem_id="history-delete"
                    )
                self.sure = gr.Button("Yes, delete it", variant="stop", visible=False, elem_id="history-sure")
                self.details = gr.HTML(padding=False, elem_id="history-details")
                self.files = stage.downloads(elem_id="history-files")
        self._events()

    @property
    def buttons(self) -> list[gr.Button]:
        return [self.open, self.again, self.go_on, self.video, self.delete]

    def _events(self) -> None:
        listing = [self.gallery, self.names]
        gr.on([self.refresh.click, self.page.submit], self.list, [self.search, self.page], listing, **EVENT)
        self.search.submit(lambda search: (*self.list(search, 1), 1), self.search, [*listing, self.page], **EVENT)
        shown = [self.run, self.stage, self.details, self.files, *self.buttons, self.sure]
        self.gallery.select(self._select, [self.place, self.names], shown, trigger_mode="multiple", **EVENT)
        self.video.click(self._make_video, self.run, self.files, **one_at_a_time("video"))
        form, stage_of = self.making.ask, [self.making.place, self.run]
        fields = [form.prompt, form.negative, form.method, form.steps, form.aspect, form.side, form.seed, form.start]
        told = [*fields, self.making.filled, *self.making.outputs, self.tabs]
        for button, act in ((self.open, self._open), (self.again, self._again), (self.go_on, self._continue)):
            begun = button.click(act, stage_of, told, **EVENT)
            begun.success(  # an event of its own: whoever watches can press the button again
                self.making.watch, self.making.place, self.making.outputs, trigger_mode="multiple", **EVENT
            )
        self.delete.click(self._ask, self.run, [self.doomed, self.sure], **EVENT)
        self.sure.click(self._delete, [self.place, self.doomed], shown, **EVENT).then(
            self.list, [self.search, self.page], listing, **EVENT
        )

    def list_on(self, tab: gr.Tab) -> None:
        """Lists the runs whenever the tab is opened again."""
        tab.select(
            self.list,
            [self.search, self.page],
            [self.gallery, self.names],
            **EVENT,
        )

    def list(self, search: str, page: int) -> tuple:
        """The update of the gallery, with none of the runs picked, and their names."""
        shown, names = self._found(search, page)
        return gr.update(value=shown, selected_index=None), names

    def _found(self, search: str = "", page: int = 1) -> tuple[list[tuple[Any, str]], str]:
        """The thumbnails of a page of the runs whose prompt has the words, and their names, joined by slashes."""
        words = (search or "").lower().split()
        found = [run for run in runs.every(self.studio.root) if not words or describe.has(run, words)]
        found = found[(int(page or 1) - 1) * ON_A_PAGE :][:ON_A_PAGE]
        shown = [(self._thumbnail(run), self._caption(run)) for run in found]
        return shown, "/".join(run.folder.name for run in found)

    def _thumbnail(self, run: runs.Run) -> Any:
        for path in (run.picture, run.folder / "preview.png"):
            if path.exists():
                hidden = self.studio.screen.file(path)
                picture = images.read(path, longest=THUMBNAIL) if hidden is None else hidden
                return images.to_pil(picture)
        return images.to_pil(torch.full((1, 3, THUMBNAIL, THUMBNAIL), 0.85))

    def _caption(self, run: runs.Run) -> str:
        said = " | ".join(describe.recipe(run).get("prompts", [])) or run.folder.name
        state = stage.WORDS[describe.state(run, self.studio.runner)]
        return f"{said[:40]}{'' if state == 'Done' else f' ({state.lower()})'}"

    async def _select(self, place: stage.Place, names: str, chosen: gr.SelectData) -> AsyncIterator[tuple]:
        """Shows the run, and watches it for as long as it goes on, or until another one is chosen."""
        wanted = place.take()
        try:
            run = self.studio.run(names.split("/")[chosen.index])
        except UserError as error:
            raise uploads.refused(error) from None
        job = self.studio.runner.find(run.folder.name)
        going_on = job is not None and not job.over  # asked before it is shown: it may end at any moment
        shown = await asyncio.to_thread(self._shown, run)
        if wanted():
            yield shown
        if going_on:
            await asyncio.sleep(stage.LOOK_SECONDS)  # of two yields at once the page may show the second alone
            async for view in stage.watch(job, self.studio, wanted):
                yield gr.skip(), view, *stage.nothing(8)
            shown = await asyncio.to_thread(self._shown, run)
            if wanted():
                yield *shown[:-1], gr.skip()  # a visitor may have been asked meanwhile whether to delete it
        if not wanted():
            yield stage.nothing(len(shown))

    def _shown(self, run: runs.Run) -> tuple:
        job, found = self.studio.runner.find(run.folder.name), stage.files(run, self.studio.screen)
        if run.picture.exists():
            picture = stage.finished(run.pictures(), html.escape(run.folder.name), self.studio.screen)
        else:
            picture = stage.blank("No picture yet")
        running = job is not None and not job.over
        able = [True, True, not run.finished and not running, bool(run.frames()), True]
        buttons = [gr.update(interactive=each) for each in able]
        files = gr.update(value=found, visible=bool(found))
        figure = f'<figure class="stage">{picture}</figure>'
        return (
            run.folder.name,
            figure,
            describe.details(run, self.studio.runner),
            files,
            *buttons,
            gr.update(visible=False),
        )

    def _open(self, place: stage.Place, name: str) -> tuple:
        """Puts the run on the stage of the Make tab, and what it was made with into its form, and opens that."""
        run, job = self._find(name), self.studio.runner.find(name)
        going_on = job is not None and not job.over
        place.take(*[job] if going_on else [])
        made = describe.recipe(run)
        settings = made["settings"]
        aspect, side = order.nearest(settings["size"])
        fits = order.size(aspect, side) == tuple(settings["size"])
        init = settings.get("init")
        filled = ask.filled(self.studio.root, made)
        _, figure, _, files, *_ = self._shown(run)
        return (
            " | ".join(made["prompts"]),
            "",
            made["method"],
            ask.steps(made["method"], filled=filled),
            aspect,
            gr.update(value=side, info="" if fits else f"{show(settings['size'])}, as the run was, until changed"),
            settings["seed"],
            init if init and Path(init).is_file() else None,
            filled,
            figure,
            name,
            gr.update(interactive=not going_on),
            gr.update(interactive=going_on),
            files,
            gr.Tabs(selected="make"),
        )

    def _find(self, name: str) -> runs.Run:
        try:
            return self.studio.run(name)
        except UserError as error:
            raise uploads.refused(error) from None

    def _again(self, place: stage.Place, name: str) -> tuple:
        made = describe.recipe(self._find(name))
        return self._open(place, self._begun(self.studio.start, made["prompts"], made["method"], made["settings"]))

    def _continue(self, place: stage.Place, name: str) -> tuple:
        return self._open(place, self._begun(self.studio.resume, self._find(name)))

    def _begun(self, begin: Callable[..., Job], *given: Any) -> str:
        """The name of the job that was begun."""
        try:
            return begin(*given).name
        except UserError as error:
            raise uploads.refused(error) from None

    def _make_video(self, name: str) -> dict:
        run = self._find(name)
        frames = run.frames()
        if not frames:
            raise uploads.refused(UserError("this run kept no frames; tick 'Keep frames for a video' before Start"))
        video.write(run.folder / "video.mp4", (images.read(frame) for frame in frames), fps=12)
        return gr.update(value=stage.files(run, self.studio.screen), visible=True)

    def _ask(self, name: str) -> tuple:
        return name, gr.update(visible=True, value=f"Yes, delete {name}")

    def _delete(self, place: stage.Place, name: str) -> tuple:
        run = self._find(name)
        place.take()
        job = self.studio.runner.find(name)
        if job is not None:
            self.studio.runner.forget(job)
        run.remove()
        off = [gr.update(interactive=False) for _ in self.buttons]
        return "", NOTHING, "", gr.update(visible=False), *off, gr.update(visible=False)
