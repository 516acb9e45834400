"""The manifest of a batch: manifest.jsonl, a line for each job.

    name        of the job's files, without ending
    method, prompts, settings, inputs, key      see `jobs.Task`
    state       "waiting", "done", "failed", or "stopped": begun, and kept in work/ to be gone on with
    files       what was made, beside the manifest; the picture is the first
    seconds     of work; those before a stop count too
    steps, score, error
A start writes the file whole, and a line more as each job is over: of two lines of a job the later one counts.  When
the batch is over it is written whole again.  A start that finds it does what is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
        images.write(self.path, _bytes(self._lines.values()))

    def append(self, names: Iterable[str]) -> None:
        """Puts the lines of some jobs on disk, below the others.  UserError when that cannot be done."""
        try:
            with self.path.open("ab") as file:
                file.write(_bytes(self._lines[name] for name in names))
        except OSError as error:
            raise UserError(f"{self.path} cannot be written ({error.strerror}); make room, then start again") from error


def outcome(entry: Mapping[str, Any]) -> Outcome:
    """What a line of the manifest says came of its job."""
    facts = {name: entry[name] for name in ("state", "seconds", "steps", "score", "error")}
    return Outcome(files=tuple(entry["files"]), **facts)


def read(path: Path) -> list[dict[str, Any]]:
    """What counts of every job.  UserError for a file that is no manifest."""
    try:
        *whole, last = path.read_bytes().split(b"\n")
        with suppress(ValueError):  # a kill or a full disk may leave the last line half written
            json.loads(last)
            whole.append(last)
        entries = [json.loads(line) for line in whole]
        for entry in entries:
            if entry["state"] not in STATES or not isinstance(entry["name"], str):
                raise ValueError("a state")
            outcome(entry)
        if not whole and last:
            raise ValueError("no whole line")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no manifest of a batch ({error!r}); move it away, or give another --out") from None
    return list({entry["name"]: entry for entry in entries}.values())


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _bytes(lines: Iterable[str]) -> bytes:
    """Bytes of a file's name that are no UTF-8 (lone surrogates, for Python) become escapes of JSON."""
    return "".join(lines).encode(errors="backslashreplace")
