"""`python -m pretrain vqgan`: cuts the crops, trains, saves, shows and exports; or goes on with a run."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from clipguide import images
from clipguide.errors import UserError
from clipguide.models.vqgan import VQGAN, write_vqgan
from clipguide.ops.memory import keep_freed_memory
from clipguide.weights import Models
from pretrain import stored
from pretrain.arguments import Parser
from pretrain.data.packages import default_cache
from pretrain.stored import Part
from pretrain.vqgan import crops
from pretrain.vqgan.config import VqganConfig
from pretrain.vqgan.losses import PerceptualDistance
from pretrain.vqgan.space import refit
from pretrain.vqgan.train import Distance, VqganState, VqganStep, batch, start, train

CHECKPOINT, EXPORT = "checkpoint.pt", "vqgan"
SHOWN, SHOW_COLUMNS = 20, 10


def main(arguments: list[str]) -> int:
    options = make_parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    config = VqganConfig(**{f.name: getattr(options, f.name) for f in fields(VqganConfig)})
    folder, saved = options.crops or options.out / "crops", options.out / CHECKPOINT
    state = start(config, options.start and Models("cpu").vqgan(options.start))
    if options.resume:
        state.step = stored.load(saved, config, parts(state))
    elif saved.exists():
        raise UserError(f"{saved} is there; add --resume to go on with it, or give another --out")
    if not (folder / "held.npy").is_file():
        print(f"cutting crops into {folder}")
        crops.cut(folder, options.cache, options.sources.split(","), scale=options.scale)
    options.out.mkdir(parents=True, exist_ok=True)
    features = Models("cpu").features(options.features)
    run(state, config, PerceptualDistance(features), options.out, folder, save_every=options.save_every)
    print(f"done: {options.out / EXPORT}")
    return 0


def run(
    state: VqganState, config: VqganConfig, distance: Distance, out: Path, folder: Path, *, save_every: float
) -> None:
    """Trains to the end.  Every `save_every` seconds, and then, the run's folder gets a checkpoint, the averaged
    weights as a VQGAN folder, and a sheet of held-out pictures beside what the network makes of them.
    """
    from tqdm import tqdm

    pictures, shown, saved = crops.Crops.read(folder, "train").pictures, choose(folder), time.monotonic()
    with (out / "log.jsonl").open("a", encoding="utf-8") as log, tqdm(total=config.steps, initial=state.step) as bar:
        for step in train(state, pictures, config, distance):
            bar.update()
            if step.index % 20 == 0:
                note(step, log, bar)
            if time.monotonic() - saved > save_every:
                keep(out, state, config, shown)
                saved = time.monotonic()
    finish(state, config, pictures)
    keep(out, state, config, shown)


def finish(state: VqganState, config: VqganConfig, pictures: NDArray) -> None:
    """The averaged weights' last layer goes half-way to the least squared error: sharper ones score worse, all of the
    way loses a little of the features (measured).
    """
    rng = torch.Generator().manual_seed(config.seed)
    refit(state.average, [batch(pictures, config, config.steps, rng) for _ in range(96)], coded=True, share=0.5)


def note(step: VqganStep, log: Any, bar: Any) -> None:
    rounded = {name: round(value, 5) for name, value in step.losses.items()}
    log.write(json.dumps({"step": step.index, "perplexity": round(step.perplexity), **rounded}) + "\n")
    log.flush()
    bar.set_postfix({"perplexity": f"{step.perplexity:.0f}"} | {name: f"{v:.3f}" for name, v in rounded.items()})


def choose(folder: Path) -> Tensor:
    """A fixed few of the held-out crops, of every source: (N, 3, S, S) in [0, 1]."""
    held = crops.Crops.read(folder, "held")
    order = sorted(range(len(held.sources)), key=lambda at: (list(held.sources[:at]).count(held.sources[at]), at))
    pictures = held.pictures[sorted(order[:SHOWN])]
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 255


def keep(out: Path, state: VqganState, config: VqganConfig, shown: Tensor) -> None:
    stored.save(out / CHECKPOINT, config, state.step, parts(state))
    export(out / EXPORT, state.average)
    (out / "sheets").mkdir(exist_ok=True)
    images.write(out / "sheets" / f"{state.step:06d}.png", images.png(sheet(state.average, shown)))


@torch.no_grad()
def sheet(vqgan: VQGAN, shown: Tensor) -> Tensor:
    """Rows of pictures, each above what the network makes of it: (1, 3, H, W)."""
    drawn = vqgan.decode(vqgan.quantise(vqgan.encode(shown)))
    rows = []
    for at in range(0, len(shown), SHOW_COLUMNS):
        rows += [*shown[at : at + SHOW_COLUMNS], *drawn[at : at + SHOW_COLUMNS]]
    return images.sheet([row[None] for row in rows], columns=SHOW_COLUMNS, side=shown.shape[-1])


def export(folder: Path, vqgan: VQGAN) -> None:
    """Writes the VQGAN folder beside its place and moves it there."""
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    write_vqgan(scratch, vqgan)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def parts(state: VqganState) -> dict[str, Part]:
    """What a checkpoint keeps of a run."""
    names = ("vqgan", "critic", "optimiser", "critic_optimiser", "average", "book")
    return {name: getattr(state, name) for name in names}


def make_parser() -> Parser:
    parser = Parser(prog="python -m pretrain vqgan", description="Train a VQGAN on open pictures.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out; --steps may differ")
    parser.add_argument("--start", help="a trained VQGAN of the same architecture whose weights the run begins with")
    parser.add_argument("--crops", type=Path, help="folder of crops; cut there when it holds none (OUT/crops)")
    parser.add_argument("--sources", default=",".join(crops.TRAIN), help="whose pictures are cut")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the usual number of crops")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where fetched packages lie")
    parser.add_argument("--features", default="clip-mini", help="CLIP whose image tower judges what was lost")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    for f in fields(VqganConfig):
        kind = _widths if isinstance(f.default, tuple) else type(f.default)
        parser.add_argument(f"--{f.name.replace('_', '-')}", type=kind, default=f.default)
    return parser


def _widths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
