"""Saving and resuming a run: one file, replaced whole, read without executing anything."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipguide.errors import UserError
from pretrain import processes, sharding, stored
from pretrain.state import TrainConfig, TrainState

PARTS = ("config", "step", "model", "average", "optimiser", "bank")


def save(path: str | Path, state: TrainState, config: TrainConfig) -> bool:
    """Writes all that the next step depends on; the file at `path` is the old one or the new one, never half of it.

    All processes call it together, the first one writes. Sharded towers are stored whole, so that a run may go on with
    another number of processes, or with none. False, and nothing written, where the model is not finite.
    """
    content = {
        "config": asdict(config),
        "step": state.step,
        "model": state.model.state_dict(),
        "average": state.average,
        "optimiser": state.optimiser.state_dict(),
        "bank": {"vectors": state.bank.vectors, "concepts": state.bank.concepts},
    }
    content = sharding.whole(content)
    finite = all(tensor.isfinite().all() for tensor in content["model"].values())
    if finite and processes.rank() == 0:
        stored.write(Path(path), content)
    return finite


def load(path: str | Path, state: TrainState, config: TrainConfig) -> None:
    """Continues a run: fills a fresh `state` made by `train.start` from the same model and config.

    Errors: UserError when the file is no checkpoint, or was written with another config (each difference is named).
    """
    content = read(path)
    stored.compare(Path(path), content["config"], config)
    try:
        state.model.load_state_dict(_as(state.model.state_dict(), content["model"]))
        state.optimiser.load_state_dict(_moments(state.optimiser, content["optimiser"]))
    except (RuntimeError, ValueError, IndexError) as error:
        raise UserError(f"{path} belongs to another model ({' '.join(str(error).split())[:120]})") from error
    state.average = _as(state.average, content["average"])
    state.bank.vectors, state.bank.concepts = content["bank"]["vectors"], list(content["bank"]["concepts"])
    state.step = content["step"]


def _as(current: dict[str, Tensor], kept: dict[str, Tensor]) -> dict[str, Tensor]:
    """The stored tensors, sharded as those of the same name now are."""
    return {name: sharding.spread(tensor, current.get(name)) for name, tensor in kept.items()}


def _moments(optimiser: torch.optim.Optimizer, stored: dict[str, Any]) -> dict[str, Any]:
    """The optimiser's state, moments sharded as their parameters now are."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state = {
        number: {
            name: sharding.spread(tensor, parameters[number] if tensor.ndim else None) for name, tensor in kept.items()
        }
        for number, kept in stored["state"].items()
    }
    return stored | {"state": state}


def read(path: str | Path) -> dict[str, Any]:
    """The stored dictionary. Errors: UserError when there is no checkpoint at `path`."""
    return stored.read(Path(path), PARTS)
