"""`python -m pretrain train`: a run's folder, its progress, its checkpoints."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from clipguide import images
from clipguide.errors import UserError
from clipguide.models.clip import CONFIG, WEIGHTS, OpenedClip, open_folder
from clipguide.models.fold import fold_norms
from clipguide.weights import Models, sha256
from pretrain import checkpoint, processes
from pretrain.anchor import imagenet_anchor
from pretrain.feed import Feed, decode_side
from pretrain.flags import parse
from pretrain.glosses import Glosses
from pretrain.log import Log, Logs, import_wandb, open_logs
from pretrain.models import embed_texts, normalise
from pretrain.pairs import Pairs, TextCache
from pretrain.sharding import shard
from pretrain.state import Inputs, NotFinite, TrainConfig, TrainState, TrainStep, start
from pretrain.style_mixing import stages_of
from pretrain.towers import compile_stacks
from pretrain.train import train
from pretrain.watch import Watch


@dataclass(frozen=True)
class Start:
    """The CLIP folder a run begins from, opened and made ready to train."""

    opened: OpenedClip
    stored: dict[str, Any]
    pairs: list[tuple[str, str]]  # (convolution, norm) that were folded
    folder: Path


def open_start(folder: Path, fold: bool) -> Start:
    """Opens the folder; with `fold` batch norms are folded (their statistics stay). Convolutions run channels-last."""
    opened = open_folder(folder)
    folded = fold_norms(opened.model.visual) if fold else []
    pairs = [(f"visual.{conv}", f"visual.{norm}") for conv, norm in folded]
    opened.model.to(memory_format=torch.channels_last)
    return Start(opened, json.loads((folder / CONFIG).read_text(encoding="utf-8")), pairs, folder)


def make_inputs(begun: Start, config: TrainConfig) -> Inputs:
    """How the model sees pictures and texts; the ImageNet anchor and the teacher where the config names them.

    Errors: UserError for an anchor of other towers than it has figures for, and for a teacher that is not there.
    """
    opened, model = begun.opened, begun.opened.model
    cache = anchor = glosses = teacher = None
    embed = partial(embed_texts, model, opened.tokenise)
    if config.lock_text and hasattr(getattr(model, "text", None), "pool"):
        cache = TextCache(embed)
    if config.classes or config.distil or config.glosses or config.seen_glosses:
        _check_anchor(begun)
        anchor = imagenet_anchor(model, opened.tokenise, begun.stored["preprocess_cfg"])
    if config.glosses or config.seen_glosses:
        glosses = Glosses.read(anchor, embed)
    if config.teacher:
        from pretrain.teacher import Teacher

        teacher = Teacher.open(config.teacher, str(model.logit_scale.device))
    preprocess = begun.stored["preprocess_cfg"]
    return Inputs(opened.tokenise, lambda images: normalise(images, preprocess), cache, anchor, glosses, teacher)


def _check_anchor(begun: Start) -> None:
    tower = begun.stored["model_cfg"]["vision_cfg"].get("timm_model_name", "")
    if "efficientnet_lite0" not in tower or not hasattr(begun.opened.model.text, "pool"):
        raise UserError(
            "--classes, --glosses, --seen-glosses and --distil need clip-mini's towers, EfficientNet-Lite0 and a BERT; "
            f"{begun.folder} has others"
        )


def main(arguments: list[str]) -> int:
    options, config = parse(arguments)
    if options.wandb:
        import_wandb()
    for one, other in (("--shard", "--compile"), ("--mix-styles", "--compile"), ("--mix-styles", "--checkpointing")):
        if all((vars(options) | vars(config))[name[2:].replace("-", "_")] for name in (one, other)):
            raise UserError(f"{one} and {other} do not go together; leave one out")
    torch.set_num_threads(options.threads)
    processes.join(options.device)
    try:
        _run(options, config)
    finally:
        processes.leave()
    return 0


def _check_sizes(opened: OpenedClip, sizes: Sequence[int]) -> None:
    """UserError for a side that the image tower cannot see: a ViT, or a pool with attention, knows its own alone."""
    for side in sizes:
        try:
            with torch.inference_mode():
                opened.model.eval().encode_image(torch.zeros(1, 3, side, side))
        except (RuntimeError, AssertionError, ValueError):
            raise UserError(
                f"--sizes {side}: the image tower of --start takes no views of {side} px; give --sizes {opened.size}"
            ) from None


def _run(options: argparse.Namespace, config: TrainConfig) -> None:
    # on a CPU this also keeps the memory that the process frees
    folder = Models("cpu").checkpoint(options.start, "clip")
    begun = open_start(folder, config.frozen_norms)
    _check_sizes(begun.opened, config.sizes)
    if config.mix_styles:
        stages_of(begun.opened.model.visual)
    model = begun.opened.model.to(options.device)
    if options.shard:
        shard(model, text=not config.lock_text)
    if options.compile:
        compile_stacks(model, text=not config.lock_text)
    state = start(model, config)
    saved = options.out / "checkpoint.pt"
    if options.resume:
        checkpoint.load(saved, state, config)
    elif saved.exists():
        raise UserError(f"{saved} is there; add --resume to go on with it, or give another --out")
    inputs = make_inputs(begun, config)
    feed = Feed(
        options.shards,
        config.batch,
        seed=config.seed,
        size=decode_side(config.sizes),
        skip=state.step * config.batch,
        rank=processes.rank(),
        ranks=processes.count(),
    )
    described = _describe(folder, feed, config)
    if options.resume:
        _check_same(options.out / "run.json", described)
    with closing(iter(feed)) as batches:
        every = chain([next(batches)], batches)  # what is wrong with the data is told before a folder is made
        try:
            _follow(state, train(state, every, config, inputs), described, options, config, inputs)
        finally:
            _tell_skipped(feed)
    _save(saved, state, config)
    if processes.rank() == 0:
        print(f"done: {saved}; a CLIP folder of it: python -m pretrain export --run {options.out} --out FOLDER")


def _describe(folder: Path, feed: Feed, config: TrainConfig) -> dict[str, Any]:
    """What run.json says. The digests know the same start and the same shards again wherever they lie."""
    shards = "".join(f"{path.name} {path.stat().st_size}\n" for path in feed.shards)
    digests = {"start": sha256(folder / WEIGHTS), "shards": hashlib.sha256(shards.encode()).hexdigest()}
    return {"start": str(folder), "shards": str(feed.folder), "digests": digests, "config": asdict(config)}


def _check_same(path: Path, now: dict[str, Any]) -> None:
    """UserError when the run was begun with another start, or with shards of other names or lengths."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else now
    for name, digest in before.get("digests", {}).items():
        if digest != now["digests"][name]:
            raise UserError(
                f"--{name} {now[name]} is not what {path.parent} was made with ({before[name]}); "
                "resume with that or give another --out"
            )


def _tell_skipped(feed: Feed) -> None:
    if feed.skipped:
        who = f" by process {feed.rank}" if feed.ranks > 1 else ""
        print(f"skipped{who}:", ", ".join(f"{count} {reason}" for reason, count in feed.skipped.most_common()))


def _save(path: Path, state: TrainState, config: TrainConfig) -> None:
    """UserError, and the old file stays, where the weights are not finite."""
    if not checkpoint.save(path, state, config):
        left = f"{path} is of an earlier step" if path.exists() else "no checkpoint is there"
        raise UserError(f"the weights after step {state.step} are not finite; lower the rate; {left}")


def _save_batch(folder: Path, pairs: Pairs) -> Path:
    """The pairs of this process."""
    path = folder / (f"bad_batch_{processes.rank()}.pt" if processes.count() > 1 else "bad_batch.pt")
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"images": pairs.images, "texts": pairs.texts, "concepts": pairs.concepts}, path)
    return path


def _follow(
    state: TrainState,
    steps: Iterator[TrainStep],
    described: dict[str, Any],
    options: argparse.Namespace,
    config: TrainConfig,
    inputs: Inputs,
) -> None:
    """Goes through the steps; watches and saves in all processes together, shows and logs in the first."""
    from tqdm import tqdm

    first, written = processes.rank() == 0, options.out / "checkpoint.pt"
    watch = Watch.read(options.validation, decode_side(config.sizes)) if options.validation else None
    saved = time.monotonic()
    if first:
        options.out.mkdir(parents=True, exist_ok=True)
        images.write(options.out / "run.json", (json.dumps(described, indent=2) + "\n").encode())
    logs = open_logs(options.out, options.wandb, described) if first else nullcontext(Logs([]))
    with logs as log, tqdm(total=config.steps, initial=state.step, disable=not first) as bar:
        try:
            for step in steps:
                _show(bar, log, step)
                if watch and step.index % options.validate_every == 0:
                    _look(watch, bar, log, step, state, inputs, config)
                if processes.agree(time.monotonic() - saved > options.save_every):
                    _save(written, state, config)
                    saved = time.monotonic()
                if step.index >= (options.until or config.steps):
                    break
        except NotFinite as error:
            batch = _save_batch(options.out, error.pairs)
            _save(written, state, config)
            raise UserError(f"{error} ({batch}); {written} holds the state before it") from error


def _show(bar: Any, log: Log, step: TrainStep) -> None:
    terms = {name: f"{value:.3f}" for name, value in step.losses.items()}
    bar.update()
    bar.set_postfix({"img/s": f"{step.images_per_second:.0f}", "scale": f"{step.scale:.1f}"} | terms)
    values = {f"loss/{name}": value for name, value in step.losses.items()}
    values |= {"scale": step.scale, "gradient": step.gradient, "images_per_second": step.images_per_second}
    log.add(values, step.index)


def _look(
    watch: Watch, bar: Any, log: Log, step: TrainStep, state: TrainState, inputs: Inputs, config: TrainConfig
) -> None:
    recall = watch.recall(state, inputs, config.sizes[-1])
    log.add({"validation/recall@1": recall}, step.index)
    if not bar.disable:
        bar.write(f"step {step.index}: R@1 of {len(watch.texts)} held-out pairs {recall:.3f}")
