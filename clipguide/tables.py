"""Tables of jobs: CSV, YAML, or a text file with a prompt a line.

    photo,prompt,seed,strength          photos/cat.jpg,mosaic,1,0.8 is a job
A CSV's columns are photo, prompt, method, output (the name of the files, without ending) and any setting; an empty cell
leaves the default.  A YAML file is a list of such rows, or a grid:

    photos: holidays            # a folder, or a list of files; leave it out for pictures from words
    styles: [mosaic, watercolour]
    seeds: [0, 1]
    settings: {method: textstyle, steps: 60}
Paths are relative to the table's folder.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipguide import hashtags, manifest
from clipguide.brief import placed
from clipguide.errors import UserError
from clipguide.images import PHOTOS
from clipguide.jobs import PHOTO_METHOD, SHEETS, Job, grid, name_of
from clipguide.methods import DEFAULT, table
from clipguide.options import Common, options
from clipguide.plans import method

OWN = ("photo", "prompt", "method", "output")
Row = tuple[int, dict[str, Any]]  # (line of the file, values by column)
GRID = ("photos", "styles", "seeds", "settings")


def photos_of(folder: Path) -> list[Path]:
    """The pictures that lie directly in a folder, by name, but for a batch's contact sheets.

    UserError for no folder, or one without any.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give one with photos in it")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS and path.name[0] != ".")
    if (folder / manifest.NAME).exists():
        found = [path for path in found if not SHEETS.fullmatch(path.stem)]
    if not found:
        raise UserError(f"{folder} holds no photo ({', '.join(sorted(PHOTOS))}); give a folder with some")
    return found


def lines(path: Path) -> list[str]:
    """What a text file says, line by line, without the empty ones.  UserError when it cannot be read, or is empty."""
    found = [line.strip() for line in _text(path).split("\n") if line.strip()]
    if not found:
        raise UserError(f"{path} is empty; write a prompt in each line")
    return found


def read(
    source: Path,
    styles: Sequence[str] = (),
    seeds: Sequence[int] = (),
    *,
    method: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Job]:
    """The jobs of a folder of photos (in every style, with every seed), of a .txt with styles, or of a table.

    method, settings: for jobs that say nothing else.  UserError names the line and what is wrong with it.
    """
    settings = dict(settings or {})
    if source.is_dir():
        return grid(photos_of(source), styles, seeds, method=method, settings=settings)
    kind = source.suffix.lower()
    if not source.exists() or kind not in READERS:
        fault = "is no table" if source.exists() else "is not there"
        raise UserError(f"{source} {fault}; give a folder with photos, or a file: {', '.join(READERS)}")
    if styles or (seeds and kind != ".txt"):
        raise UserError(f"{source} says its own styles and seeds; leave those of the command line out")
    if kind == ".txt":
        return grid([None], lines(source), seeds, method=method, settings=settings)
    found = READERS[kind](source, method)
    if isinstance(found, dict):
        return _grid(source, found, method, settings)
    return [_job(source, line, row, method, settings) for line, row in found]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}); give a text file in UTF-8") from None


def _csv(path: Path, method_name: str | None) -> list[Row]:
    text = _text(path)
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows, whole = [], 0  # lines that were read
    try:
        reader.fieldnames = [_plain(name) for name in reader.fieldnames or []]
        whole = reader.line_num
        for cells in reader:
            if None in cells:
                line = f"{path.name} line {reader.line_num}"
                raise UserError(f"{line}: more cells than columns; put texts with commas in quotes")
            whole = reader.line_num
            rows.append((whole, {name: cell.strip() for name, cell in cells.items() if cell and cell.strip()}))
    except csv.Error as error:
        advice = "end what a quote begins, and double quotes within"
        raise UserError(f"{path.name} line {whole + 1}: no CSV ({error}); {advice}") from None
    _check_columns(path, reader.fieldnames, {_method_of(row, method_name) for _, row in rows})
    return rows


def _method_of(row: Mapping[str, Any], default: Any) -> Any:
    """What a row, a hashtag of its prompt, or else the command line names; faults of these are found later."""
    texts = row.get("prompt", ())
    with contextlib.suppress(UserError, TypeError):
        default = hashtags.read((texts,) if isinstance(texts, str) else texts).method or default
    return row.get("method", default)


def _check_columns(path: Path, columns: Sequence[str], methods: set[Any]) -> None:
    """A column that no job can read is a slip of the pen, even where all its cells are empty."""
    models = [method(name).Settings for name in (methods & table().keys()) | {DEFAULT, PHOTO_METHOD}]
    known = {*OWN, *(option.name for model in (Common, *models) for option in options(model))}
    for column in columns:
        if column not in known:
            near = difflib.get_close_matches(column, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(OWN)}, and the method's settings"
            raise UserError(f"{path.name} line 1: unknown column '{column}'; {hint}")


def _yaml(path: Path, _: str | None) -> list[Row] | dict[str, Any]:
    """Rows with their lines, or a grid."""
    import yaml

    text = _text(path)
    try:
        content, node = yaml.safe_load(text), yaml.compose(text)
    except Exception as error:  # a date such as 2024-13-01, and other values, raise whatever they stumble over
        mark = getattr(error, "problem_mark", None)
        raise UserError(f"{path.name}{f' line {mark.line + 1}' if mark else ''}: no YAML; see docs/batch.md") from None
    if isinstance(content, dict):
        return {_plain(str(name)): value for name, value in content.items()}
    if not isinstance(content, list):
        raise UserError(f"{path.name}: neither a list of rows nor a grid; see docs/batch.md")
    rows = []
    for row, place in zip(content, node.value, strict=True):
        line = place.start_mark.line + 1
        if not isinstance(row, dict):
            raise UserError(f"{path.name} line {line}: no row; write '- {{photo: cat.jpg, prompt: mosaic}}'")
        rows.append((line, {_plain(str(name)): value for name, value in row.items() if value is not None}))
    return rows


READERS = {".csv": _csv, ".yaml": _yaml, ".yml": _yaml, ".txt": _text}


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _job(source: Path, line: int, row: Mapping[str, Any], method: str | None, settings: Mapping[str, Any]) -> Job:
    where = f"{source.name} line {line}"
    prompts = row.get("prompt", ())
    prompts = (prompts,) if isinstance(prompts, str) else prompts
    if not isinstance(prompts, (tuple, list)) or not all(isinstance(text, str) for text in prompts):
        raise UserError(f"{where}: the prompt is no text, nor a list of texts")
    for name in ("photo", "method"):
        if not isinstance(row.get(name, ""), str):
            raise UserError(f"{where}: the {name} is {row[name]!r}; give one, as text")
    own = {name: value for name, value in row.items() if name not in OWN}
    if "photo" in row:
        own["init"] = row["photo"]
    own = _beside(source, own, _method_of(row, method))
    photo = Path(str(own["init"])).stem if "init" in own else ""
    name = str(row.get("output") or name_of(photo, " ".join(prompts), own.get("seed")))
    prompts = tuple(placed(text, source.parent.absolute()) for text in prompts)
    return Job(name, prompts, row.get("method", method), {**settings, **own}, where)


def _grid(source: Path, found: Mapping[str, Any], method: str | None, settings: Mapping[str, Any]) -> list[Job]:
    for name in found:
        if name not in GRID:
            raise UserError(f"{source.name}: unknown entry '{name}'; a grid has: {', '.join(GRID)}; rows are a list")
    lists = {name: found.get(name) or [] for name in ("styles", "seeds")}
    lists = {name: value if isinstance(value, list) else [value] for name, value in lists.items()}
    own = found.get("settings") or {}
    if not isinstance(own, dict) or not all(isinstance(style, str) for style in lists["styles"]):
        raise UserError(f"{source.name}: styles are a list of texts, and settings lines such as 'steps: 60'")
    if not all(type(seed) is int for seed in lists["seeds"]) or not isinstance(own.get("method", ""), str):
        raise UserError(f"{source.name}: seeds are a list of whole numbers, and a method is a name")
    own = {_plain(str(name)): value for name, value in own.items()}
    method = own.pop("method", method)
    photos = found.get("photos") or []
    if isinstance(photos, str):
        photos = photos_of(source.parent / photos)
    elif isinstance(photos, list) and all(isinstance(photo, str) for photo in photos):
        photos = [source.parent / photo for photo in photos]
    else:
        raise UserError(f"{source.name}: photos are a folder, or a list of files")
    own = {**settings, **_beside(source, own, _method_of({"prompt": lists["styles"]}, method))}
    return grid(photos or [None], lists["styles"], lists["seeds"], method=method, settings=own)


def _beside(source: Path, values: Mapping[str, Any], method_name: Any) -> dict[str, Any]:
    """The values, their paths relative to the table's folder."""
    names = [method_name] if method_name in table() else [DEFAULT, PHOTO_METHOD]
    models = [Common, *(method(name).Settings for name in names)]
    paths = {option.name for model in models for option in options(model) if option.kind == "path"}
    return {
        name: source.parent.absolute() / Path(value).expanduser() if name in paths and isinstance(value, str) else value
        for name, value in values.items()
    }
