"""A run's folder: how the picture is made, what has come of it, and the state it can be resumed from.

    outputs/a-red-fox/
        recipe.json     method, prompts and every setting: enough to make the picture again
        log.jsonl       a line for each step: step, total, seconds, score, losses
        state.pt        parameters, optimiser, dice and step; resumes to the identical picture
        preview.png     the newest frame
        frames/         one PNG for each kept step
        picture.png     the result; picture-2.png and so on in a batch
        .lock           held by the process that makes the picture
        output.json     of an unfinished run that writes elsewhere too: see `commands.delivery`
    Every file is written whole or not at all.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from clipguide import images
from clipguide.errors import UserError

LOCK = ".lock"
MAX_NAME = 120  # bytes; file systems take 255, and endings and numbers are added
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")  # names that Windows keeps for itself
FOLDERS = re.compile(r"(?<!\S)@/[^|^]*/")  # of an image prompt


def slug(text: str) -> str:
    """A legal, telling file name: letters of any script, digits and dashes; "picture" when nothing is left."""
    kept = ""
    for letter in unicodedata.normalize("NFC", text).lower():
        vowel = unicodedata.category(letter)[0] == "M" and kept[-1:] not in ("", "-")  # and other marks on a letter
        kept += letter if letter.isalnum() or letter == "_" or vowel else "-"
    words = re.sub("-+", "-", kept).strip("-_")
    words = words.encode()[:MAX_NAME].decode(errors="ignore").rstrip("-_") or "picture"
    return f"{words}-picture" if RESERVED.fullmatch(words) else words


def title(texts: Sequence[str]) -> str:
    """The prompts as one line, to name files after: image prompts without their folders."""
    return " ".join(FOLDERS.sub("@", text) for text in texts)


def sweep(folder: Path) -> None:
    """Takes away what a killed process left half written in a folder.  Nobody else may be writing there."""
    for partial in folder.glob(".*.part*"):
        images.discard(partial)


def numbered(path: Path) -> Iterator[Path]:
    """The path itself, then with -2, -3, ... before its ending."""
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def unused(path: Path) -> Path:
    """The path itself, or with a number when it is taken, be it by a link to nowhere."""
    return next(candidate for candidate in numbered(path) if not os.path.lexists(candidate))


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def recipe(self) -> dict[str, Any]:
        """UserError when the folder holds none."""
        path = self.folder / "recipe.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(f"{self.folder} is no run: it has no readable recipe.json; give a run's folder") from None

    @property
    def picture(self) -> Path:
        return self.folder / "picture.png"

    @property
    def finished(self) -> bool:
        return self.picture.exists() and not (self.folder / "state.pt").exists()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps every other process, and thread, from making this run meanwhile; the end of a process lets go.

        UserError when another holds it.
        """
        lock = FileLock(self.folder / LOCK, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"{self.folder} is still being made by another process; wait for it, or stop it there"
            ) from None
        except (OSError, NotImplementedError):  # a folder that takes no files, a file system without locks
            pass
        try:
            yield
        finally:
            lock.release()

    def log(self) -> list[dict[str, Any]]:
        """A dict for each logged step, oldest first; what is no such line, as one cut short by a kill, is left out."""
        path, entries = self.folder / "log.jsonl", []
        for line in path.read_bytes().split(b"\n") if path.exists() else []:
            try:
                entries.append(json.loads(line.decode()))
            except ValueError:
                continue
        return [entry for entry in entries if isinstance(entry, dict) and "step" in entry]

    def log_before(self, step: int) -> list[dict[str, Any]]:
        """Cuts the log back to the entries before that step, and returns them."""
        entries = [entry for entry in self.log() if entry["step"] < step]
        self.write("log.jsonl", "".join(_line(entry) for entry in entries).encode())
        return entries

    def append(self, entry: Mapping[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(_line(entry))

    def write(self, name: str, data: bytes) -> Path:
        images.write(self.folder / name, data)
        return self.folder / name

    def save_state(self, state: Mapping[str, Any]) -> None:
        import torch

        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        self.write("state.pt", buffer.getvalue())

    def load_state(self) -> dict[str, Any] | None:
        """None where no state was saved.  UserError when it is damaged.  Executes no code."""
        import torch

        path = self.folder / "state.pt"
        if not path.exists():
            return None
        try:
            return torch.load(path, weights_only=True)
        except Exception as error:  # damage shows as any of a dozen errors that share no base class
            raise UserError(f"{path} is damaged ({_first_line(error)}); rerun the recipe instead") from None

    def forget_state(self) -> None:
        """The run is over: there is nothing left to resume."""
        (self.folder / "state.pt").unlink(missing_ok=True)

    def keep_frame(self, step: int, data: bytes) -> None:
        (self.folder / "frames").mkdir(exist_ok=True)
        self.write(f"frames/{step:06d}.png", data)

    def frames(self) -> list[Path]:
        return sorted((self.folder / "frames").glob("[0-9]*.png"))

    def pictures(self) -> list[Path]:
        """The result: one for each of the batch; the first alone where nothing is there (yet, or any more)."""
        named = [(re.fullmatch(r"picture-(\d+)\.png", path.name), path) for path in self.folder.glob("picture-*")]
        more = sorted((int(match[1]), path) for match, path in named if match)
        return [self.picture, *(path for _, path in more)]

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"


def create(root: Path, recipe: Mapping[str, Any]) -> Run:
    """A new folder under `root`, named after the prompt.  UserError when it cannot be written."""
    name, fresh = slug(title(recipe["prompts"])), not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        run = Run(make_unused(root / name))
    except OSError as error:
        raise UserError(f"--runs {root}: cannot be written ({error.strerror}); give another folder") from None
    try:
        told = json.dumps(recipe, ensure_ascii=False, indent=1, sort_keys=True)
        run.write("recipe.json", told.encode(errors="backslashreplace"))  # a file's name may be no UTF-8
    except UserError:
        run.remove()
        if fresh:
            with suppress(OSError):  # other runs lie there by now
                root.rmdir()
        raise
    return run


def create_all(root: Path, recipes: Iterable[Mapping[str, Any]]) -> list[Run]:
    """`create` for each, or no folder at all.  UserError as there."""
    made: list[Run] = []
    try:
        for recipe in recipes:
            made.append(create(root, recipe))
    except UserError:
        for run in made:
            run.remove()
        raise
    return made


def make_unused(path: Path) -> Path:
    """A new folder of that name, or with a number when it is taken."""
    while True:  # another process may take the name between the look and the mkdir
        folder = unused(path)
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue


def every(root: Path) -> list[Run]:
    """The runs that lie directly under `root`, newest first.  Links are not followed."""
    begun = []
    for folder in root.iterdir() if root.is_dir() else ():
        recipe = folder / "recipe.json"
        if recipe.is_file() and not folder.is_symlink():
            begun.append((recipe.stat().st_mtime_ns, Run(folder)))
    return [run for _, run in sorted(begun, key=lambda pair: pair[0], reverse=True)]
