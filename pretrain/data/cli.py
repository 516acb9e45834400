"""python -m pretrain data fetch | build | stats | show | balance | overlap."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from clipguide.errors import UserError
from pretrain.arguments import Parser
from pretrain.data.packages import default_cache


def main(arguments: list[str] | None = None) -> int:
    """Runs one sub-command. Raises UserError for bad input."""
    parser = Parser(prog="python -m pretrain data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_fetch(commands)
    add_build(commands)
    for name, handler, words in [
        ("stats", stats, "counts and vocabulary of shards"),
        ("show", show, "a contact sheet of shards"),
    ]:
        command = commands.add_parser(name, help=words)
        command.add_argument("folder", type=Path, help="a folder of shards")
        command.set_defaults(handler=handler)
        if name == "show":
            command.add_argument("-o", "--output", type=Path, default=Path("contact-sheet.png"))
            command.add_argument("-n", "--number", type=int, default=48, help="pictures on the sheet")
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--source", help="only this source")
    add_balance(commands)
    add_overlap(commands)
    parsed = parser.parse_args(arguments)
    return parsed.handler(parsed)


def add_fetch(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("fetch", help="fetch the packages of the sources")
    add_sources(command)
    command.set_defaults(handler=fetch)


def add_build(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("build", help="compose samples and write shards")
    add_sources(command)
    command.add_argument(
        "-o", "--out", type=Path, required=True, help="the folder for train, validation and test shards"
    )
    command.add_argument("--size", type=int, default=128, help="side of the pictures in pixels, 16 to 1024")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--scale", type=float, default=1.0, help="multiplies the number of training samples")
    command.add_argument("--workers", type=int, default=2)
    command.add_argument(
        "--plain",
        action="store_true",
        help="each picture once, whole on white, with its own captions; by default cut-outs are put on grounds, "
        "photographs are cropped and mirrored, and one picture in six is redrawn in a style, with captions that say so",
    )
    command.set_defaults(handler=build)


def add_balance(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("balance", help="copy shards, of the training pairs at most N for each query")
    command.add_argument("folder", type=Path, help="a folder of shards")
    command.add_argument("-o", "--out", type=Path, required=True, help="an empty folder for what stays")
    command.add_argument(
        "--queries", type=Path, help="a text file, one query a line; made from the captions by default"
    )
    command.add_argument("--at-most", type=int, default=20_000, help="pairs for each query; one counts for its rarest")
    command.add_argument("--least", type=int, default=100, help="pairs a word must be in to become a query itself")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(handler=balance)


def add_overlap(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("overlap", help="near duplicates of test pictures among the training pictures")
    command.add_argument("folder", type=Path, help="a folder of shards")
    command.add_argument(
        "-o", "--out", type=Path, default=Path("overlap"), help="the folder for the table and the sheet"
    )
    command.add_argument("--clip", help="compare embeddings of this CLIP, a name or a folder; thumbnails by default")
    command.add_argument(
        "--threshold", type=float, help="cosine from which a picture counts; 0.98, or 0.95 with --clip"
    )
    command.set_defaults(handler=overlap)


def add_sources(command: Parser) -> None:
    command.add_argument(
        "--sources", help="comma-separated names, folder:PATH, shards:PATH or a .csv; all names by default"
    )
    command.add_argument(
        "--cache", type=Path, default=default_cache(), help="where package files and rasterised pictures are kept"
    )


def chosen(parsed: argparse.Namespace) -> list[str]:
    from pretrain.data.sources import SOURCES

    return parsed.sources.split(",") if parsed.sources else list(SOURCES)


def fetch(parsed: argparse.Namespace) -> int:
    """Fetch every chosen source; those that fail are named in the end."""
    from pretrain.data.sources import load

    failed = 0
    for name in chosen(parsed):
        try:
            load(name).fetch(parsed.cache)
            print(f"{name}: fetched", flush=True)
        except UserError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    return 2 if failed else 0


def build(parsed: argparse.Namespace) -> int:
    """Build shards and print the counts."""
    from pretrain.data.build import Plan, build
    from pretrain.data.gather import collect, grounds_of, held_everywhere

    if not 16 <= parsed.size <= 1024 or parsed.scale <= 0 or parsed.workers < 1:
        raise UserError("--size must be 16 to 1024, --scale above 0 and --workers at least 1")
    if parsed.plain and parsed.scale != 1:
        raise UserError(f"--plain stores each picture once; leave --scale {parsed.scale:g} out")
    left_out: Counter[str] = Counter()
    pairs = collect(chosen(parsed), parsed.cache, left_out)
    grounds, held = grounds_of(pairs, parsed.cache, parsed.size), held_everywhere(pairs, parsed.cache)
    plan = Plan(pairs, parsed.out, parsed.cache, parsed.size, parsed.seed, grounds, parsed.plain, held)
    told = {"scale": parsed.scale, "workers": parsed.workers, "left_out": left_out}
    index = build(plan, report=lambda text: print(text, flush=True), **told)
    for reason, count in left_out.items():
        print(f"left out: {count} {reason}")
    print({key: index[key] for key in ("samples", "tasks", "sources")})
    return 0


def stats(parsed: argparse.Namespace) -> int:
    """Print the numbers of samples and concepts, counts by task, source, style, medium and language, and of words."""
    from pretrain.data.shards import read_folder

    counts: dict[str, Counter[str]] = {
        key: Counter() for key in ("task", "source", "style", "medium", "language", "word")
    }
    concepts, left_out = set[str](), Counter[str]()
    for told in (sample.told for sample in read_folder(parsed.folder, left_out)):
        concepts.add(told["concept"])
        for key in ("task", "source", "style", "medium"):
            counts[key][str(told.get(key))] += 1
        counts["language"].update(list(told["languages"]))
        counts["word"].update(word for text in told["captions"] for word in text.lower().split())
    words = counts.pop("word")
    print(f"samples: {counts['task'].total()}, concepts: {len(concepts)}")
    for key, counter in counts.items():
        print(f"{key}: " + ", ".join(f"{name} {count}" for name, count in counter.most_common()))
    if left_out:
        print("left out: " + ", ".join(f"{count} {reason}" for reason, count in left_out.items()))
    print(f"English words: {len(words)}, seen 3 times or more: {sum(count > 2 for count in words.values())}")
    return 0


def show(parsed: argparse.Namespace) -> int:
    """Write a contact sheet of random samples with their first captions."""
    from pretrain.data.sheet import contact_sheet

    contact_sheet(parsed.folder, parsed.output, number=parsed.number, seed=parsed.seed, source=parsed.source)
    print(parsed.output)
    return 0


def balance(parsed: argparse.Namespace) -> int:
    """Copy what stays and print the queries that were cut most."""
    from pretrain.data.balance import balance_shards, read_queries

    queries = read_queries(parsed.queries) if parsed.queries else None
    kept = balance_shards(parsed.folder, parsed.out, queries, parsed.at_most, parsed.least, parsed.seed)
    print(f"kept {sum(kept.chosen)} of {len(kept.chosen)} training pairs by {len(kept.found)} queries that occur")
    for query, count in kept.found.most_common(10):
        print(f"  {query}: in {kept.kept[query]} of {count}, counted for {kept.counted[query]}")
    return 0


def overlap(parsed: argparse.Namespace) -> int:
    """Print the table; the sheet and the pairs are written."""
    from pretrain.data.overlap import overlap

    for row in overlap(parsed.folder, parsed.out, clip=parsed.clip, threshold=parsed.threshold):
        print(
            f"{row.side} {row.task}: {row.overlapping} of {row.pictures} pictures ({row.share:.1%}); "
            f"nearest training picture: median likeness {row.median:.3f}, most {row.most:.3f}"
        )
    print(f"{parsed.out / 'overlap.png'} shows the most similar pairs; look before believing a row")
    return 0
