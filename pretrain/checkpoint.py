"""Saving and resuming a run: one file, replaced whole, read without executing anything."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipguide.errors import UserError
from pretrain import processes, sharding
from pretrain.state import TrainConfig, TrainState

_FORMAT = 1


def save(path: str | Path, state: TrainState, config: TrainConfig) -> None:
    """Writes all that the next step depends on; the file at `path` is the old one or the new one, never half of it.

    All processes call it together, the first one writes. Sharded towers are stored whole, so that a run may go on with
    another number of processes, or with none.
    """
    path = Path(path)
    stored = {
        "format": _FORMAT,
        "config": asdict(config),
        "step": state.step,
        "model": state.model.state_dict(),
        "average": state.average,
        "optimiser": state.optimiser.state_dict(),
        "bank": {"vectors": state.bank.vectors, "concepts": state.bank.concepts},
    }
    stored = sharding.whole(stored)
    if processes.rank():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(stored, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path, state: TrainState, config: TrainConfig) -> None:
    """Continues a run: fills a fresh `state` made by `train.start` from the same model and config.

    Errors: UserError when the file is no checkpoint, or was written with another config (each difference is named).
    """
    stored = read(path)
    other = {f.name for f in fields(TrainConfig)} & {
        name for name, value in asdict(config).items() if stored["config"].get(name, value) != value
    }
    if other:
        changes = ", ".join(f"{n} was {stored['config'][n]}, now {getattr(config, n)}" for n in sorted(other))
        raise UserError(f"{path} was made with another config ({changes}); resume with the old values or start anew")
    try:
        state.model.load_state_dict(_as(state.model.state_dict(), stored["model"]))
        state.optimiser.load_state_dict(_moments(state.optimiser, stored["optimiser"]))
    except (RuntimeError, ValueError, IndexError) as error:
        raise UserError(f"{path} belongs to another model ({' '.join(str(error).split())[:120]})") from error
    state.average = _as(state.average, stored["average"])
    state.bank.vectors, state.bank.concepts = stored["bank"]["vectors"], list(stored["bank"]["concepts"])
    state.step = stored["step"]


def _as(current: dict[str, Tensor], stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """The stored tensors, sharded as those of the same name now are."""
    return {name: sharding.spread(tensor, current.get(name)) for name, tensor in stored.items()}


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
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {path} to resume; leave --resume out to start") from error
    except Exception as error:  # a damaged archive raises many kinds
        raise UserError(f"{path} is no readable checkpoint ({str(error).splitlines()[0][:120]})") from error
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise UserError(f"{path} is no checkpoint of this trainer; give the checkpoint.pt of a run folder")
    return stored
