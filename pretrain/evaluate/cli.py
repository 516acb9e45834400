"""python -m pretrain evaluate MODEL --suite NAME[,NAME]: a table on the screen, a JSON and plots where --out says."""

from __future__ import annotations

import argparse
import json
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from clipguide import images
from clipguide.errors import UserError
from clipguide.weights import Models
from pretrain.arguments import Parser
from pretrain.data.shards import write_json
from pretrain.evaluate.report import Report
from pretrain.evaluate.subject import Subject
from pretrain.evaluate.suites import SPLIT, SUITES, Job, choose, measure
from pretrain.evaluate.together import Together


def main(arguments: list[str]) -> int:
    options = make_parser().parse_args(arguments)
    names = choose(options.suite)
    check(options, names)
    sizes = parse_sizes(options.size)
    if options.threads:
        torch.set_num_threads(options.threads)
    judges = Models(options.device).judges(options.model)
    if any(judge.since for judge in judges):
        raise UserError(f"{options.model}: all that are named are measured as one; leave the @ out")
    subject = Subject(judges[0].encoder if len(judges) == 1 else Together(judges))
    given = (options.shards, options.images, options.labels, options.prompt, sizes, options.seed, options.split)
    job = Job(subject, *given)
    told = {}
    for name in names:
        begun = time.monotonic()
        report = measure(name, job)
        seconds = time.monotonic() - begun
        print(f"\n{name}: {subject.name}, {seconds:.0f} s")
        show(report, options.quiet)
        told[name] = {"seconds": round(seconds, 1), "tables": [table.records() for table in report.tables]}
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            for stem, data in report.pictures.items():
                images.write(options.out / f"{name}-{stem}.png", data)
            record(options.out / "evaluation.json", subject.name, told)
    return 0


def check(options: argparse.Namespace, names: Sequence[str]) -> None:
    """UserError for a folder that is not there, and for suites that have nothing of --split or --size."""
    for folder in (options.shards, options.images):
        if folder is not None and not folder.is_dir():
            raise UserError(f"{folder} is no folder; give one that exists")
    if options.split != "test" and not set(names) <= set(SPLIT):
        raise UserError(f"--split {options.split}: only {' and '.join(SPLIT)} measure there; give --suite one of them")
    if options.size and "project" not in names:
        raise UserError(f"--size {options.size}: only project measures at other sides; give --suite project")


def make_parser() -> Parser:
    suites = "; ".join(f"{name}: {text}" for name, (_, text) in SUITES.items())
    parser = Parser(prog="python -m pretrain evaluate", description=__doc__, epilog=suites)
    parser.add_argument("model", help="a bundled CLIP, a CLIP folder, or MODEL/TAG of open_clip; several as in --clip")
    parser.add_argument("--suite", default="project", help=f"{', '.join(SUITES)}; several with commas")
    parser.add_argument("--shards", type=Path, help="folder of shards, or of its test split")
    parser.add_argument("--split", choices=("test", "validation"), default="test", help="validation: to choose by")
    parser.add_argument("--images", type=Path, help="a folder with a folder of pictures for each class")
    parser.add_argument("--labels", type=Path, help="a file with a word for each class folder, one a line")
    parser.add_argument("--prompt", action="append", default=[], help="for neighbours; may be given again")
    parser.add_argument("--out", type=Path, help="folder for evaluation.json and the plots")
    parser.add_argument("--size", default="", help="sides in px, such as 128,224; the model's own")
    parser.add_argument("--seed", type=int, default=0, help="the dice of suites that draw examples")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU")
    parser.add_argument("--quiet", action="store_true", help="leave out how the figures mislead")
    return parser


def parse_sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(",") if text)
    except ValueError:
        raise UserError(f"--size {text}: give sides in px, such as 128 or 128,224") from None
    if not all(32 <= size <= 1024 for size in sizes):
        raise UserError(f"--size {text}: sides are 32 to 1024 px")
    return sizes


def show(report: Report, quiet: bool) -> None:
    """Tables on stdout, each with how it misleads."""
    for table in report.tables:
        print(f"\n{table.text()}")
        if table.misleads and not quiet:
            print(textwrap.fill(" ".join(table.misleads.split()), 118, initial_indent="  ", subsequent_indent="  "))


def record(file: Path, model: str, told: dict) -> None:
    """Adds suites to the JSON of a folder; those of another model are an error, so that no figures are mixed."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"model": model, "suites": {}}
    if before.get("model") != model:
        raise UserError(f"{file} holds the figures of {before.get('model')}; give another folder with --out")
    write_json(file, {"model": model, "suites": before["suites"] | told})
