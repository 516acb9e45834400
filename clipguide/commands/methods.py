"""clipguide methods: the ways to make a picture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from clipguide.methods import DEFAULT, METHODS


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps({name: line for name, (_, line) in METHODS.items()}))
        return 0
    width = max(map(len, METHODS))
    for name, (_, line) in METHODS.items():
        print(f"{name:<{width}}  {line}{' (the default)' if name == DEFAULT else ''}")
    print("\nclipguide generate --method NAME --help shows what a method can be told.")
    return 0
