"""Jobs: one picture each of a batch, made from photos x styles x seeds, or read from a table (see `tables`).

    for job in grid(sorted(Path("photos").glob("*.jpg")), ["mosaic", "watercolour"], seeds=[0, 1]):
        ...
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, product
from pathlib import Path
from typing import Any

from clipguide import hashtags
from clipguide.encoders import rename_judges
from clipguide.errors import UserError
from clipguide.methods import DEFAULT
from clipguide.plans import Plan, method, plan
from clipguide.runs import MAX_NAME, slug, title
from clipguide.weights import Models, sha256

PHOTO_METHOD = "textstyle"  # of a job with a photo that names no method
SHEET = "contact-sheet"  # a page of the contact sheet, without ending; further ones are contact-sheet-2 and so on
SHEETS = re.compile(rf"{SHEET}(-\d+)?")
MOST_LETTERS = 60  # of a photo's name or a style in the name of a job
ABSENT = "absent"  # the digest of what is no file


@dataclass(frozen=True, slots=True)
class Job:
    """A picture to be made.

    name: of its files, without ending.  prompts: as on the command line.  method: None leaves it to the prompts'
    hashtags, then to `PHOTO_METHOD` where there is a photo.  settings: by name; "init" is the photo.  where: what an
    error calls the job, such as "jobs.csv line 3".
    """

    name: str
    prompts: tuple[str, ...]
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""

    @property
    def photo(self) -> Path | None:
        init = self.settings.get("init")
        return None if init is None else Path(init)


@dataclass(frozen=True, slots=True)
class Task:
    """A job that was checked, in JSON's types: all that a worker needs.

    settings: every one, defaults too, with absolute paths.  inputs: file -> sha256.  key: the same for the same
    inputs and settings, wherever the files lie.
    """

    name: str
    method: str
    prompts: tuple[str, ...]
    settings: dict[str, Any]
    inputs: dict[str, str]
    key: str

    @property
    def photo(self) -> str | None:
        return self.settings["init"]

    def plan(self) -> Plan:
        """UserError when the photo cannot be read."""
        return plan(self.prompts, self.method, self.settings)


def grid(
    photos: Sequence[Path | None],
    styles: Sequence[str],
    seeds: Sequence[int] = (),
    *,
    method: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Job]:
    """Every photo in every style with every seed, in this order, what is given twice once; None stands for no photo.

    Without seeds that of the settings is used.  Without styles (for methods that can do without) there is one job a
    photo.  Photos of one name but different endings are told apart by these, other jobs of one name by a number.
    """
    photos, styles, seeds = (list(dict.fromkeys(given)) for given in (photos, styles, seeds))
    stems = Counter(photo.stem.casefold() for photo in photos if photo is not None)
    jobs = []
    for photo, style, seed in product(photos, styles or [None], seeds or [None]):
        own = {} if photo is None else {"init": photo}
        own |= {} if seed is None else {"seed": seed}
        known = "" if photo is None else photo.name if stems[photo.stem.casefold()] > 1 else photo.stem
        name = name_of(known, style or "", seed)
        prompts = () if style is None else (style,)
        jobs.append(Job(name, prompts, method, {**(settings or {}), **own}, str(photo or style)))
    return apart(jobs)


def name_of(photo: str, style: str, seed: int | None) -> str:
    """'photo-style-s1': a legal file name; the parts are cut so that none drives out another."""
    parts, name = [slug(part) for part in (photo, style) if part], ""
    for most in range(MOST_LETTERS, 0, -1):
        cut = [part[:most].rstrip("-_") for part in parts]
        name = "-".join([*cut, *([] if seed is None else [f"s{seed}"])]) or "picture"
        if len(name.encode()) <= MAX_NAME:
            break
    return f"{name}-picture" if SHEETS.fullmatch(name) else name


def apart(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, with -2, -3 and so on behind names that an earlier one has, as far as capitals do not count."""
    taken, seen = {job.name.casefold() for job in jobs}, set()
    numbers, named = defaultdict(lambda: count(2)), []
    for job in jobs:
        name = job.name
        while job.name.casefold() in seen and name.casefold() in taken:
            name = _numbered(job.name, next(numbers[job.name.casefold()]))
        seen.add(name.casefold())
        taken.add(name.casefold())
        named.append(replace(job, name=name))
    return named


def _numbered(name: str, number: int) -> str:
    tail = f"-{number}"
    return name.encode()[: MAX_NAME - len(tail)].decode(errors="ignore").rstrip("-_") + tail


def check(jobs: Sequence[Job], models: Models | None = None) -> list[Task]:
    """Refuses bad jobs before anything is made; whether photos can be read is seen when their turn comes.

    models: those that will be asked for networks; None where that is not known.
    UserError names the job, and what of it is refused: a method, a setting, a network, a name that another job has.
    """
    if not jobs:
        raise UserError("there is no job to do; give a folder with photos and a style, or a table with rows")
    _refuse_doubles(jobs)
    digest, find = _digester(), cache(models.find) if models else lambda name, kind: None
    return [_checked(job, digest, find) for job in jobs]


def _refuse_doubles(jobs: Sequence[Job]) -> None:
    seen: dict[str, Job] = {}
    for job in jobs:
        other = seen.setdefault(job.name.casefold(), job)  # some file systems see no capitals
        if other is not job:
            both = f"{other.where} and {job.where}"
            raise UserError(f"{both} would both be written as {job.name}.png; name them apart (column 'output')")


def _checked(job: Job, digest: Callable[[Path], str], find: Callable[[str, str], None]) -> Task:
    try:
        if slug(job.name) != job.name.lower() or SHEETS.fullmatch(job.name.lower()):
            raise UserError(f"'{job.name}' cannot name a job's files; take other letters, digits and dashes")
        planned = _plan_without_photo(job)
        for name, kind in sorted(planned.networks):
            find(name, kind)
        files = _files(job, planned)
    except UserError as error:
        raise UserError(f"{job.where}: {error}" if job.where else str(error)) from None
    pictures = [prompt.image.absolute() for prompt in planned.brief.prompts if prompt.image is not None]
    networks = [Path(name) for name, _ in planned.networks if Path(name).is_absolute()]
    inputs = {str(path): digest(path) for path in [*files.values(), *pictures, *networks]}
    settings = planned.recipe["settings"] | {name: str(path) for name, path in files.items()}
    content = {name: inputs.get(value, value) if isinstance(value, str) else value for name, value in settings.items()}
    if "clip" in content:
        content["clip"] = rename_judges(content["clip"], lambda name: inputs.get(name, name))
    texts = [title([text]) for text in planned.texts]
    told = [planned.method, texts, content, [inputs[str(path)] for path in pictures]]
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Task(job.name, planned.method, planned.texts, settings, inputs, key)


def _plan_without_photo(job: Job) -> Plan:
    """The photo's own faults are no fault of the batch: they are found when it is made."""
    settings = {name: value for name, value in job.settings.items() if name != "init"}
    chosen = job.method
    if chosen is None and job.photo is not None:
        chosen = hashtags.read(job.prompts).method or PHOTO_METHOD
    if not job.prompts and getattr(method(chosen or DEFAULT).Settings, "needs_prompt", True):
        raise UserError(f"{chosen or DEFAULT} wants words, and none were given; add a style, such as 'a mosaic'")
    planned = plan(job.prompts, chosen, settings)
    wants = getattr(method(planned.method).Settings, "photo", "may")
    if wants == "must" and job.photo is None:
        raise UserError(f"the method {planned.method} starts from a photo, and none was given")
    if wants == "never" and job.photo is not None:
        raise UserError(f"the method {planned.method} starts from no photo; leave {job.photo} out, or take another")
    return planned


def _files(job: Job, planned: Plan) -> dict[str, Path]:
    """The settings that are files or folders, by absolute paths."""
    values = {**dict(planned.common), **dict(planned.settings)}
    files = {name: value for name, value in values.items() if isinstance(value, Path)}
    return files if job.photo is None else {**files, "init": job.photo.expanduser().absolute()}


def _digester() -> Callable[[Path], str]:
    """path -> sha256 of a file, or of all that lies in a folder; each is read once."""
    known: dict[Path, str] = {}

    def digest(path: Path) -> str:
        if path not in known:
            known[path] = _digest(path, digest)
        return known[path]

    return digest


def _digest(path: Path, digest: Callable[[Path], str]) -> str:
    if path.is_dir():
        inside = [f"{file.relative_to(path)} {digest(file)}" for file in sorted(path.rglob("*")) if file.is_file()]
        return hashlib.sha256("\n".join(inside).encode(errors="backslashreplace")).hexdigest()
    try:
        return sha256(path) if path.is_file() else ABSENT  # a pipe would be waited for
    except OSError:
        return ABSENT
