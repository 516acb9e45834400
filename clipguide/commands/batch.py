"""clipguide batch: many pictures with one start.

    clipguide batch PHOTOS "mosaic" "watercolour" --seeds 0,1       a folder, every style, every seed
    clipguide batch jobs.csv --workers 2
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field
from tqdm import tqdm

from clipguide import api, batch, jobs, manifest, tables
from clipguide.commands import flags
from clipguide.errors import UserError
from clipguide.methods import table
from clipguide.options import Common, Settings, add_flags, split, validate

JOBS_HELP = "a folder of photos, a table of jobs (.csv, .yaml), or a text file with a prompt in each line"


class Batching(Settings):
    """What the command can be told beside the pictures' own settings."""

    out: Path | None = Field(None, description="the batch's folder; without it outputs/ and the name of JOBS")
    styles: Path | None = Field(None, description="a text file with a style in each line, beside those typed")
    seeds: str | None = Field(None, description="each job once with each of these: 0,1,2 or 0-7")
    workers: int = Field(1, ge=1, le=1024, description="processes that make pictures, each with its own networks")
    threads: int = Field(0, ge=0, le=1024, description="threads of each worker; 0 shares the cores out")
    together: int = Field(
        1, ge=1, le=64, description="pictures that a worker makes side by side: CLIP sees all of them in one batch"
    )
    engine: Literal["local", "ray"] = Field("local", description="where they work: on this machine, or a Ray cluster")
    address: str | None = Field(None, description="of the Ray cluster; without it RAY_ADDRESS, or this machine alone")
    device: str = Field("auto", description="where it is computed: auto, cpu, cuda or mps")


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("jobs", type=Path, metavar="JOBS", help=JOBS_HELP)
    parser.add_argument("prompts", nargs="*", metavar="STYLE", help="words or @FILE, each a style; '|' mixes several")
    method = flags.typed(words, "method")
    parser.add_argument("--method", metavar="NAME", help=f"for jobs that name none; one of: {', '.join(table())}")
    flags.add_common(parser)
    add_flags(parser, Batching, "the batch")
    add_flags(parser, Common, "the pictures")
    shown = method or jobs.PHOTO_METHOD
    add_flags(parser, api.method(shown).Settings, f"the method {shown}")


def run(args: argparse.Namespace) -> int:
    models = [Batching, Common, api.method(args.method or jobs.PHOTO_METHOD).Settings]
    values = flags.gather(args, models)
    styles = flags.prompts(args, values)
    method = args.method or values.get("method")
    values = {name: value for name, value in values.items() if name not in ("prompts", "method")}
    own, *rest = split(values, models)
    batching = validate(Batching, own)
    styles += tables.lines(batching.styles) if batching.styles else []
    settings = {name: value for part in rest for name, value in part.items()}
    wanted = tables.read(args.jobs, styles, _seeds(batching.seeds or ""), method=method, settings=settings)
    crew = batch.Crew(
        batching.workers, batching.engine, batching.threads, batching.device, batching.address,
        together=batching.together,
    )  # fmt: skip
    out = batching.out or Path("outputs") / args.jobs.resolve().stem
    if out.resolve() == args.jobs.resolve():
        raise UserError(f"--out {out} is the folder of the photos; give another for what is made of them")
    return _watch(wanted, out, crew, args.json)


def _seeds(text: str) -> list[int]:
    """'0,2,5-7' -> [0, 2, 5, 6, 7]."""
    seeds: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < first + 10_000:
            raise UserError(f"--seeds {text}: write numbers such as 0,1,2 or 0-7")
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))


def _watch(wanted: Sequence[jobs.Job], out: Path, crew: batch.Crew, as_json: bool) -> int:
    """A line for each job as it is over; at last what came of all.  Returns the exit code."""
    counts: Counter[str] = Counter()
    with _interrupts() as asked_to_stop:
        with tqdm(total=len(wanted), disable=True if as_json else None, unit="job", file=sys.stderr) as bar:
            for result in batch.run(wanted, out, crew, asked_to_stop=asked_to_stop.is_set):
                counts[result.state] += 1
                bar.update()
                _tell(result, bar, as_json)
    stopped = asked_to_stop.is_set() and counts["done"] + counts["skipped"] + counts["failed"] < len(wanted)
    _sum_up(out, counts, len(wanted), as_json)
    if stopped:
        return 130
    return 1 if counts["failed"] else 0


def _tell(result: batch.JobResult, bar: tqdm, as_json: bool) -> None:
    if result.state == "failed":
        bar.write(f"clipguide: {result.name} failed: {result.error}", file=sys.stderr)
    elif result.state == "done" and not as_json:
        score = "" if result.score is None else f"score {result.score:.3f}, "
        bar.write(f"{result.files[0]}  {score}{result.seconds:.1f} s", file=sys.stdout)


def _sum_up(out: Path, counts: Counter[str], total: int, as_json: bool) -> None:
    left = total - counts["done"] - counts["skipped"] - counts["failed"]
    sheets = [str(path) for path in sorted(out.glob(f"{jobs.SHEET}*.png")) if jobs.SHEETS.fullmatch(path.stem)]
    facts = {"done": counts["done"], "skipped": counts["skipped"], "failed": counts["failed"], "left": left}
    if as_json:
        print(json.dumps({**facts, "out": str(out), "manifest": str(out / manifest.NAME), "sheets": sheets}))
        return
    print(", ".join(f"{count} {state}" for state, count in facts.items() if count or state == "done"))
    for sheet in sheets:
        print(sheet)
    if left:
        print("stopped early; the same command goes on")


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """The first Ctrl-C asks to stop after the step at hand, so that all is whole; a second one stops at once."""
    asked = threading.Event()

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
