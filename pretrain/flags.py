"""The flags of `python -m pretrain train`: what a run is given, and one flag for each field of its config."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import torch

from clipguide.errors import UserError
from clipguide.ops.device import pick_device
from pretrain.arguments import Parser
from pretrain.state import TrainConfig


def parse(arguments: list[str]) -> tuple[argparse.Namespace, TrainConfig]:
    """What stands outside the config, and the config.  Errors: UserError for a value that no run can have."""
    options = _parser().parse_args(arguments)
    for name, least in {"threads": 1, "validate_every": 1, "until": 0, "save_every": 0}.items():
        if not getattr(options, name) >= least:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)}: give {least} or more")
    options.device = str(pick_device(options.device))
    return options, TrainConfig(**{f.name: getattr(options, f.name) for f in fields(TrainConfig)})


def _parser() -> Parser:
    parser = Parser(
        prog="python -m pretrain train",
        description="Train a CLIP on shards.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run = parser.add_argument_group("the run")
    run.add_argument("--shards", type=Path, required=True, help="folder with .tar shards to train on")
    run.add_argument(
        "--start", required=True, help="CLIP to begin from: a folder, as `begin` writes, or a bundled name"
    )
    run.add_argument("--out", type=Path, required=True, help="folder of the run")
    run.add_argument("--resume", action="store_true", help="go on with the run in --out")
    run.add_argument("--validation", type=Path, help="folder with .tar shards whose R@1 is shown now and then")
    run.add_argument("--validate-every", type=int, default=100, help="steps between two looks at --validation")
    run.add_argument("--until", type=int, default=0, help="stop at this step; schedules still run over --steps")
    run.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    run.add_argument("--wandb", metavar="PROJECT", help="log to Weights & Biases too, if it is installed")
    _add_machine(parser.add_argument_group("the machine"))
    config = parser.add_argument_group("the config: a run resumes with the same")
    for f in fields(TrainConfig):
        default, flag, about = f.default, f"--{f.name.replace('_', '-')}", f.metadata["help"]
        if isinstance(default, bool):
            config.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=about)
        elif isinstance(default, tuple):
            config.add_argument(flag, type=_sides, default=default, help=about, metavar="SIDES")
        else:
            config.add_argument(flag, type=type(default), default=default, help=about, choices=f.metadata["choices"])
    return parser


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    group.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, cuda or mps")
    group.add_argument(
        "--shard",
        action="store_true",
        help="spread the towers' blocks over the processes that torchrun started (FSDP2); without it each has all",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="torch.compile the towers: a minute or more before the first step, again for each of --sizes; worth it "
        "in long runs, most for Transformers on a GPU. The figures differ from a plain run's in the last digits",
    )


def _sides(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give sides in px, comma-separated, such as 96,112") from None
