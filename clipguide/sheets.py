"""Contact sheets of a batch: a row for each photo, a column for each style and seed; a plain square where none fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from clipguide import images
from clipguide.errors import UserError
from clipguide.jobs import SHEET, SHEETS, Task
from clipguide.runs import title

SIDE = 160  # px of a picture
CELLS = 400  # of a page
Cell = tuple[Tensor, str]  # (picture, caption)


def write(out: Path, tasks: Sequence[Task], made: Mapping[str, Path]) -> list[Path]:
    """Writes the pages into `out`, in place of those there; none where nothing was made.

    made: the picture of each job that is done, by the job's name.  A photo of which nothing was made has no row.
    """
    tasks = [task for task in tasks if task.name in made]
    rows: dict[str | None, dict[str, Task]] = {}
    for task in tasks:
        rows.setdefault(task.photo, {})[_way(task)] = task
    ways = {_way(task): task for task in tasks}  # an example of each
    if None in rows or len(rows) * len(ways) > 2 * len(tasks):  # no photos, or each with a style of its own
        columns, cells = 0, [(_read(made[task.name]), task.name) for task in tasks]
    else:
        columns, cells = len(ways) + 1, _table(rows, ways, made)
    each = CELLS // columns * columns or columns if columns else CELLS
    pages = [cells[first : first + each] for first in range(0, len(cells), each)]
    written = [_page(out, number, page, columns) for number, page in enumerate(pages, 1)]
    for path in out.glob(f"{SHEET}-*.png") if written else ():
        if SHEETS.fullmatch(path.stem) and path not in written:  # of a larger batch
            images.discard(path)
    return written


def _way(task: Task) -> str:
    """All that jobs of one column share; photos of other shapes may be made at other sizes."""
    own = ("init", "mask", "size") if task.photo else ()
    settings = {name: value for name, value in task.settings.items() if name not in own}
    return json.dumps([task.method, task.prompts, settings])


def _table(rows: Mapping[str, Mapping[str, Task]], ways: Mapping[str, Task], made: Mapping[str, Path]) -> list[Cell]:
    """Row by row: the photo first, then what became of it."""
    cells = []
    for photo, row in rows.items():
        cells.append((_read(Path(photo)), Path(photo).name))
        cells += [(_read(made[row[way].name]) if way in row else _blank(), _title(ways[way])) for way in ways]
    return cells


def _title(task: Task) -> str:
    seed = task.settings["seed"]
    return (" | ".join(title([text]) for text in task.prompts) or task.method) + (f", seed {seed}" if seed else "")


def _read(path: Path) -> Tensor:
    """A small picture; blank where the photo was taken away since."""
    try:
        return images.read(path, longest=SIDE)
    except UserError:
        return _blank()


def _blank() -> Tensor:
    return torch.full((1, 3, SIDE, SIDE), 0.9)


def _page(out: Path, number: int, cells: Sequence[Cell], columns: int) -> Path:
    path = out / (f"{SHEET}.png" if number == 1 else f"{SHEET}-{number}.png")
    pictures, captions = zip(*cells, strict=True)
    images.write(path, images.png(images.sheet(pictures, captions, columns=columns, side=SIDE), level=3))
    return path
