"""Contact sheets: what a person looks at to judge whether captions fit pictures."""

from __future__ import annotations

import io
import random
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw

from clipguide.errors import UserError
from pretrain.data.compose import plain
from pretrain.data.pictures import read_bytes
from pretrain.data.shards import Stored, read_folder, write_bytes

CELL, TEXT, COLUMNS = 150, 44, 8


def contact_sheet(folder: Path, output: Path, *, number: int = 48, seed: int = 0, source: str | None = None) -> None:
    """Write a PNG with `number` random samples of a folder of shards, each above its first caption. Atomic."""
    rng, kept = random.Random(seed), list[Stored]()
    for seen, sample in enumerate(s for s in read_folder(folder) if source in (None, s.told.get("source"))):
        if len(kept) < number:
            kept.append(sample)
        elif (at := rng.randrange(seen + 1)) < number:  # reservoir sampling: one pass, no list of everything
            kept[at] = sample
    if not kept:
        of_source = f" of source {source!r}" if source else " with a picture and a caption"
        raise UserError(f"{folder} has no sample{of_source}; `python -m pretrain data stats {folder}` lists them")
    rows = -(-len(kept) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + TEXT)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, sample in enumerate(kept):
        left, top = place % COLUMNS * CELL, place // COLUMNS * (CELL + TEXT)
        sheet.paste(thumbnail(sample), (left, top))
        words = "\n".join(textwrap.wrap(sample.told["captions"][0], 24)[:3])
        pen.text((left + 1, top + CELL - 6), words, fill="black")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_bytes(output, buffer.getvalue())


def thumbnail(sample: Stored) -> Image.Image:
    """The picture, whole; grey where it cannot be read."""
    try:
        return plain(read_bytes(sample.picture(), CELL - 6), CELL - 6)
    except (OSError, ValueError):
        return Image.new("RGB", (CELL - 6, CELL - 6), "grey")
