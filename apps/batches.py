"""Batches of the page: work in the line while they are made, folders that can be opened again afterwards."""

from __future__ import annotations

import html
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from apps import stage
from apps.runner import Work
from clipguide import batch, images, jobs, manifest, runs
from clipguide.errors import UserError
from clipguide.weights import Models

FOLDER, PHOTOS = "batches", "photos"  # of the runs' folder, and of a batch's
ZIP, SHEET = "batch.zip", f"{jobs.SHEET}.png"
ASKED = ".asked.json"  # what the visitor calls the photos, and those that were refused
WORDS = {"waiting": "waiting", "done": "done", "skipped": "done before", "failed": "failed", "stopped": "stopped"}


class Batch(Work):
    """A batch of the page.  refused: (photo's name, why) of those that are no pictures."""

    def __init__(self, folder: Path, wanted: Sequence[jobs.Job], refused: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"{FOLDER}/{folder.name}")
        self.folder, self.wanted, self.refused = folder, wanted, refused
        self.results: dict[str, batch.JobResult] = {}

    @property
    def left(self) -> int:
        """How many of the pictures are not made."""
        return len(self.wanted) - sum(state in ("done", "skipped") for state in _states(self))

    def do(self, models: Models) -> bool:
        crew = batch.Crew(models=models)
        for result in batch.run(self.wanted, self.folder, crew, asked_to_stop=lambda: self.asked_to_stop):
            if result.state != "skipped" or result.name not in self.results:
                self.results[result.name] = result
            self.version += 1
        self.zip()
        return not self.asked_to_stop

    def zip(self) -> Path:
        """All the files in one, which is whole whenever it is there, and made anew where it is older than the batch."""
        whole, noted = self.folder / ZIP, self.folder / manifest.NAME
        if whole.exists() and whole.stat().st_mtime_ns >= noted.stat().st_mtime_ns:
            return whole
        partial = images.partial_name(whole)
        with zipfile.ZipFile(partial, "w") as archive:
            for path in sorted(self.folder.iterdir()):
                if path.is_file() and path.name != ZIP and not path.name.startswith("."):
                    archive.write(path, path.name)
        return partial.replace(whole)


def begun(root: Path, name: str, wanted: Sequence[jobs.Job], refused: Sequence[tuple[str, str]]) -> Batch:
    """A new batch, in a folder of its own that says from the start what is wanted: a restart finds it again.

    Its photos lie there under the visitor's names for them, which the contact sheet shows.
    """
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    folder = runs.make_unused(root / FOLDER / name)
    named = []
    for job in wanted:
        photo = folder / PHOTOS / f"{job.where}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        if not photo.exists():
            shutil.copyfile(job.photo, photo)
        named.append(replace(job, settings={**job.settings, "init": photo}))
    asked = {"photos": {job.name: job.where for job in named}, "refused": refused}
    images.write(folder / ASKED, json.dumps(asked, ensure_ascii=False).encode())
    lines = manifest.Manifest(folder)
    for task in jobs.check(named):
        lines.note(asdict(task), manifest.Outcome())
    lines.write()
    return Batch(folder, named, refused)


def every(root: Path) -> list[Path]:
    """The batches' folders, the newest first.  Links are not followed."""
    home = root / FOLDER
    found = [folder for folder in home.iterdir() if not folder.is_symlink()] if home.is_dir() else []
    found = [folder for folder in found if (folder / manifest.NAME).is_file()]
    return sorted(found, key=lambda folder: (folder / manifest.NAME).stat().st_mtime_ns, reverse=True)


def reopened(root: Path, name: str) -> Batch:
    """The batch of that name, as its folder tells it.  The name is compared, never made into a path."""
    folder = next((folder for folder in every(root) if folder.name == name), None)
    if folder is None:
        raise UserError(f"there is no batch '{name}' any more; choose another")
    entries, asked = manifest.read(folder / manifest.NAME), _asked(folder)
    wanted = [
        jobs.Job(
            entry["name"],
            tuple(entry["prompts"]),
            entry["method"],
            entry["settings"],
            asked.get("photos", {}).get(entry["name"], entry["name"]),
        )
        for entry in entries
    ]
    found = Batch(folder, wanted, [tuple(pair) for pair in asked.get("refused", ())])
    for job, entry in zip(wanted, entries, strict=True):
        if entry["state"] != "waiting":
            found.results[job.name] = _result(folder, job, manifest.outcome(entry))
    found.state = "stopped" if len(found.results) < len(wanted) or "stopped" in _states(found) else "done"
    return found


def _states(work: Batch) -> list[str]:
    return [result.state for result in list(work.results.values())]  # a copy: the worker may be adding to them


def _asked(folder: Path) -> dict:
    try:
        return json.loads((folder / ASKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a batch of the command line
        return {}


def _result(folder: Path, job: jobs.Job, came: manifest.Outcome) -> batch.JobResult:
    files = tuple(folder / file for file in came.files)
    return batch.JobResult(job.name, job.photo, job.prompts, came.state, files, came.seconds, came.score, came.error)


def table(work: Batch) -> str:
    """A row for each job, and for each photo that was refused, as HTML."""
    rows = [_row(name, "", "refused", None, 0, why) for name, why in work.refused]
    for job in work.wanted:
        result = work.results.get(job.name)
        state, score, seconds, why = ("waiting", None, 0, "") if result is None else _facts(result)
        rows.append(_row(job.where, job.prompts[0], state, score, seconds, why))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Photo", "Style", "State", "Score", "Time"))
    done = len(work.wanted) - work.left
    said = f"{done} of {len(work.wanted)} done" + (f", {len(work.refused)} refused" if work.refused else "")
    failed = f'<p role="alert" class="error">{html.escape(work.error)}</p>' if work.error else ""
    return (
        f'<p role="status">{stage.WORDS[work.state]}: {said}</p>{failed}<div class="scroll">'
        f'<table class="models"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _facts(result: batch.JobResult) -> tuple:
    return WORDS[result.state], result.score, result.seconds, result.error


def _row(photo: str, style: str, state: str, score: float | None, seconds: float, why: str) -> str:
    said = f"{state}: {why}" if why else state
    number = "" if score is None else f"{score:.3f}"
    cells = (photo, style, said, number, stage.clock(seconds) if seconds else "")
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
