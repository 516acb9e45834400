"""Contact sheets: what a person looks at to judge whether captions fit pictures."""

from __future__ import annotations

import io
import os
import random
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw

from clipguide.errors import UserError
from pretrain.data.shards import read_shards

CELL, TEXT, COLUMNS = 150, 44, 8


def contact_sheet(folder: Path, output: Path, *, number: int = 48, seed: int = 0, source: str | None = None) -> None:
    """Write a PNG with `number` random samples of a folder of shards, each above its first caption. Atomic."""
    rng, kept = random.Random(seed), []
    for seen, (data, sample) in enumerate(s for s in read_shards(folder) if source in (None, s[1]["source"])):
        if len(kept) < number:
            kept.append((data, sample))
        elif (at := rng.randrange(seen + 1)) < number:  # reservoir sampling: one pass, no list of everything
            kept[at] = (data, sample)
    if not kept:
        raise UserError(
            f"{folder} has no sample of source {source!r}; `python -m pretrain data stats {folder}` lists the sources"
        )
    rows = -(-len(kept) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + TEXT)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (data, sample) in enumerate(kept):
        left, top = place % COLUMNS * CELL, place // COLUMNS * (CELL + TEXT)
        sheet.paste(Image.open(io.BytesIO(data)).resize((CELL - 6, CELL - 6)), (left, top))
        words = "\n".join(textwrap.wrap(sample["captions"][0], 24)[:3])
        pen.text((left + 1, top + CELL - 6), words, fill="black")
    scratch = output.with_name(output.name + ".part")
    sheet.save(scratch, "PNG")
    os.replace(scratch, output)
