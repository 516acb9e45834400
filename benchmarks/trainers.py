"""The two trainers that `benchmarks.train` compares, each a process that notes when it finished a step.

    python -m benchmarks.trainers ours|open_clip MODEL SHARDS TIMES

Same networks, same starting weights, same shards, same tokenizer, same batch, AdamW, 32-bit. Ours also averages its
weights, as it does by default; noise, blur and attack, which open_clip has not, are off.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipguide.ops.vision_import import import_torchvision

BATCH, SIDE, CONTEXT, THREADS = 32, 112, 16, 2
TEXT = {"context_length": CONTEXT, "vocab_size": 2048, "width": 256, "heads": 4, "layers": 4}
TOWERS = {
    "EfficientNet-Lite0": {"timm_model_name": "tf_efficientnet_lite0", "timm_pool": "avg", "timm_proj": "linear"},
    "ViT, 6 layers of 256": {"layers": 6, "width": 256, "head_width": 64, "patch_size": 16},
}


def network(name: str) -> nn.Module:
    from clipguide.models.clip import build_network

    torch.manual_seed(0)
    config = {"embed_dim": 256, "vision_cfg": TOWERS[name] | {"image_size": SIDE}, "text_cfg": TEXT}
    return build_network(config | {"custom_text": True})


def tokeniser(shards: Path) -> Callable[[Sequence[str]], Tensor]:
    from clipguide.models.clip import TOKENIZER, read_tokeniser

    return read_tokeniser(shards.parent / TOKENIZER, CONTEXT, fixed=True)[0]


def ours(name: str, shards: Path, finished: Callable[[], None]) -> None:
    from clipguide.ops.memory import keep_freed_memory
    from pretrain.configs import PREPROCESS
    from pretrain.feed import Feed
    from pretrain.models import normalise
    from pretrain.state import Inputs, start
    from pretrain.train import train

    keep_freed_memory()
    config = our_config()
    state = start(network(name).to(memory_format=torch.channels_last), config)
    inputs = Inputs(tokeniser(shards), lambda images: normalise(images, PREPROCESS))
    for _ in train(state, Feed(shards, BATCH, seed=0), config, inputs):
        finished()


def our_config() -> Any:
    from pretrain.state import TrainConfig

    plain = {"noise": 0.0, "blur": 0.0, "bank": 0, "lock_text": False, "frozen_norms": False}
    return TrainConfig(steps=10**6, batch=BATCH, sizes=(SIDE,), **plain)


def open_clip(name: str, shards: Path, finished: Callable[[], None]) -> None:
    import_torchvision()
    from open_clip import ClipLoss
    from open_clip_train.scheduler import cosine_lr
    from open_clip_train.train import train_one_epoch

    model, (data, args) = network(name), their_data(shards)
    model.output_dict = True
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    spared = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.98), eps=1e-6)
    schedule = cosine_lr(optimiser, 3e-4, 50, 10**6)

    def scheduled(step: int) -> None:  # called at the start of every step
        finished()
        schedule(step)

    train_one_epoch(model, data, ClipLoss(), 0, optimiser, None, scheduled, None, args)


def their_data(shards: Path) -> tuple[dict[str, Any], Any]:
    """What `open_clip_train.main` makes of its command line before the first epoch."""
    import_torchvision()
    from open_clip.transform import image_transform
    from open_clip_train import data
    from open_clip_train.params import parse_args

    # webdataset 1 ends each shard with an empty entry, which open_clip_train 3.3 stumbles over
    data.tar_file_expander = partial(data.tar_file_expander, eof_value=None)
    count = len(list(shards.glob("*.tar")))
    words = ["--train-data", f"{shards}/{{00000..{count - 1:05d}}}.tar", "--dataset-type", "webdataset"]
    words += ["--train-num-samples", str(10**6 * BATCH), "--batch-size", str(BATCH), "--workers", str(THREADS)]
    args = parse_args([*words, "--precision", "fp32", "--grad-clip-norm", "1", "--log-every-n-steps", str(10**9)])
    vars(args).update(device="cpu", rank=0, world_size=1, distributed=False, distill=False, wandb=False)
    tokenise = tokeniser(shards)
    transform = image_transform(SIDE, is_train=True, mean=(0.5,) * 3, std=(0.5,) * 3)
    return data.get_data(args, (transform, None), tokenizer=lambda text: tokenise([text])), args


def main(trainer: str, name: str, shards: str, times: str) -> None:
    torch.set_num_threads(THREADS)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # open_clip's loader forks
    with open(times, "a", encoding="utf-8", buffering=1) as notes:
        {"ours": ours, "open_clip": open_clip}[trainer](
            name, Path(shards), lambda: notes.write(f"{time.perf_counter()}\n")
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
