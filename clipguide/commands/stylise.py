"""clipguide stylise: a photo, or a video, in a style."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from clipguide import api, footage, runs, video
from clipguide.commands import flags, pictures
from clipguide.errors import UserError
from clipguide.jobs import PHOTO_METHOD
from clipguide.methods import METHODS
from clipguide.options import Common, Output, split, validate
from clipguide.styling import Styling
from clipguide.weights import Models

FILM_DEFAULT = "clipstyler"  # a film needs one network for all its frames
UNUSED = ("save_every", "video_kind", "fps")  # of the output, where a film is made


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="a picture, or a video")
    parser.add_argument("prompts", nargs="*", metavar="STYLE", help=pictures.PROMPT_HELP)
    film = any(video.is_video(word) for word in flags.positional(words)[:1])
    pictures.add_arguments(parser, words, default=FILM_DEFAULT if film else PHOTO_METHOD)


def run(args: argparse.Namespace) -> int:
    if not issubclass(api.method(args.method).Settings, Styling):
        able = [name for name in METHODS if issubclass(api.method(name).Settings, Styling)]
        raise UserError(f"--method {args.method} restyles no photo; these do: {', '.join(able)}")
    if not args.prompts and getattr(args, "restyler", None):
        args.prompts = [Path(args.restyler).stem]  # the network is the style
    if video.is_video(args.photo):
        return _video(args)
    return pictures.make(pictures.order(args, given={"init": args.photo}))


def _video(args: argparse.Namespace) -> int:
    model = api.method("clipstyler-fast").Settings
    values = flags.gather(args, [Common, model, Output])
    texts = flags.prompts(args, values)
    values = {name: value for name, value in values.items() if name not in ("prompts", "method", "init")}
    common, own, written = split(values, [Common, model, Output])
    output = validate(Output, written)
    footage.refuse(output, UNUSED)
    out = _place(args.photo, texts, output.out)
    bar = tqdm(disable=True if args.json else None, dynamic_ncols=True, file=sys.stderr)

    def report(doing: str, done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.set_description(doing, refresh=False)
        bar.refresh()

    with bar:
        footage.stylise(args.photo, texts, out, Models(output.device), args.method, common | own, report)
    print(json.dumps({"video": str(out)}) if args.json else out)
    return 0


def _place(film: Path, texts: Sequence[str], out: Path | None) -> Path:
    """Where the new film goes: an MP4 beside the old one or in the folder, unless --out names a file."""
    name = f"{film.stem}-{runs.slug(runs.title(texts))}.mp4"
    if out is None or out.is_dir():
        return runs.unused(film.with_name(name) if out is None else out / name)
    return runs.unused(out if out.suffix else out.with_suffix(".mp4"))
