"""From sources to shards: plan the samples, draw them, write them. The same sources, seed and sizes give the same
bytes.
"""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipguide.errors import UserError
from pretrain.data import captions
from pretrain.data.compose import Grounds, compose, plain
from pretrain.data.gather import VARIANTS, digest, sprite
from pretrain.data.index import counted, labels
from pretrain.data.pair import Pair, phrase
from pretrain.data.shards import write_json, write_shard
from pretrain.data.sources import SOURCES
from pretrain.data.split import SIDES, held_names, side_of, task_of

PER_SHARD = 2000
RUN = 60  # pictures that one worker reads in a row


@dataclass(frozen=True)
class Plan:
    """What a build is made of."""

    pairs: Sequence[tuple[str, Pair]]  # source name and pair
    out: Path
    cache: Path
    size: int = 128
    seed: int = 0
    grounds: Grounds = field(default_factory=lambda: Grounds((), ()))
    plain: bool = False  # pictures whole, with their own captions, each once
    held: frozenset[str] = frozenset()  # further names that no training caption may be: those held out of other builds


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard to write: its path below the output folder, its samples as (pair, variant), its split and its task."""

    path: str
    items: Sequence[tuple[int, int]]
    side: str
    task: str


def build(
    plan: Plan,
    *,
    scale: float = 1.0,
    workers: int = 1,
    report: Callable[[str], None] = lambda text: None,
    left_out: Counter[str] | None = None,
) -> dict[str, Any]:
    """Draw and write everything; returns the index, which is also written to `out/index.json`.

    `scale` multiplies the number of training samples. Unreadable pictures are left out, counted and named in the
    index, beside what was `left_out` before. Raises UserError where not one is left, and where a worker dies.
    """
    shards = plan_shards(plan, scale)
    refuse_others(plan.out, {shard.path for shard in shards})
    totals: Counter[str] = Counter()
    broken = Counter(left_out)
    runs = [range(at, min(at + RUN, len(plan.pairs))) for at in range(0, len(plan.pairs), RUN)]
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), initializer=keep, initargs=(plan,))
    with pool, told_of_death():
        for done, _ in enumerate(pool.map(prepare, runs), 1):
            if done % 10 == 0:
                report(f"{min(done * RUN, len(plan.pairs))} of {len(plan.pairs)} pictures read")
        for done, (shard, counts, faults) in enumerate(pool.map(build_shard, shards), 1):
            totals += counts
            broken += faults
            report(f"{done} of {len(shards)} shards, last {shard}, {sum(broken.values())} samples left out")
    if not any(totals[side] for side in SIDES):
        why = f"first {next(iter(broken))}; look at the files" if broken else "give a larger --scale"
        raise UserError(f"none of {len(plan.pairs)} pictures came into a shard; {why}")
    index = describe(plan, totals, broken, scale)
    write_json(plan.out / "index.json", index)
    return index


@contextmanager
def told_of_death() -> Iterator[None]:
    """One line where a worker is killed: by a reader that crashes, or for want of memory."""
    try:
        yield
    except BrokenProcessPool:
        raise UserError(
            "a worker died while it read or drew pictures, killed by a crash or for want of memory; fewer --workers "
            "need less memory, fewer --sources with another --out show which one crashes"
        ) from None


def refuse_others(out: Path, planned: set[str]) -> None:
    """Raises UserError where the folder holds shards that this build would not write: a training run would read
    both.
    """
    others = sorted({str(file.relative_to(out)) for file in out.rglob("*.tar")} - planned)
    if others:
        raise UserError(f"{out} holds {len(others)} shards of another build, first {others[0]}; give an empty --out")


def plan_shards(plan: Plan, scale: float) -> list[Shard]:
    """The samples of every split and task in shuffled shards. Test sets are plain, training and validation
    composed.
    """
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for number, (source, pair) in enumerate(plan.pairs):
        side = side_of(pair)
        if side == "train" and not plan.plain:
            count = draw_count(VARIANTS.get(source, 1) * scale, pair.origin)
            groups.setdefault((side, "composed"), []).extend((number, variant) for variant in range(count))
            continue
        task = "whole" if side == "train" else task_of(pair)
        groups.setdefault((side, task), []).append((number, 0))
        if pair.held is None and not plan.plain:
            groups.setdefault((side, "composed"), []).append((number, 0))
    shards = []
    for (side, task), items in sorted(groups.items()):
        random.Random(f"{plan.seed} {side} {task}").shuffle(items)
        for at in range(0, len(items), PER_SHARD):
            shards.append(Shard(f"{side}/{task}-{at // PER_SHARD:05d}.tar", items[at : at + PER_SHARD], side, task))
    return shards


def draw_count(variants: float, origin: str) -> int:
    """`variants` rounded up or down by the pair's own number, so that the mean over many pairs is `variants`."""
    return int(variants + digest(origin)[0] / 256)


def keep(plan: Plan) -> None:
    """Give a worker the plan, once: it is inherited by fork and never pickled."""
    global PLAN, HELD
    PLAN, HELD = plan, plan.held | held_names([pair for _, pair in plan.pairs])


def prepare(numbers: range) -> None:
    """Bring pictures into the cache in the order of their source, in which neighbours share what is slow to open."""
    for number in numbers:
        source, pair = PLAN.pairs[number]
        if source in SOURCES:
            with suppress(Exception):  # the shards count and name what cannot be read
                sprite(pair, source, PLAN.cache, PLAN.size)


def build_shard(shard: Shard) -> tuple[str, Counter[str], Counter[str]]:
    """Write one shard in a worker: (its path, samples by key, left-out pictures by origin)."""
    counts: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    write_shard(PLAN.out / shard.path, draw(PLAN, HELD, shard, counts, broken))
    return shard.path, counts, broken


def draw(
    plan: Plan, held: frozenset[str], shard: Shard, counts: Counter[str], broken: Counter[str]
) -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    """The samples of one shard. Every sample has its own dice, so that no other sample's fault changes it."""
    for number, variant in shard.items:
        source, pair = plan.pairs[number]
        key = digest(f"{source}/{pair.origin}").hex()[:12] + f"-{variant:03d}"
        try:
            picture = sprite(pair, source, plan.cache, plan.size)
            rng = np.random.default_rng(list(digest(f"{plan.seed} {key} {shard.task}")))
            board, texts, style = finish(pair, picture, plan, shard.task, rng)
        except Exception as error:  # noqa: BLE001  any reader may fail on a damaged file, and one picture must not end a build
            broken[f"{source}/{pair.origin}: {type(error).__name__}"] += 1
            continue
        texts = captions.without(texts, held) if shard.side == "train" else texts
        if not texts:
            broken[f"{source}/{pair.origin}: every caption is a held-out name"] += 1
            continue
        told = description(key, source, pair, texts, style, shard.task)
        counts.update(labels(shard.side, told))
        yield key, board, told


def finish(
    pair: Pair, picture: Image.Image, plan: Plan, task: str, rng: np.random.Generator
) -> tuple[Image.Image, list[str], str | None]:
    """(picture, captions, style) of one sample: composed, or whole with one template and the bare name, or, in a plain
    build, with its own captions.
    """
    if plan.plain:
        return plain(picture, plan.size), own_captions(pair), pair.style
    if task == "composed":
        sample = compose(pair, picture, plan.grounds, plan.size, rng)
        return sample.picture, sample.captions, sample.style
    name = captions.name_of(pair)
    texts = [captions.TEMPLATES[pair.medium][0].format(name), phrase(pair.captions["en"][0])]
    return plain(picture, plan.size), texts, pair.style


def own_captions(pair: Pair) -> list[str]:
    """The English captions of a pair, each once."""
    return list(dict.fromkeys(filter(None, map(phrase, pair.captions["en"]))))


def description(key: str, source: str, pair: Pair, texts: list[str], style: str | None, task: str) -> dict[str, Any]:
    """What a sample's JSON says."""
    languages = {language: list(told) for language, told in pair.captions.items() if language != "en"}
    return {
        "id": key,
        "captions": texts,
        "languages": languages,
        "concept": pair.concept,
        "licence": pair.licence,
        "source": source,
        "origin": pair.origin,
        "style": style,
        "medium": pair.medium,
        "task": task,
    }


def describe(plan: Plan, totals: Counter[str], broken: Counter[str], scale: float) -> dict[str, Any]:
    """The index of a build: counts by split, task, source and style, what was left out, and the licences by source."""
    licences: dict[str, Counter[str]] = {}
    for source, pair in plan.pairs:
        licences.setdefault(source, Counter())[pair.licence] += 1
    told = {"size": plan.size, "seed": plan.seed, "scale": scale, "licences": licences, "left out": broken}
    return told | counted(totals)
