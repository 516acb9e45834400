"""Crops to train a VQGAN on: cut once from the sources of `pretrain.data`, kept as one memory-mapped array a side.

Pictures are told apart as CLIP's pairs are (`pretrain.data.split`).  Wallpapers, all of which CLIP trains on, are
split here by a hash of their names, so that there are large photographs that this network never saw.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipguide.errors import UserError
from pretrain.data.compose import Grounds, Rng, compose
from pretrain.data.gather import digest, grounds_of, sprite
from pretrain.data.pair import Pair
from pretrain.data.sources import load
from pretrain.data.split import side_of
from pretrain.data.stylise import stylise

SIDE = 128
SCENE = 1600  # longer side at which large pictures are read
TRAIN = {  # crops of a source: a third are photographs, the rest is drawn, painted or rendered
    "wallpapers": 5200,
    "gcompris": 2200,
    "stellarium": 700,
    "portraits": 1200,
    "stamps": 2000,
    "emoji": 4000,
    "clipart": 3000,
    "art4apps": 1500,
    "scenes": 1300,
}
HELD = 64  # held-out crops of a source
MEDIUM = {"photo": 3, "painting": 3, "drawing": 1, "texture": 1}  # how often a wallpaper of that kind is cut
STYLED = 0.1  # share of the crops that go through a filter of `pretrain.data.stylise`


@dataclass(frozen=True)
class Crops:
    """pictures: uint8 (N, SIDE, SIDE, 3), memory-mapped; sources: (N,) names, "photos" where it is a photograph."""

    pictures: NDArray
    sources: Sequence[str]

    @classmethod
    def read(cls, folder: Path, side: str) -> Crops:
        """side: "train" or "held".  UserError when they were not cut."""
        try:
            index = json.loads((folder / f"{side}.json").read_text(encoding="utf-8"))
            return cls(np.load(folder / f"{side}.npy", mmap_mode="r"), index)
        except (OSError, ValueError) as error:
            raise UserError(f"{folder} holds no {side} crops ({error}); leave the folder out to cut them") from None


def cut(folder: Path, cache: Path, sources: Sequence[str], *, scale: float = 1.0, workers: int = 2) -> None:
    """Writes train and held crops of the sources, `scale` times as many as TRAIN and HELD say.  Each file whole."""
    from tqdm import tqdm

    for side in ("train", "held"):
        jobs = [job for name in sources for job in _jobs(name, cache, side, scale)]
        random.Random(0).shuffle(jobs)
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare, (cache,)) as pool:
            results = pool.map(partial(_cut, cache=cache), jobs, chunksize=4)
            found = [made for made in tqdm(results, side, len(jobs)) if made is not None]
        if not found:
            raise UserError(f"no {side} crop came of {', '.join(sources)}; run `python -m pretrain data fetch` first")
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f".{side}.npy", np.concatenate([crops for crops, _ in found]))
        names = [name for crops, name in found for _ in crops]
        (folder / f"{side}.json").write_text(json.dumps(names), encoding="utf-8")
        os.replace(folder / f".{side}.npy", folder / f"{side}.npy")


@dataclass(frozen=True, slots=True)
class _Job:
    """One picture and how many crops of it.  source, origin: which; held: which side."""

    source: str
    origin: str
    count: int
    held: bool


def _jobs(name: str, cache: Path, side: str, scale: float) -> list[_Job]:
    """The pictures of a source on that side, each with its share of the crops."""
    held = side == "held"
    pairs = [pair for pair in load(name).pairs(cache) if side_of_picture(name, pair) == side]
    random.Random(1).shuffle(pairs)
    wanted = max(1, round((HELD if held else TRAIN.get(name, 500)) * scale))
    weights = [MEDIUM.get(pair.medium, 1) if name == "wallpapers" else 1 for pair in pairs]
    total, jobs, given = sum(weights), [], 0.0
    for pair, weight in zip(pairs, weights, strict=True):
        before, given = given, given + wanted * weight / total
        if count := round(given) - round(before):
            jobs.append(_Job(name, pair.origin, count, held))
    return jobs


def side_of_picture(source: str, pair: Pair) -> str:
    """ "train", "held", or "validation", which nothing here uses."""
    if source == "wallpapers":
        stem = pair.origin.split("/")[-1].split(".")[0].lower()  # two packages may ship one picture
        return "held" if digest(f"vqgan {stem}")[0] < 40 else "train"
    return {"test": "held"}.get(side_of(pair), side_of(pair))


_ready: dict[str, object] = {}  # of a worker: its pairs by name, and its grounds


def _prepare(cache: Path) -> None:
    papers = [("wallpapers", pair) for pair in load("wallpapers").pairs(cache)]
    _ready["grounds"] = grounds_of([each for each in papers if side_of_picture(*each) == "train"], cache)


def _pair(source: str, origin: str, cache: Path) -> Pair:
    if source not in _ready:
        _ready[source] = {pair.origin: pair for pair in load(source).pairs(cache)}
    return _ready[source][origin]


def _cut(job: _Job, cache: Path) -> tuple[NDArray, str] | None:
    """The crops of a job and the name to count them under; None for a picture that cannot be read."""
    pair, rng = _pair(job.source, job.origin, cache), np.random.default_rng(list(digest(job.origin)[:8]))
    try:
        crops = np.stack([np.asarray(crop) for crop in _crops(pair, job, cache, rng)])
    except (OSError, ValueError):
        return None
    photo = pair.medium == "photo" and job.source in ("wallpapers", "gcompris")
    name = f"{job.source} photos" if photo else job.source
    return crops, name


def _crops(pair: Pair, job: _Job, cache: Path, rng: Rng) -> Iterator[Image.Image]:
    whole = pair.image(SCENE) if job.source in ("wallpapers", "gcompris", "stellarium", "portraits") else None
    for _ in range(job.count):
        if whole is not None and whole.mode == "RGB":
            made = window(whole, rng)
        else:
            grounds: Grounds = _ready["grounds"]
            made = compose(pair, sprite(pair, job.source, cache), grounds, SIDE, rng).picture.convert("RGB")
        yield stylise(made, "", rng)[0] if not job.held and rng.random() < STYLED else made


def window(picture: Image.Image, rng: Rng) -> Image.Image:
    """A square window of random scale: from SIDE px, or half of the shorter side, to all of it."""
    shorter = min(picture.size)
    least = min(SIDE, shorter / 2)
    side = float(np.exp(rng.uniform(np.log(least), np.log(shorter))))
    left, top = (rng.uniform(0, length - side) for length in picture.size)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
