"""clipguide generate: a picture from words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from clipguide.commands import pictures


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help=pictures.PROMPT_HELP)
    pictures.add_arguments(parser, words)


def run(args: argparse.Namespace) -> int:
    return pictures.make(pictures.order(args))
