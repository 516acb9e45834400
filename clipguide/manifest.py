"""The manifest of a batch: manifest.jsonl, a line for each job.

    name        of the job's files, without ending
    method, prompts, settings, inputs, key      see `jobs.Task`
    state       "waiting", "done", "failed", or "stopped": begun, and kept in work/ to be gone on with
    files       what was made, beside the manifest; the picture is the first
    seconds     of work; those before a stop count too
    steps, score, error
The file is written whole or not at all, after every job; a start that finds it does what is left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipguide import images
from clipguide.errors import UserError

NAME = "manifest.jsonl"
STATES = ("waiting", "done", "failed", "stopped")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job; see the module's own lines.  error: one line, or none."""

    state: str = "waiting"
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    steps: int = 0
    score: float | None = None
    error: str = ""


class Manifest:
    """The lines of one folder's batch, by name; those of jobs that an earlier start had stay."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self._lines = {entry["name"]: _line(entry) for entry in read(self.path)} if self.path.exists() else {}

    def entry(self, name: str) -> dict[str, Any] | None:
        return json.loads(self._lines[name]) if name in self._lines else None

    def done(self, name: str, key: str) -> Outcome | None:
        """The outcome of a job that is done with these inputs and settings, its files all there; or None."""
        entry = self.entry(name)
        if entry is None or entry["state"] != "done" or entry["key"] != key:
            return None
        if not all((self.folder / file).is_file() for file in entry["files"]):
            return None
        return outcome(entry)

    def note(self, job: Mapping[str, Any], outcome: Outcome) -> None:
        """Puts a job's line down, in memory; `write` puts all of them on disk."""
        told = {"state": outcome.state, "files": outcome.files, "seconds": outcome.seconds, "steps": outcome.steps}
        self._lines[job["name"]] = _line({**job, **told, "score": outcome.score, "error": outcome.error})

    def write(self) -> None:
        images.write(self.path, "".join(self._lines.values()).encode())


def outcome(entry: Mapping[str, Any]) -> Outcome:
    """What a line of the manifest says came of its job."""
    facts = {name: entry[name] for name in ("state", "seconds", "steps", "score", "error")}
    return Outcome(files=tuple(entry["files"]), **facts)


def read(path: Path) -> list[dict[str, Any]]:
    """Every line.  UserError for a file that is no manifest."""
    try:
        entries: Sequence[Any] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for entry in entries:
            if entry["state"] not in STATES or not isinstance(entry["name"], str):
                raise ValueError("a state")
            outcome(entry)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no manifest of a batch ({error!r}); move it away, or give another --out") from None
    return list(entries)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
