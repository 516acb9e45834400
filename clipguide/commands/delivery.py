"""Where a picture goes beside its run's folder: the copies and the film of --out, and what a later start must know.

A run that is stopped keeps `output.json`: the settings of its output, and what it wrote elsewhere, with the sha256 of
each file.  `clipguide resume` then writes to the same places, over its own unfinished files and over nobody else's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipguide import images, runs, video
from clipguide.errors import UserError
from clipguide.models.hub import sha256
from clipguide.options import Output

NAME = "output.json"


def check(out: Path | None, *, film: bool = False) -> None:
    """UserError when no PNG can be written there.  film: the name may also be a film's, beside which the PNG lies."""
    if out is None:
        return
    ending = out.suffix.lower()
    if not out.is_dir() and ending in video.KINDS and not film:
        raise UserError(f"--out {out}: a picture is no film; add --video for one of the run, or end the name in .png")
    if not out.is_dir() and ending not in ("", ".png", *video.KINDS):
        raise UserError(f"--out {out}: pictures are written as PNG; give a name that ends in .png, or a folder")
    check_folder(out if out.is_dir() else out.parent, out)


def check_folder(folder: Path, out: Path) -> None:
    """UserError when no file can be written into the folder."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"--out {out}: {folder} is no folder that can be written; make it, or give another")


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a run is delivered.  left: what an earlier start left unfinished elsewhere, absolute path -> sha256."""

    output: Output
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def film_kind(self) -> str:
        """The film's ending without its dot: that of --out counts."""
        ending = "" if self.output.out is None else self.output.out.suffix.lower()
        return ending[1:] if ending in video.KINDS else self.output.video_kind

    def write(self, run: runs.Run, name: str, *, film: bool) -> tuple[list[Path], Path | None]:
        """Copies the pictures to where --out says and makes the film -> (pictures, film, if any).

        name: of the files in a folder, without ending.  Each file is remembered as soon as it is there, so that a
        later start takes its place again whatever breaks this one off.
        """
        left, out, pictures = dict(self.left), self.output.out, run.pictures()
        made: dict[str, str] = {}

        def note(path: Path) -> None:
            made[str(path.absolute())] = sha256(path)
            self.remember(run, {**left, **made})

        if out is not None:
            out, copies = (out / name if out.is_dir() else out).with_suffix(".png"), []
            for picture in pictures:
                copies.append(_copied(picture, _place(out, left)))
                note(copies[-1])
            pictures = copies
        if not film or not run.frames():
            self.remember(run, made)
            return pictures, None
        beside = run.folder / "video" if out is None else pictures[0]
        path = _place(beside.with_suffix(f".{self.film_kind}"), left)
        video.write(path, (images.read(frame) for frame in run.frames()), fps=self.output.fps)
        left.clear()
        note(path)
        return pictures, path

    def remember(self, run: runs.Run, left: Mapping[str, str] | None = None) -> None:
        """Keeps with the run how it is delivered, if not as always, and the unfinished files (None: as before)."""
        left = self.left if left is None else left
        settings = self.output.model_dump(mode="json", exclude_defaults=True, exclude={"runs"})
        if self.output.out is not None:
            settings["out"] = str(self.output.out.absolute())
        if settings or left:
            told = json.dumps({"settings": settings, "left": left}, ensure_ascii=False, indent=1)
            run.write(NAME, told.encode(errors="backslashreplace"))


def recall(run: runs.Run) -> tuple[dict[str, Any], dict[str, str]]:
    """-> (settings of the output, files left unfinished); both empty where the run keeps none that can be read."""
    try:
        told = json.loads((run.folder / NAME).read_bytes())
        return dict(told["settings"]), dict(told["left"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}, {}


def forget(run: runs.Run) -> None:
    """The run is over."""
    (run.folder / NAME).unlink(missing_ok=True)


def _copied(picture: Path, place: Path) -> Path:
    images.write(place, picture.read_bytes())
    return place


def _place(path: Path, left: dict[str, str]) -> Path:
    """The path, with a number where another's file lies; one of `left` that nobody has changed is taken from it."""
    for candidate in runs.numbered(path):
        digest = left.pop(str(candidate.absolute()), None)
        if not os.path.lexists(candidate) or (digest and candidate.is_file() and sha256(candidate) == digest):
            return candidate
    raise AssertionError("numbers end nowhere")
