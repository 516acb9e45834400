"""Videos.  The only place that knows imageio."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipguide import images
from clipguide.errors import UserError

KINDS = (".mp4", ".gif")  # that are written
ENDINGS = frozenset((".mp4", ".webm", ".mov", ".avi", ".mkv", ".m4v", ".gif"))


def is_video(path: Path | str) -> bool:
    """Whether the file is a video, by its name; a GIF with a single frame is a picture."""
    ending = Path(path).suffix.lower()
    return ending in ENDINGS and not (ending == ".gif" and _is_still(path))


def _is_still(path: Path | str) -> bool:
    try:
        with _reader(path) as reader:
            return reader.get_length() == 1
    except UserError:
        return False


def read(path: Path | str) -> Iterator[Tensor]:
    """Every frame, as (1, 3, H, W).  UserError when it is no video that can be read."""
    with _reader(path) as reader:
        for frame in reader:
            colours = frame if frame.ndim == 3 else frame[..., None].repeat(3, axis=-1)
            yield torch.from_numpy(colours[..., :3].copy()).movedim(-1, 0)[None] / 255


def rate(path: Path | str) -> float:
    """Frames a second.  UserError as `read`."""
    with _reader(path) as reader:
        facts = reader.get_meta_data()
    return float(facts.get("fps") or 1000 / (facts.get("duration") or 100))


def _reader(path: Path | str) -> Any:
    import imageio.v2 as imageio

    try:
        return imageio.get_reader(path)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["unknown format"])[0][:80]
        raise UserError(f"{path} is no video that can be read ({reason}); give an MP4, WebM, MOV or GIF") from None


def check(path: Path) -> None:
    """UserError when no video can be written there: for another ending, or without a folder."""
    if path.suffix.lower() not in KINDS:
        raise UserError(f"{path} is no video's name; let it end in .mp4 or .gif")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"{path}: {path.parent} is no folder that can be written; make it, or give another")


def write(path: Path, frames: Iterable[Tensor], *, fps: int = 24) -> None:
    """Frames (3, H, W) or (1, 3, H, W) as MP4 (H.264) or GIF, by the file's ending; whole or not at all.

    MP4 wants even sides: an odd last row or column is dropped.  UserError as `check`, for no frames, and when the file
    cannot be written.
    """
    import imageio.v2 as imageio

    check(path)
    ending = path.suffix.lower()
    options = {"duration": 1000 / fps, "loop": 0} if ending == ".gif" else {"fps": fps, "macro_block_size": 2}
    even, partial, count = 2 if ending == ".mp4" else 1, images.partial_name(path), 0
    try:
        with imageio.get_writer(partial, **options) as writer:
            for frame in frames:
                height, width = frame.shape[-2] // even * even, frame.shape[-1] // even * even
                writer.append_data(images.to_bytes(frame[..., :height, :width]).numpy())
                count += 1
        if not count:
            raise UserError(f"{path}: there are no frames to make a video of; keep some with --save-every 1")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}); make room, or give another folder") from error
    finally:
        images.discard(partial)
