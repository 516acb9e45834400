"""Where pairs come from: a module each, with `fetch(cache) -> None` and `pairs(cache) -> Iterator[Pair]`.

Those of PLACED read what the user has: they are named with a place, as in `folder:pictures` or
`shards:/data/laion`, and their modules have `pairs(place) -> Iterator[Pair]` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from clipguide.errors import UserError
from pretrain.data.pair import Pair

SOURCES = {
    "emoji": "pretrain.data.sources.emoji",
    "icons": "pretrain.data.sources.icons",
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
PLACED = {"folder": "pretrain.data.sources.folder", "shards": "pretrain.data.sources.shards"}


@dataclass(frozen=True, slots=True)
class Source:
    """One source. fetch(cache): brings its packages; pairs(cache): its pairs, in a fixed order."""

    name: str
    fetch: Callable[[Path], None]
    pairs: Callable[[Path], Iterator[Pair]]


def load(name: str) -> Source:
    """The source of a name, or of `folder:PLACE` and `shards:PLACE`. Raises UserError for an unknown name or a
    missing place.
    """
    kind, _, place = name.partition(":")
    if kind in PLACED:
        if not place:
            raise UserError(f"source {kind!r} needs a place: write --sources {kind}:PATH")
        module = import_module(PLACED[kind])
        return Source(name, lambda cache: None, lambda cache: module.pairs(Path(place)))
    if name not in SOURCES:
        raise UserError(f"unknown source {name!r}; known are {', '.join(SOURCES)}, folder:PATH and shards:PATH")
    module = import_module(SOURCES[name])
    return Source(name, module.fetch, module.pairs)
