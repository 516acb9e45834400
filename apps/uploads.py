"""What strangers send: checked, laundered, and kept under names of our own.

A file is kept as RUNS/uploads/<sha256>.<ending>, so that a recipe that starts from it can be made again.  The sender's
file name is never part of a path.  Fields of kind "text" cannot name files; only uploads can.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
import threading
import time
from itertools import chain
from pathlib import Path

import gradio as gr

from apps import words
from clipguide import brief, images, runs
from clipguide.errors import UserError

MAX_BYTES = 64 << 20  # the painter sends a photo of 24 megapixels as a PNG of about 43 MB
LONGEST = 2048  # px that an uploaded picture's longer side is shrunk to
DRAWINGS = (".svg", ".obj", ".ply", ".glb", ".stl")  # kept as they are
FOLDER = "uploads"
KEPT = re.compile(r"[0-9a-f]{64}\.[a-z]{3}")  # the name of an upload, in recipes too
KEPT_SECONDS = 24 * 3600  # of an upload that no run refers to
_one_at_a_time = threading.Lock()  # a large picture takes 0.5 GB while it is decoded


def keep(root: Path, path: Path | str, name: str | None = None, *, drawing: bool = False) -> Path:
    """A copy of an upload inside `root`.  name: what the sender calls it, for messages.  UserError when refused."""
    path = Path(path)
    name = path.name if name is None else name
    if re.search(r"[/\\\0]|^\.", name):
        raise UserError(f"the file name '{name}' is no plain name; rename the file")
    if not path.is_file():
        raise UserError(f"{name} is not there any more; choose it again")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{name} has {path.stat().st_size / 1e6:.0f} MB; at most {MAX_BYTES >> 20} MB are taken")
    data, ending = _drawing(path, name) if drawing else (_picture(path, name), ".png")
    return stored(root, data, ending)


def stored(root: Path, data: bytes, ending: str = ".png") -> Path:
    """The place of these bytes inside `root`, under their sha256."""
    place = root / FOLDER / f"{hashlib.sha256(data).hexdigest()}{ending}"
    if place.exists():
        os.utime(place)  # it was sent again: `sweep` counts from now
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        images.write(place, data)
    return place


def kept(root: Path, path: Path) -> bool:
    """Whether the path lies where uploads are kept."""
    return path.absolute().parent == (root / FOLDER).absolute()


def sweep(root: Path) -> None:
    """Removes the uploads that were last sent a day ago or longer, and that no run under `root` refers to.

    Batches have copies of their photos.  Where a recipe cannot be read, nothing is removed.
    """
    home, day_ago = root / FOLDER, time.time() - KEPT_SECONDS
    all_kept = [path for path in home.iterdir() if KEPT.fullmatch(path.name)] if home.is_dir() else []
    old = [path for path in all_kept if path.stat().st_mtime < day_ago]
    if not old:
        return
    try:
        recipes = [(run.folder / "recipe.json").read_text(encoding="utf-8") for run in runs.every(root)]
    except (OSError, ValueError):
        return
    wanted = {name for recipe in recipes for name in KEPT.findall(recipe)}
    for path in old:
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def _picture(path: Path, name: str) -> bytes:
    try:
        with _one_at_a_time:
            return images.laundered(path, LONGEST)
    except UserError as error:
        raise UserError(str(error).replace(repr(str(path)), name).replace(str(path), name)) from None


def _drawing(path: Path, name: str) -> tuple[bytes, str]:
    ending, data = path.suffix.lower(), path.read_bytes()
    if ending not in DRAWINGS:
        raise UserError(f"{name} is no drawing or mesh; give one that ends in {', '.join(DRAWINGS)}")
    if ending == ".svg" and re.search(rb"<!(doctype|entity)", data, re.IGNORECASE):
        raise UserError(f"{name} declares a document type, which is not taken; save it as plain SVG")
    return data, ending


def plain(label: str, text: str) -> str:
    """A field's text, checked to name no file: `@FILE`, and everything with a slash or a leading dot or tilde."""
    for part in re.split(r"[|,]", text):
        if re.match(r"\s*(@|~|\.\D)", part) or re.search(r"[/\\]", part) or os.path.lexists(part.strip()):
            raise UserError(f"{label}: '{text.strip()}' looks like a file; files are only taken as uploads")
    return text


def prompt(text: str, root: Path) -> str:
    """A prompt, checked to name no file but an upload that is kept in `root`.  Slashes are fine here."""
    for part in chain(*brief.parts(text)):
        name = part.strip()
        image = re.fullmatch(r"@(.+/[0-9a-f]{64}\.png)(\s*:[\d.eE+-]+){0,2}", name)
        if name.startswith("@") and (image is None or not kept(root, Path(image[1]))):
            raise UserError(f"the prompt '{name}' names a file of the server; upload image prompts instead")
    return text


def refused(error: UserError) -> gr.Error:
    """The error as the page shows it: one line, without markup."""
    said = html.escape(words.tidy(str(error)))
    return gr.Error(said, title="That cannot be done", duration=None, print_exception=False)
