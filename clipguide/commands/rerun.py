"""clipguide rerun: a picture again from its own metadata, with changes given as flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clipguide import images
from clipguide.commands import flags, pictures
from clipguide.methods import DEFAULT


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a PNG that clipguide wrote")
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="other prompts than the picture's")
    typed = flags.positional(words)
    method = images.metadata(typed[0]).get("method", DEFAULT) if typed else DEFAULT
    pictures.add_arguments(parser, words, before=1, default=method)


def run(args: argparse.Namespace) -> int:
    return pictures.make(pictures.order(args, images.metadata(args.picture)))
