"""What the commands share that make a picture: their flags, the plan, and the run that is watched until it ends."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from clipguide import api, hashtags, runs
from clipguide.commands import delivery, flags
from clipguide.commands.delivery import Delivery
from clipguide.commands.progress import Watch
from clipguide.errors import UserError
from clipguide.methods import DEFAULT, table
from clipguide.options import Common, Output, add_flags, validate
from clipguide.weights import Models

PROMPT_HELP = "words, or @FILE for a picture, each with :WEIGHT if any; '|' between several; #pixelart is a method"
VIDEO_FRAMES = 240  # kept for a video where --save-every does not say how many


@dataclass(frozen=True, slots=True)
class Order:
    """A picture that is wholly described, and where it goes.  left: see `Delivery`."""

    planned: api.Plan
    output: Output
    as_json: bool
    left: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """UserError when nothing can be written to where it goes."""
        delivery.check(self.output.out, film=self.wants_video)

    @property
    def delivery(self) -> Delivery:
        return Delivery(self.output, self.left)

    @property
    def frame_every(self) -> int:
        """Steps between kept frames; 0 keeps none."""
        if self.output.save_every or not self.wants_video:
            return self.output.save_every
        return self.planned.film_every or max(1, getattr(self.planned.settings, "steps", 0) // VIDEO_FRAMES)

    @property
    def wants_video(self) -> bool:
        return self.output.video or self.planned.film_every > 0


def add_arguments(
    parser: argparse.ArgumentParser, words: Sequence[str], *, before: int = 0, default: str = DEFAULT
) -> None:
    """The flags of a picture: what every method, this method and the output can be told.

    before: how many positional words come before the prompts.
    default: the method where neither `--method`, nor the YAML file, nor a hashtag of the prompt names one.
    """
    tagged = hashtags.read(flags.typed_prompts(words, before))
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
    return Order(planned, validate(Output, output_values), args.json)


def make(ordered: Order, run: runs.Run | None = None) -> int:
    """Makes the picture, shows how it goes, and says where it lies.  run: one to go on with.  Returns the exit code."""
    models = Models(ordered.output.device)
    own, fresh = run is None, not ordered.output.runs.exists()
    run = run or runs.create(ordered.output.runs, ordered.planned.recipe)
    watch = Watch(quiet=ordered.as_json)
    try:
        with watch, closing(api.follow(ordered.planned, models, run, frame_every=ordered.frame_every)) as steps:
            for progress in steps:
                if watch.newest is None:
                    ordered.delivery.remember(run)
                watch.show(progress)
                if watch.asked_to_stop:
                    break
    except BaseException:
        if own and not watch.newest:
            run.remove()  # nothing was made
            if fresh:
                with suppress(OSError):  # other runs lie there by now
                    ordered.output.runs.rmdir()
        raise
    step, seconds = watch.newest.step, round(watch.newest.seconds, 2)
    return _report(ordered, run, {"score": watch.newest.score, "seconds": seconds, "steps": step.index})


def deliver(ordered: Order, run: runs.Run) -> int:
    """Brings a run that has ended to where it could not be written when it did.  Returns the exit code."""
    entry = (run.log() or [{"score": None, "seconds": 0.0, "step": 0}])[-1]
    with run.held():
        return _report(ordered, run, {"score": entry["score"], "seconds": entry["seconds"], "steps": entry["step"]})


def _report(ordered: Order, run: runs.Run, facts: dict[str, Any]) -> int:
    name = runs.slug(runs.title(ordered.planned.texts))
    try:
        pictures, film = ordered.delivery.write(run, name, film=ordered.wants_video)
    except (OSError, UserError) as error:
        way = f"what was made is kept; deliver it with: clipguide resume {shlex.quote(str(run.folder))}"
        raise UserError(f"{error}; {way}") from None
    if run.finished:
        delivery.forget(run)
    facts |= {"finished": run.finished, "run": str(run.folder), "video": film and str(film)}
    facts["pictures"] = [str(path) for path in pictures]
    if ordered.as_json:
        print(json.dumps(facts, sort_keys=True))
    else:
        _say(facts)
    return 0 if run.finished else 130


def _say(facts: Mapping[str, Any]) -> None:
    score = "" if facts["score"] is None else f"score {facts['score']:.3f}, "
    print(f"{score}{facts['steps']} steps in {facts['seconds']:.1f} s")
    for path in [*facts["pictures"], *([facts["video"]] if facts["video"] else [])]:
        print(path)
    if not facts["finished"]:
        print(f"stopped early; go on with: clipguide resume {shlex.quote(facts['run'])}")
