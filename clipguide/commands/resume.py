"""clipguide resume: goes on with a run that was stopped or killed, to the picture it would have become.

It goes to where it would have gone, too: flags change only what they name.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clipguide import api
from clipguide.commands import delivery, flags, pictures
from clipguide.errors import UserError
from clipguide.options import Output, add_flags, split, validate
from clipguide.runs import Run


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of the run")
    flags.add_common(parser)
    add_flags(parser, Output, "what is written")


def run(args: argparse.Namespace) -> int:
    begun = Run(args.run)
    planned = api.plan_again(begun.recipe)
    kept, left = delivery.recall(begun)
    if begun.finished and not (kept or left):
        raise UserError(f"{args.run} is finished; clipguide rerun {begun.picture} makes it again")
    output = validate(Output, {**kept, **split(flags.gather(args, [Output]), [Output])[0]})
    ordered = pictures.Order(planned, output, args.json, left)
    return pictures.deliver(ordered, begun) if begun.finished else pictures.make(ordered, begun)
