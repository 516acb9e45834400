"""clipguide score: how well a picture fits some texts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from pydantic import Field

from clipguide import images
from clipguide.brief import parse_prompt
from clipguide.commands import flags
from clipguide.errors import UserError
from clipguide.options import Settings, add_flags, split, validate
from clipguide.scores import Scorer
from clipguide.weights import FINDER, Models


class Judging(Settings):
    """What the command can be told."""

    clip: str = Field(FINDER, description="the CLIPs that judge, as NAME[:WEIGHT], joined by commas")
    device: str = Field("auto", description="where it is computed: auto, cpu, cuda or mps")


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("image", metavar="IMAGE", help="a picture file")
    parser.add_argument("texts", nargs="+", metavar="TEXT", help="what it may show, or @FILE for a picture")
    flags.add_common(parser)
    add_flags(parser, Judging, "the judges")


def run(args: argparse.Namespace) -> int:
    settings = validate(Judging, split(flags.gather(args, [Judging]), [Judging])[0])
    picture, prompts = images.read(args.image), [parse_prompt(text) for text in args.texts]
    for text, prompt in zip(args.texts, prompts, strict=True):
        if not prompt.weight:
            raise UserError(f"'{text}' has weight 0, and so no score; leave the weight out")
    judges = Models(settings.device).judges(settings.clip)
    if any(judge.since for judge in judges):
        raise UserError(f"--clip {settings.clip}: a finished picture is judged by all; leave the @ out")
    scores = {text: float(Scorer(judges, [prompt])(picture)) for text, prompt in zip(args.texts, prompts, strict=True)}
    if args.json:
        print(json.dumps(scores))
        return 0
    for text, score in sorted(scores.items(), key=lambda entry: -entry[1]):
        print(f"{score:+.3f}  {text}")
    return 0
