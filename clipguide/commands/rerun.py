"""clipguide rerun: a picture again from its own metadata, with changes given as flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clipguide import images
from clipguide.commands import pictures
from clipguide.methods import DEFAULT


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a PNG that clipguide wrote; give it first")
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="other prompts than the picture's")
    first = words[0] if words else "-"
    method = DEFAULT if first.startswith("-") else images.metadata(first).get("method", DEFAULT)
    pictures.add_arguments(parser, words, default=method)


def run(args: argparse.Namespace) -> int:
    return pictures.make(pictures.order(args, images.metadata(args.picture)))
