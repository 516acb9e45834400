"""The pairs of a build: from which sources, how often each is drawn, which names are held out, and their pictures
in the cache.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from clipguide.errors import UserError
from pretrain.data.compose import Grounds
from pretrain.data.pair import Pair, phrase
from pretrain.data.sources import SOURCES, load
from pretrain.data.split import held_names

# How many samples of each pair of a source are drawn for training: what few pairs there are of the best is shown more.
VARIANTS = {
    "emoji": 1.3,
    "icons": 1,
    "outlines": 2,
    "stamps": 8,
    "clipart": 2.2,
    "art4apps": 4,
    "gcompris": 10,
    "wallpapers": 30,
    "scenes": 2,
    "furniture": 1.5,
    "stellarium": 2,
    "portraits": 3,
    "avatars": 1,
}
SPRITE = 192  # side from which pictures of up to that size are made: read or rasterised once, kept in the cache


def collect(names: Sequence[str], cache: Path, left_out: Counter[str] | None = None) -> list[tuple[str, Pair]]:
    """All (source, pair) of the named sources; `left_out` counts what was no pair, by source and reason. Raises
    UserError for a source without pairs or with pairs without captions.
    """
    found: list[tuple[str, Pair]] = []
    for name in names:
        source = load(name)
        pairs = list(source.pairs(cache))
        if left_out is not None:
            left_out.update({f"{name}: {reason}": count for reason, count in source.left_out.items()})
        if not pairs:
            lacking = "".join(f", {count} samples {reason}" for reason, count in source.left_out.items())
            raise UserError(f"source {name!r} holds no pair{lacking}; look into its folder or take it out of --sources")
        wordless = [pair.origin for pair in pairs if not any(phrase(text) for text in pair.captions.get("en", ()))]
        if wordless:
            raise UserError(
                f"source {name!r} has {len(wordless)} pairs without an English caption, first {wordless[0]}; "
                f"write captions for them or take them out"
            )
        found += [(name, pair) for pair in pairs]
    return found


def held_everywhere(pairs: Sequence[tuple[str, Pair]], cache: Path) -> frozenset[str]:
    """The held-out names of these pairs and of all sources in the cache, so that shards built apart fit one test
    set.
    """
    held = held_names([pair for _, pair in pairs])
    for name in set(SOURCES) - {source for source, _ in pairs} - {"scenes"}:
        try:
            held |= held_names(list(load(name).pairs(cache)))
        except UserError:  # its packages were not fetched, so nothing was built of it here
            continue
    return held


def grounds_of(pairs: Sequence[tuple[str, Pair]], cache: Path, size: int = SPRITE) -> Grounds:
    """The photographs and textures among the wallpapers, as grounds for pictures of `size` pixels: of these pairs, else
    of the cache, else none.
    """
    papers = [pair for source, pair in pairs if source == "wallpapers"]
    if not papers:
        try:
            papers = list(load("wallpapers").pairs(cache))
        except UserError:
            return Grounds((), ())
    kept: dict[str, list[np.ndarray]] = {"photo": [], "texture": []}
    for pair in papers:
        if pair.medium in kept:
            kept[pair.medium].append(np.asarray(sprite(pair, "wallpapers", cache, size).convert("RGB")))
    return Grounds(kept["photo"], kept["texture"])


def sprite(pair: Pair, source: str, cache: Path, size: int = SPRITE) -> Image.Image:
    """The picture of a pair for pictures of `size` pixels, at SPRITE pixels at least: read or rasterised once and then
    taken from the cache.
    """
    side = max(SPRITE, size)
    if source not in SOURCES:  # the user's own files may change, and their copies would not
        return pair.image(side)
    name = digest(f"{source}/{pair.origin}/{side}").hex()[:24]
    file = cache / "sprites" / name[:2] / f"{name}.png"
    if file.is_file():
        return Image.open(file)
    picture = pair.image(side)
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(f".{multiprocessing.current_process().pid}.part")
    picture.save(scratch, "PNG", compress_level=1)
    scratch.replace(file)
    return picture


def digest(text: str) -> bytes:
    """The same bytes for the same text, on every machine."""
    return hashlib.sha256(text.encode()).digest()
