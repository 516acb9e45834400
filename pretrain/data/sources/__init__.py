"""Where pairs come from: a module each, with `fetch(cache) -> None` and `pairs(cache) -> Iterator[Pair]`.

Those of PLACED read what the user has: they are named with a place, as in `folder:pictures` or
`shards:/data/laion`, and their modules have `pairs(place, left_out) -> Iterator[Pair]` alone, where `left_out` counts
what is no pair, by reason. A table needs no name before it: `table.csv` is `folder:table.csv`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from clipguide.errors import UserError
from pretrain.data.pair import Pair

SOURCES = {
    "emoji": "pretrain.data.sources.emoji",
    "icons": "pretrain.data.sources.icons",
    "outlines": "pretrain.data.sources.outlines",
    "stamps": "pretrain.data.sources.stamps",
    "clipart": "pretrain.data.sources.clipart",
    "art4apps": "pretrain.data.sources.art4apps",
    "gcompris": "pretrain.data.sources.gcompris",
    "wallpapers": "pretrain.data.sources.wallpapers",
    "snapshots": "pretrain.data.sources.snapshots",
    "scenes": "pretrain.data.sources.scenes",
    "furniture": "pretrain.data.sources.furniture",
    "stellarium": "pretrain.data.sources.stellarium",
    "portraits": "pretrain.data.sources.portraits",
    "avatars": "pretrain.data.sources.avatars",
}
PLACED = {"folder": "pretrain.data.sources.folder", "shards": "pretrain.data.sources.shards"}
TABLES = (".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class Source:
    """One source. fetch(cache): brings its packages; pairs(cache): its pairs, in a fixed order; left_out: what was no
    pair, by reason, counted while they are read.
    """

    name: str
    fetch: Callable[[Path], None]
    pairs: Callable[[Path], Iterator[Pair]]
    left_out: Counter[str] = field(default_factory=Counter)


def load(name: str) -> Source:
    """The source of a name, of `folder:PLACE` and `shards:PLACE`, or of a table. Raises UserError for an unknown name
    or a missing place.
    """
    kind, _, place = name.partition(":")
    if kind not in PLACED and name.lower().endswith(TABLES):
        kind, place = "folder", name
    if kind in PLACED:
        if not place:
            raise UserError(f"source {kind!r} needs a place: write --sources {kind}:PATH")
        module = import_module(PLACED[kind])
        left_out: Counter[str] = Counter()
        return Source(name, lambda cache: None, lambda cache: module.pairs(Path(place), left_out), left_out)
    if name not in SOURCES:
        raise UserError(f"unknown source {name!r}; known are {', '.join(SOURCES)}, folder:PATH, shards:PATH and a .csv")
    module = import_module(SOURCES[name])
    return Source(name, module.fetch, module.pairs)
