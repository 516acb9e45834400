"""The Batch tab: many photos in many styles, a table that fills, at last a zip and the contact sheet."""

from __future__ import annotations

import asyncio
import html
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from apps import stage, uploads
from apps.edit import editing, fitted
from apps.runner import Work
from apps.studio import Studio, own_options, texts
from clipguide import batch, images, jobs, runs
from clipguide.errors import UserError
from clipguide.options import MIN_SIDE
from clipguide.weights import Models

FOLDER = "batches"  # of the runs' folder
ZIP, SHEET = "batch.zip", "contact-sheet.png"
MOST_PHOTOS, MOST_STYLES = 100, 20
WORDS = {"waiting": "waiting", "done": "done", "skipped": "done before", "failed": "failed", "stopped": "stopped"}


class Batch(Work):
    """A batch on its way.  refused: (photo's name, why) of those that are no pictures."""

    def __init__(self, folder: Path, wanted: Sequence[jobs.Job], refused: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"{FOLDER}/{folder.name}")
        self.folder, self.wanted, self.refused = folder, wanted, refused
        self.results: dict[str, batch.JobResult] = {}

    def do(self, models: Models) -> bool:
        crew = batch.Crew(models=models)
        for result in batch.run(self.wanted, self.folder, crew, asked_to_stop=lambda: self.asked_to_stop):
            self.results[result.name] = result
            self.version += 1
        self._zip()
        return not self.asked_to_stop

    def _zip(self) -> None:
        with zipfile.ZipFile(self.folder / ZIP, "w") as archive:
            for path in sorted(self.folder.iterdir()):
                if path.is_file() and path.name != ZIP and not path.name.startswith("."):
                    archive.write(path, path.name)


class Page:
    """The tab's components, and what happens between them."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.run = studio, gr.State("")
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=4, min_width=300):
                self._form()
            with gr.Column(scale=7, min_width=320):
                self._result()
        self._events()

    def _form(self) -> None:
        names = editing()
        first = next(iter(names))
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
            self.start = gr.Button("Start", variant="primary", elem_id="batch-start", scale=2)
            self.stop = gr.Button("Stop", interactive=False, elem_id="batch-stop")

    def _result(self) -> None:
        self.table = gr.HTML('<p class="quiet">Photos times styles: each pair is a row.</p>', elem_id="batch-table")
        self.sheet = gr.Image(label="Contact sheet", visible=False, interactive=False, elem_id="batch-sheet")
        self.zip = gr.File(label="Download", visible=False, interactive=False, elem_id="batch-zip")

    def _events(self) -> None:
        private = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        inputs = [self.photos, self.styles, self.method, self.steps, self.side]
        outputs = [self.run, self.table, self.start, self.stop, self.sheet, self.zip]
        self.method.change(lambda name: gr.update(info=editing().get(name)), self.method, self.method, **private)
        self.start.click(self._start, inputs, outputs, **private)
        self.stop.click(self._stop, self.run, **private)

    def _plan(self, photos: Sequence[str] | None, styles: str, method: str, steps: int, side: int) -> Batch:
        lines = [line.strip() for line in (styles or "").splitlines() if line.strip()]
        if not photos or len(photos) > MOST_PHOTOS:
            raise UserError(f"{len(photos or ())} photos are chosen; choose from 1 to {MOST_PHOTOS}")
        if not lines or len(lines) > MOST_STYLES:
            raise UserError(f"{len(lines)} styles are given; write from 1 to {MOST_STYLES}, one a line")
        prompts = [texts(self.studio.root, line)[0] for line in lines]
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
        if wanted:
            jobs.check(wanted)
        folder = self.studio.root / FOLDER / runs.slug(prompts[0])
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Batch(runs.unused(folder), wanted, refused)

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

    async def _start(self, *given: Any) -> AsyncIterator[tuple]:
        try:
            work = await asyncio.to_thread(self._plan, *given)
            if not work.wanted:
                raise UserError(work.refused[0][1])
            self.studio.runner.add(work)
        except UserError as error:
            raise uploads.refused(error) from None
        hidden = gr.update(visible=False)
        yield work.name, table(work), gr.update(interactive=False), gr.update(interactive=True), hidden, hidden
        async for _ in stage.changes(work, self.studio.runner):
            yield gr.skip(), table(work), *(gr.skip(),) * 4
        yield gr.skip(), gr.skip(), gr.update(interactive=True), gr.update(interactive=False), *self._products(work)

    def _products(self, work: Batch) -> tuple:
        """The contact sheet and the zip, where there are any and the filter hides none of the pictures."""
        pictures = [path for result in work.results.values() for path in result.files if path.suffix == ".png"]
        sheet, archive = work.folder / SHEET, work.folder / ZIP
        if not archive.exists() or any(self.studio.screen.file(path) is not None for path in pictures):
            return gr.update(visible=False), gr.update(visible=False)
        view = gr.update(value=images.to_pil(images.read(sheet)), visible=True) if sheet.exists() else gr.skip()
        return view, gr.update(value=str(archive), visible=True)

    def _stop(self, name: str) -> None:
        work = self.studio.runner.find_work(name)
        if work is not None:
            self.studio.runner.stop(work)


def table(work: Batch) -> str:
    """A row for each job, and for each photo that was refused."""
    done = sum(result.state in ("done", "skipped") for result in work.results.values())
    rows = [_row(name, "", "refused", None, 0, why) for name, why in work.refused]
    for job in work.wanted:
        result = work.results.get(job.name)
        state, score, seconds, why = ("waiting", None, 0, "") if result is None else _facts(result)
        rows.append(_row(job.where, job.prompts[0], state, score, seconds, why))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Photo", "Style", "State", "Score", "Time"))
    said = f"{done} of {len(work.wanted)} done" + (f", {len(work.refused)} refused" if work.refused else "")
    failed = f'<p role="alert" class="error">{html.escape(work.error)}</p>' if work.error else ""
    return (
        f'<p role="status">{stage.describe_state(work)}: {said}</p>{failed}<div class="scroll">'
        f'<table class="models"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _facts(result: batch.JobResult) -> tuple:
    return WORDS[result.state], result.score, result.seconds, result.error


def _row(photo: str, style: str, state: str, score: float | None, seconds: float, why: str) -> str:
    said = f"{state}: {why}" if why else state
    number = "" if score is None else f"{score:.3f}"
    cells = (photo, style, said, number, stage.clock(seconds) if seconds else "")
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
