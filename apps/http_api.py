"""The same functions over HTTP, for gradio_client; see docs/app.md."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr

from apps import boxes, describe, stage, uploads
from apps.compare import MOST_TEXTS
from apps.controls import checked
from apps.runner import Job
from apps.studio import Studio, methods, own_options, texts
from clipguide import images, runs, scores
from clipguide.errors import UserError
from clipguide.options import Common, options, show
from clipguide.weights import FINDER


class Endpoints:
    """Named endpoints over components that no page shows.  Pictures go in and out as files, the rest as JSON."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        away = {"visible": False}  # each of them, else the browser fetches the code that shows it
        with gr.Row(**away):
            text, method, name, clip = (gr.Textbox(**away) for _ in range(4))
            settings, lines, facts = (gr.JSON(**away) for _ in range(3))
            start, picture = (boxes.Picture(studio.root, "picture", **away) for _ in range(2))
            result, found = gr.Image(type="filepath", format="png", **away), gr.File(file_count="multiple", **away)
            asked = gr.Button(**away)
        many = {"concurrency_limit": None}
        asked.click(self.make, [text, method, settings, start], [facts, result], api_name="make", **many)
        asked.click(self.methods, [], facts, api_name="methods")
        asked.click(self.runs, [], facts, api_name="runs")
        asked.click(self.run, name, [facts, found], api_name="run")
        asked.click(self.stop, name, facts, api_name="stop")
        asked.click(self.score, [picture, lines, clip], facts, api_name="score")

    async def make(self, prompt: str, method: str, settings: Any, start: str | None) -> Any:
        """Makes a picture and streams it: facts as JSON, and the picture as it stands.  An empty method is the default.

        settings: any of the method's by name, without files.  start: an image to start from.
        """
        try:
            job = await asyncio.to_thread(self._job, prompt, method, settings, start)
        except UserError as error:
            raise uploads.refused(error) from None
        async for _ in stage.changes(job, self.studio.runner):
            yield facts(job), await asyncio.to_thread(self._frame, job)

    def _job(self, prompt: str, method: str, settings: Any, start: str | None) -> Job:
        known = own_options(method) if method else []
        known = {option.name: option for option in [*known, *options(Common)]}
        given = settings or {}
        if not isinstance(given, dict):
            raise UserError("settings: give a JSON object of names and values")
        if given and not method:
            raise UserError("settings: name the method too")
        for name, value in given.items():
            if name not in known:  # it may name a folder of the server
                raise UserError(f"settings: {method} has no '{name}' here; /methods lists what it has")
            checked(known[name], value, self.studio.catalogue, self.studio.root)
        init = {"init": start} if start else {}
        return self.studio.start(texts(self.studio.root, prompt or ""), method, {**given, **init})

    def _frame(self, job: Job) -> Any:
        if job.image is not None:
            return images.to_pil(self.studio.screen.show(stage.tiled(job.image)))
        if not job.over or not job.run.picture.exists():
            return None
        hidden = self.studio.screen.file(job.run.picture)
        return str(job.run.picture) if hidden is None else images.to_pil(hidden)

    def methods(self) -> dict[str, Any]:
        """Every method with its line and its settings."""
        return {name: {"about": line, "settings": _described(name)} for name, line in methods().items()}

    def runs(self) -> list[dict[str, Any]]:
        """Every run, newest first."""
        every, runner = runs.every(self.studio.root), self.studio.runner
        return [{"run": run.folder.name, "state": describe.state(run, runner)} for run in every]

    def run(self, name: str) -> tuple[dict[str, Any], list[str]]:
        """A run's recipe and state, and its files."""
        try:
            run = self.studio.run(name)
            return run.recipe | {"state": describe.state(run, self.studio.runner)}, stage.files(run, self.studio.screen)
        except UserError as error:
            raise uploads.refused(error) from None

    def stop(self, name: str) -> dict[str, Any]:
        """Ends a run after the step at hand; its picture is kept."""
        job = self.studio.runner.find(name)
        if job is None:
            raise uploads.refused(UserError(f"no run '{name}' is going on"))
        self.studio.runner.stop(job)
        return facts(job)

    def score(self, picture: str | None, lines: Any, clip: str) -> dict[str, Any]:
        """The cosine of a picture with each text, and the text's share.  An empty clip is FINDER."""
        clips = self.studio.catalogue.names("clip")
        if picture is None or not lines or not isinstance(lines, list) or not all(isinstance(t, str) for t in lines):
            raise uploads.refused(UserError("give a picture, and a list of texts"))
        if len(lines) > MOST_TEXTS:
            raise uploads.refused(UserError(f"{len(lines)} texts are given; give at most {MOST_TEXTS}"))
        if (clip or FINDER) not in clips:
            raise uploads.refused(UserError(f"there is no CLIP '{clip}' here; there are: {', '.join(clips)}"))
        encoder = self.studio.models.encoder(clip or FINDER)
        cosines = scores.similarities(encoder, images.read(picture), lines)
        shares = scores.label_shares(encoder, cosines)[0].tolist()
        return {line: {"cosine": c, "share": s} for line, c, s in zip(lines, cosines[0].tolist(), shares, strict=True)}


def facts(job: Job) -> dict[str, Any]:
    """How a run stands."""
    return {
        "run": job.name,
        "state": job.state,
        "error": job.error,
        "step": job.step,
        "total": job.total,
        "score": job.score,
        "seconds_left": job.seconds_left,
    }


def _described(method: str) -> dict[str, str]:
    return {option.name: f"{option.help} (default {show(option.default)})" for option in own_options(method)}
