"""No concept may drown the rest: at most N pairs for each query (Radford et al. 2021, section 2.2).

The paper searched for pairs whose text holds one of 500,000 queries and kept up to 20,000 of each. Its queries were
all words seen at least 100 times in the English Wikipedia, with pairs of words of high pointwise mutual
information, titles of articles and WordNet synsets. `queries_of` makes such a list from the captions themselves
where none is given. As in the paper a pair without a query is left out.

A pair that several queries find counts for the rarest of them alone. So a query brings at most N pairs, whatever its
captions, and one found N times or less keeps all; a common word such as "photo" may stand in more than N, in pairs
that rarer queries brought, whose place it does not take.
"""

from __future__ import annotations

import math
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipguide.errors import UserError
from pretrain.data.index import INDEX, carried
from pretrain.data.pair import normalise
from pretrain.data.shards import copy_samples, read_descriptions, write_json
from pretrain.data.sources.folder import read_words
from pretrain.data.split import SIDES

WORDLESS = frozenset(
    "a an the of on in at to and or with by for from is are it its this that one two under over".split()
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a selection kept: for each pair whether it stays; for each query in how many pairs it was found, is kept,
    and how many of these count for it.
    """

    chosen: Sequence[bool]
    found: Counter[str]
    kept: Counter[str]
    counted: Counter[str]


def balance(captions: Sequence[Sequence[str]], queries: Iterable[str], at_most: int, seed: int = 0) -> Kept:
    """Choose pairs by their captions, in a drawn order: at most `at_most` of those that count for a query, which is the
    rarest that a pair's captions hold, of equally rare ones the first by name.

    captions: those of each pair. Raises UserError without a usable query or for `at_most` below 1.
    """
    known = {normalise(query) for query in queries} - {""}
    if not known or at_most < 1:
        raise UserError(f"balancing needs queries and at most 1 or more of each; given {len(known)} queries, {at_most}")
    longest = max(len(query.split()) for query in known)
    held = [{query for text in texts for query in runs(text, longest)} & known for texts in captions]
    found = Counter(query for own in held for query in own)
    kept, counted, chosen = Counter[str](), Counter[str](), [False] * len(captions)
    order = list(range(len(captions)))
    random.Random(seed).shuffle(order)
    for at in order:
        rarest = min(held[at], key=lambda query: (found[query], query), default=None)
        if rarest is not None and counted[rarest] < at_most:
            counted[rarest] += 1
            kept.update(held[at])
            chosen[at] = True
    return Kept(chosen, found, kept, counted)


def runs(text: str, longest: int) -> set[str]:
    """All runs of up to `longest` words of a caption."""
    words = text_words(text)
    return {" ".join(words[at : at + count]) for count in range(1, longest + 1) for at in range(len(words) - count + 1)}


def text_words(text: str) -> list[str]:
    """The words of a caption as they are compared: lower case, no punctuation."""
    return normalise(f"x {text}").split()[1:]  # a leading article is a word here, and only at the start would it be cut


def queries_of(captions: Iterable[Sequence[str]], least: int = 100, surprise: float = 5.0) -> list[str]:
    """Words in at least `least` pairs, and pairs of neighbours as frequent that meet 2**surprise times oftener than
    by chance.
    """
    words, neighbours, total = Counter[str](), Counter[str](), 0
    for texts in captions:
        told = [text_words(text) for text in texts]
        words.update({word for run in told for word in run})
        neighbours.update({f"{a} {b}" for run in told for a, b in zip(run, run[1:], strict=False)})
        total += 1
    singles = [word for word, count in words.items() if count >= least and word not in WORDLESS]
    doubles = [
        pair
        for pair, count in neighbours.items()
        if count >= least
        and not set(pair.split()) & WORDLESS
        and math.log2(count * total / math.prod(words[word] for word in pair.split())) >= surprise
    ]
    return sorted(singles) + sorted(doubles)


def balance_shards(folder: Path, out: Path, queries: Sequence[str] | None, at_most: int, least: int, seed: int) -> Kept:
    """Copy the samples of a folder of shards that stay, untouched and shard by shard; the validation and test sets
    are copied whole. `index.json` says what is there now, and under which licences.

    queries: None makes them from the training captions. Raises UserError for no shard, no query, or a filled `out`.
    """
    if any(out.rglob("*.tar")):
        raise UserError(f"{out} holds shards already; give an empty --out")
    train = folder / "train" if (folder / "train").is_dir() else folder
    captions = [told["captions"] for told in read_descriptions(train)]
    selection = balance(captions, queries or queries_of(captions, least), at_most, seed)
    if not any(selection.chosen):
        raise UserError(f"no caption in {train} holds one of the queries; give others with --queries")
    copy_samples(train, out / train.relative_to(folder), selection.chosen)
    for side in ("validation", "test"):
        if train != folder and (folder / side).is_dir():
            shutil.copytree(folder / side, out / side, dirs_exist_ok=True)
    sides = [(side, out / side) for side in SIDES if any((out / side).glob("*.tar"))] or [("train", out)]
    told = ((side, told) for side, place in sides for told in read_descriptions(place))
    write_json(out / INDEX, carried(folder, told))
    return selection


def read_queries(file: Path) -> list[str]:
    """One query a line, "#" starts a comment. Raises UserError for a missing or an empty file."""
    if not file.is_file():
        raise UserError(f"{file} is not there; give a text file with one query a line")
    found = [line.split("#")[0].strip() for line in read_words(file).splitlines()]
    if not any(found):
        raise UserError(f"{file} holds no query; write one a line")
    return [query for query in found if query]
