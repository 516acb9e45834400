"""clipguide models: the networks that clipguide knows by name."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from clipguide import inventory, weights
from clipguide.errors import UserError
from clipguide.weights import Checkpoint, Models


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("action", nargs="?", default="list", choices=tuple(ACTIONS), metavar="list|pull|verify")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (pull needs one at least)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    known = weights.known()
    for name in args.names:
        if name not in known:
            raise UserError(f"unknown model '{name}'; there are: {', '.join(known)}")
    return ACTIONS[args.action]([known[name] for name in args.names or known], args)


def _list(chosen: Sequence[Checkpoint], args: argparse.Namespace) -> int:
    rows = [inventory.describe(checkpoint) for checkpoint in chosen]
    if args.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        size = "missing" if row["missing"] else f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "not here yet"
        print(f"{row['name']:<14} {row['kind']:<6} {size:>12}  {row['licence']}")
        print(f"    {row['about']}")
        for name, digest in row["files"].items():
            print(f"    sha256 {digest}  {name}{'  missing' if name in row['missing'] else ''}")
        print(f"    {row['place'] or 'clipguide models pull ' + row['name']}")
    return 0


def _pull(chosen: Sequence[Checkpoint], args: argparse.Namespace) -> int:
    if not args.names:
        raise UserError(f"say which; there are: {', '.join(checkpoint.name for checkpoint in chosen)}")
    models = Models("cpu")
    for checkpoint in chosen:
        if checkpoint.kind == "clip":
            models.encoder(checkpoint.name)
    return _list([weights.known()[c.name] for c in chosen], args)


def _verify(chosen: Sequence[Checkpoint], args: argparse.Namespace) -> int:
    away = [checkpoint.name for checkpoint in chosen if checkpoint.place is None]
    if args.names and away:
        raise UserError(f"{away[0]} is not here; clipguide models pull {away[0]}")
    here = {checkpoint.name: inventory.faults(checkpoint) for checkpoint in chosen if checkpoint.place}
    if args.json:
        print(json.dumps({name: not found for name, found in here.items()}))
    else:
        for name, found in here.items():
            print("\n".join(found) or f"{name}: every file has its sha256")
    return 1 if any(here.values()) else 0


ACTIONS = {"list": _list, "pull": _pull, "verify": _verify}
