"""`python -m pretrain forward`: reads the examples, trains, shows, exports; or goes on with a run."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from clipguide import images
from clipguide.encoders import ClipEncoder
from clipguide.errors import UserError
from clipguide.models.forward import Forward, write_forward
from clipguide.ops.memory import keep_freed_memory
from clipguide.weights import Models
from pretrain import stored
from pretrain.arguments import Parser
from pretrain.data.packages import default_cache
from pretrain.forward.examples import gather
from pretrain.forward.train import RunConfig, RunState, start, train
from pretrain.stored import Part

CHECKPOINT, EXPORT = "checkpoint.pt", "forward"
SOURCES = "emoji,stamps,clipart,art4apps,gcompris,scenes,portraits,avatars"
SHOWN = (
    "a painting of a starry night sky", "a sunset over the sea", "a castle", "a red apple", "a bicycle", "fast food",
    "Yeti taking a selfie", "marriage in the mountains", "cute cat", "cheese cake", "a city at night",
    "a forest in the mist",
)  # fmt: skip
THROWS = 8  # pictures of each


def main(arguments: list[str]) -> int:
    options = make_parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    config = RunConfig(**{f.name: getattr(options, f.name) for f in fields(RunConfig)})
    encoder, saved = Models(options.device).encoder(options.guide), options.out / CHECKPOINT
    if saved.exists() and not options.resume:
        raise UserError(f"{saved} is there; add --resume to go on with it, or give another --out")
    sources = options.sources.split(",")
    examples = gather(options.out / "examples", sources, options.cache, encoder, config.side)
    state = start(config, examples, options.guide, encoder.device)
    if options.resume:
        state.step = stored.load(saved, config, parts(state))
    run(state, examples, encoder, config, options.out, save_every=options.save_every)
    print(f"done: {options.out / EXPORT}")
    return 0


def run(state: RunState, examples, encoder: ClipEncoder, config: RunConfig, out: Path, *, save_every: float) -> None:
    """Trains to the end.  Every `save_every` seconds, and then, the run's folder gets a checkpoint, the averaged
    weights as a folder, and a sheet of what they draw.
    """
    from tqdm import tqdm

    saved = time.monotonic()
    with (out / "log.jsonl").open("a", encoding="utf-8") as log, tqdm(total=config.steps, initial=state.step) as bar:
        for step in train(state, examples, encoder, config):
            bar.update()
            if step.index % 100 == 0:
                rounded = {name: round(value, 5) for name, value in step.losses.items()}
                log.write(json.dumps({"step": step.index, **rounded}) + "\n")
                log.flush()
                bar.set_postfix(rounded)
            if time.monotonic() - saved > save_every:
                keep(out, state, config, encoder)
                saved = time.monotonic()
    keep(out, state, config, encoder)


def keep(out: Path, state: RunState, config: RunConfig, encoder: ClipEncoder) -> None:
    stored.save(out / CHECKPOINT, config, state.step, parts(state))
    scratch = out / f".{EXPORT}.{os.getpid()}"
    write_forward(scratch, state.average)
    shutil.rmtree(out / EXPORT, ignore_errors=True)
    scratch.rename(out / EXPORT)
    (out / "sheets").mkdir(exist_ok=True)
    images.write(out / "sheets" / f"{state.step:06d}.png", images.png(sheet(state.average, encoder)))


@torch.no_grad()
def sheet(network: Forward, encoder: ClipEncoder) -> Tensor:
    """A column for each text of `SHOWN`, `THROWS` pictures of it: (1, 3, H, W)."""
    texts = encoder.encode_text(SHOWN)
    dice = torch.randn(THROWS, network.config.dice, generator=torch.Generator().manual_seed(0)).to(texts)
    rows = [network(texts, throw.expand(len(texts), -1)) for throw in dice]
    return images.sheet([picture[None] for row in rows for picture in row], columns=len(SHOWN), side=128)


def parts(state: RunState) -> dict[str, Part]:
    """What a checkpoint keeps of a run."""
    return {name: getattr(state, name) for name in ("network", "average", "optimiser")}


def make_parser() -> Parser:
    parser = Parser(prog="python -m pretrain forward", description="Train the feed-forward start.")
    parser.add_argument("--sources", default=SOURCES, help="what to learn from, as in python -m pretrain data")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where fetched packages and pictures lie")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out; --steps may differ")
    parser.add_argument("--guide", default="clip-mini", help="CLIP whose embeddings of texts are read, and that scores")
    parser.add_argument("--device", default="auto", help="cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    for f in fields(RunConfig):
        parser.add_argument(f"--{f.name.replace('_', '-')}", type=type(f.default), default=f.default)
    return parser
