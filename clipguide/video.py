"""Videos.  The only place that knows imageio."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from clipguide import images
from clipguide.errors import UserError


def write(path: Path, frames: Iterable[Tensor], *, fps: int = 24) -> None:
    """Frames (3, H, W) or (1, 3, H, W) as MP4 (H.264) or GIF, by the file's ending; whole or not at all.

    MP4 wants even sides: an odd last row or column is dropped.  UserError for another ending, for no frames, and when
    the file cannot be written.
    """
    import imageio.v2 as imageio

    ending = path.suffix.lower()
    if ending not in (".mp4", ".gif"):
        raise UserError(f"{path} is no video's name; let it end in .mp4 or .gif")
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
