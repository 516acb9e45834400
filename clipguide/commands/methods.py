"""clipguide methods: the ways to make a picture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from clipguide.methods import DEFAULT, table


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps({name: line for name, (_, line) in table().items()}))
        return 0
    methods = table()
    width = max(map(len, methods))
    for name, (_, line) in methods.items():
        print(f"{name:<{width}}  {line}{' (the default)' if name == DEFAULT else ''}")
    print("\nclipguide generate --method NAME --help shows what a method can be told.")
    return 0
