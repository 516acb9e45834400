"""Where pairs come from: a module each, with `fetch(cache) -> None` and `pairs(cache) -> Iterator[Pair]`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from clipguide.errors import UserError

SOURCES = {
    "emoji": "pretrain.data.sources.emoji",
    "stamps": "pretrain.data.sources.stamps",
    "clipart": "pretrain.data.sources.clipart",
    "art4apps": "pretrain.data.sources.art4apps",
    "gcompris": "pretrain.data.sources.gcompris",
    "wallpapers": "pretrain.data.sources.wallpapers",
    "scenes": "pretrain.data.sources.scenes",
    "furniture": "pretrain.data.sources.furniture",
    "stellarium": "pretrain.data.sources.stellarium",
    "portraits": "pretrain.data.sources.portraits",
    "avatars": "pretrain.data.sources.avatars",
}


def load(name: str) -> ModuleType:
    """The module of a source. Raises UserError for an unknown name."""
    if name not in SOURCES:
        raise UserError(f"unknown source {name!r}; known are {', '.join(SOURCES)}")
    return import_module(SOURCES[name])
