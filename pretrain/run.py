"""`python -m pretrain train`: a run's folder, its progress, its checkpoints."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from clipguide.errors import UserError
from clipguide.models.clip import CONFIG, OpenedClip, open_folder
from clipguide.models.fold import fold_norms
from clipguide.ops.memory import keep_freed_memory
from pretrain import checkpoint, processes
from pretrain.feed import Feed
from pretrain.models import embed_texts, normalise
from pretrain.pairs import TextCache
from pretrain.state import Inputs, NotFinite, TrainConfig, TrainState, TrainStep, start
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
    """How the model sees pictures and texts, and the ImageNet anchor where the config weighs it."""
    opened, model = begun.opened, begun.opened.model
    cache = None
    if config.lock_text and hasattr(model.text, "pool"):
        cache = TextCache(lambda texts: embed_texts(model, opened.tokenise, texts))
    anchor = None
    if config.classes or config.distil:
        from pretrain.anchor import imagenet_anchor

        anchor = imagenet_anchor(model, opened.tokenise, begun.stored["preprocess_cfg"])
    return Inputs(opened.tokenise, lambda images: normalise(images, begun.stored["preprocess_cfg"]), cache, anchor)


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    processes.join()
    try:
        _run(options, TrainConfig(**{f.name: getattr(options, f.name) for f in fields(TrainConfig)}))
    finally:
        processes.leave()
    return 0


def _run(options: argparse.Namespace, config: TrainConfig) -> None:
    begun = open_start(options.start, config.frozen_norms)
    begun.opened.model.to(options.device)
    state = start(begun.opened.model, config)
    saved = options.out / "checkpoint.pt"
    if options.resume:
        checkpoint.load(saved, state, config)
    elif saved.exists():
        raise UserError(f"{saved} is there; add --resume to go on with it, or give another --out")
    inputs = make_inputs(begun, config)
    rank, ranks = processes.rank(), processes.count()
    feed = Feed(options.shards, config.batch, seed=config.seed, skip=state.step * config.batch, rank=rank, ranks=ranks)
    if rank:
        for _ in train(state, feed, config, inputs):
            pass
        return
    options.out.mkdir(parents=True, exist_ok=True)
    described = {"start": str(options.start), "shards": str(options.shards), "config": asdict(config)}
    (options.out / "run.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    _follow(state, config, inputs, feed, options)
    checkpoint.save(saved, state, config)
    print(f"done: {saved}; make a CLIP folder of it with: python -m pretrain export --run {options.out} --out FOLDER")


def _follow(state: TrainState, config: TrainConfig, inputs: Inputs, feed: Feed, options: argparse.Namespace) -> None:
    """Shows, logs and saves the run of the first process."""
    from torch.utils.tensorboard import SummaryWriter
    from tqdm import tqdm

    watch = Watch.read(options.validation) if options.validation else None
    saved, written = time.monotonic(), options.out / "checkpoint.pt"
    with SummaryWriter(options.out / "log") as log, tqdm(total=config.steps, initial=state.step) as bar:
        try:
            for step in train(state, feed, config, inputs):
                bar.update()
                terms = {name: f"{value:.3f}" for name, value in step.losses.items()}
                bar.set_postfix({"img/s": f"{step.images_per_second:.0f}", "scale": f"{step.scale:.1f}"} | terms)
                _log(log, step)
                if watch and step.index % options.validate_every == 0:
                    recall = watch.recall(state, inputs, config.sizes[-1])
                    log.add_scalar("validation/recall@1", recall, step.index)
                    bar.write(f"step {step.index}: R@1 of {len(watch.texts)} held-out pairs {recall:.3f}")
                if time.monotonic() - saved > options.save_every:
                    checkpoint.save(written, state, config)
                    saved = time.monotonic()
                if step.index >= (options.until or config.steps):
                    break
        except NotFinite as error:
            torch.save({"images": error.pairs.images, "texts": error.pairs.texts}, options.out / "bad_batch.pt")
            checkpoint.save(written, state, config)
            raise UserError(f"{error} ({options.out / 'bad_batch.pt'}); {written} holds the state before it") from error
    if feed.skipped:
        print("skipped:", ", ".join(f"{count} {reason}" for reason, count in feed.skipped.most_common()))


def _log(log: Any, step: TrainStep) -> None:
    values = {f"loss/{name}": value for name, value in step.losses.items()}
    values |= {"scale": step.scale, "gradient": step.gradient, "images_per_second": step.images_per_second}
    for name, value in values.items():
        log.add_scalar(name, value, step.index)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pretrain train", description="Train a CLIP on shards.")
    parser.add_argument("--shards", type=Path, required=True, help="folder with .tar shards to train on")
    parser.add_argument("--start", type=Path, required=True, help="CLIP folder to begin from")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--validation", type=Path, help="folder with .tar shards whose R@1 is shown now and then")
    parser.add_argument("--validate-every", type=int, default=100, help="steps between two looks at --validation")
    parser.add_argument("--until", type=int, default=0, help="stop at this step; schedules still run over --steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    for f in fields(TrainConfig):
        default, flag = f.default, f"--{f.name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        elif isinstance(default, tuple):
            parser.add_argument(flag, type=_sizes, default=default, help="comma-separated")
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
