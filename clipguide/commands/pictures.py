"""What the commands share that make a picture: their flags, the plan, and the run that is watched until it ends."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipguide import api, hashtags, images, runs, video
from clipguide.commands import flags
from clipguide.commands.progress import Watch
from clipguide.errors import UserError
from clipguide.methods import DEFAULT, table
from clipguide.options import Common, Output, add_flags, validate
from clipguide.weights import Models

PROMPT_HELP = "words, or @FILE for a picture, each with :WEIGHT if any; '|' between several; #pixelart is a method"
VIDEO_FRAMES = 240  # kept for a video where --save-every does not say how many


@dataclass(frozen=True, slots=True)
class Order:
    """A picture that is wholly described, and where it goes."""

    planned: api.Plan
    output: Output
    as_json: bool

    @property
    def frame_every(self) -> int:
        """Steps between kept frames; 0 keeps none."""
        if self.output.save_every or not self.wants_video:
            return self.output.save_every
        return self.planned.film_every or max(1, getattr(self.planned.settings, "steps", 0) // VIDEO_FRAMES)

    @property
    def wants_video(self) -> bool:
        return self.output.video or self.planned.film_every > 0


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str], *, default: str = DEFAULT) -> None:
    """The flags of a picture: what every method, this method and the output can be told.

    default: the method where neither `--method`, nor the YAML file, nor a hashtag of the prompt names one.
    """
    tagged = hashtags.read([*words, flags.typed(words, "prompts") or ""])
    method = flags.typed(words, "method") or tagged.method or default
    parser.add_argument("--method", default=method, metavar="NAME", help=f"one of: {', '.join(table())}")
    flags.add_common(parser)
    add_flags(parser, Common, "the picture")
    add_flags(parser, api.method(method).Settings, f"the method {method}")
    add_flags(parser, Output, "what is written")


def order(
    args: argparse.Namespace, recipe: Mapping[str, Any] | None = None, given: Mapping[str, Any] | None = None
) -> Order:
    """The checked order.  UserError before any network is opened.

    recipe: what the flags change (see `api.Plan.recipe`).  given: settings that the command sets itself.
    """
    values = flags.gather(args, [Common, api.method(args.method).Settings, Output]) | dict(given or {})
    texts = flags.prompts(args, values)
    values = {name: value for name, value in values.items() if name not in ("prompts", "method")}
    output_values = {name: values.pop(name) for name in Output.model_fields if name in values}
    if recipe is None:
        planned = api.plan(texts, args.method, values)
    else:
        planned = api.plan_again(recipe, values, method_name=args.method, texts=texts)
    output = validate(Output, output_values)
    check_out(output.out)
    return Order(planned, output, args.json)


def check_out(out: Path | None) -> None:
    """UserError when no PNG can be written there."""
    if out is None:
        return
    if not out.is_dir() and out.suffix.lower() not in ("", ".png"):
        raise UserError(f"--out {out}: pictures are written as PNG; give a name that ends in .png, or a folder")
    folder = out if out.is_dir() else out.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"--out {out}: {folder} is no folder that can be written; make it, or give another")


def make(ordered: Order, run: runs.Run | None = None) -> int:
    """Makes the picture, shows how it goes, and says where it lies.  run: one to go on with.  Returns the exit code."""
    models = Models(ordered.output.device)
    own = run is None
    run = run or runs.create(ordered.output.runs, ordered.planned.recipe)
    watch = Watch(quiet=ordered.as_json)
    try:
        with watch, closing(api.follow(ordered.planned, models, run, frame_every=ordered.frame_every)) as steps:
            for progress in steps:
                watch.show(progress)
                if watch.asked_to_stop:
                    break
    except BaseException:
        if own and not watch.newest:
            run.remove()  # nothing was made
            with suppress(OSError):  # other runs lie there
                ordered.output.runs.rmdir()
        raise
    return _report(ordered, run, watch)


def _report(ordered: Order, run: runs.Run, watch: Watch) -> int:
    newest = watch.newest
    pictures = run.pictures()
    copies = [_copy(picture, ordered) for picture in pictures] if ordered.output.out else []
    film = _video(ordered, run, copies)
    facts = {
        "finished": newest.step.last,
        "pictures": [str(path) for path in copies or pictures],
        "run": str(run.folder),
        "score": newest.score,
        "seconds": round(newest.seconds, 2),
        "steps": newest.step.index,
        "video": film and str(film),
    }
    if ordered.as_json:
        print(json.dumps(facts))
    else:
        _say(facts)
    return 0 if newest.step.last else 130


def _say(facts: Mapping[str, Any]) -> None:
    score = "" if facts["score"] is None else f"score {facts['score']:.3f}, "
    print(f"{score}{facts['steps']} steps in {facts['seconds']:.1f} s")
    for path in [*facts["pictures"], *([facts["video"]] if facts["video"] else [])]:
        print(path)
    if not facts["finished"]:
        print(f"stopped early; go on with: clipguide resume {facts['run']}")


def _copy(picture: Path, ordered: Order) -> Path:
    out = ordered.output.out
    if out.is_dir():
        out = out / runs.slug(" ".join(ordered.planned.texts))
    free = runs.unused(out.with_suffix(".png"))
    images.write(free, picture.read_bytes())
    return free


def _video(ordered: Order, run: runs.Run, copies: Sequence[Path]) -> Path | None:
    if not ordered.wants_video or not run.frames():
        return None
    ending = f".{ordered.output.video_kind}"
    path = runs.unused(copies[0].with_suffix(ending) if copies else run.folder / f"video{ending}")
    video.write(path, (images.read(frame) for frame in run.frames()), fps=ordered.output.fps)
    return path
