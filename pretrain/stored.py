"""A run's checkpoint: one file, replaced whole, read without executing anything."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch

from clipguide.errors import UserError

FORMAT = 1


class Part(Protocol):
    """A network, an optimiser, or anything else with a state."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


def write(path: Path, stored: dict[str, Any]) -> None:
    """The file at `path` is the old one or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save({"format": FORMAT, **stored}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, names: Collection[str]) -> dict[str, Any]:
    """What `write` was given.  UserError for no checkpoint, and for one that does not have just those names."""
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path} to resume; leave --resume out to start") from None
    except Exception as error:  # a damaged archive raises many kinds
        raise UserError(f"{path} is no readable checkpoint ({str(error).splitlines()[0][:120]})") from error
    if not isinstance(stored, dict) or stored.pop("format", None) != FORMAT or set(stored) != set(names):
        raise UserError(f"{path} is no checkpoint of this trainer; give the checkpoint.pt of one of its runs")
    return stored


def compare(path: Path, before: dict[str, Any], config: Any, free: Collection[str] = ()) -> None:
    """UserError, naming each difference, when a run has another config (a dataclass) than before; `free` may differ."""
    now = asdict(config)
    other = [name for name in sorted(now) if name not in free and before.get(name, now[name]) != now[name]]
    if other:
        changes = ", ".join(f"{name} was {before[name]}, now {now[name]}" for name in other)
        raise UserError(f"{path} was made with another config ({changes}); resume with the old values or start anew")


def save(path: Path, config: Any, step: int, parts: Mapping[str, Part]) -> None:
    """Writes all that the next step depends on.  config: a dataclass."""
    states = {name: part.state_dict() for name, part in parts.items()}
    write(path, {"config": asdict(config), "step": step, **states})


def load(path: Path, config: Any, parts: Mapping[str, Part]) -> int:
    """Fills the parts and returns the step.  UserError as `read` and `compare`; other `steps` are fine."""
    stored = read(path, {"config", "step", *parts})
    compare(path, stored["config"], config, free=("steps",))
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return stored["step"]
