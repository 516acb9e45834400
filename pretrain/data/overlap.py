"""Near duplicates across splits: which test pictures, whole or nearly so, were trained on (Radford et al. 2021,
section 5).

Two means of comparison. Without a model, colour thumbnails as in `pretrain.evaluate.overlap`: the same picture at
the same place. With `--clip`, embeddings: also the same drawing moved or on another ground, but an encoder's
blindness makes different things alike. Neither is proof; the sheet of the most similar pairs is there to be looked
at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from pretrain.data.shards import write_bytes, write_json
from pretrain.evaluate.overlap import most_alike, sheet, thumbnails
from pretrain.evaluate.samples import Sample, read_split

Embed = Callable[[Sequence[Sample]], Tensor]  # samples -> (N, D), unit norm
THRESHOLDS = {"thumbnails": 0.98, "clip": 0.95}


@dataclass(frozen=True, slots=True)
class Row:
    """One test set against the training set: sizes, the share above the threshold, and how alike the nearest
    pictures are.
    """

    side: str
    task: str
    pictures: int
    overlapping: int
    median: float
    most: float

    @property
    def share(self) -> float:
        return self.overlapping / self.pictures


def overlap(shards: Path, out: Path, *, clip: str | None = None, threshold: float | None = None) -> list[Row]:
    """Compare each task of the validation and test sets with the training set.

    Writes `out/overlap.json` (rows, and each overlapping picture with its training picture) and `out/overlap.png`
    (the most similar pairs). Raises UserError where there are no shards of two splits.
    """
    means = "clip" if clip else "thumbnails"
    limit = THRESHOLDS[means] if threshold is None else threshold
    embed = clip_embedding(clip) if clip else thumbnails
    train = read_split(shards, "train")
    known = embed(train)
    rows, pairs = [], []
    for side in [side for side in ("validation", "test") if side == "test" or (shards / side).is_dir()]:
        samples = read_split(shards, side)
        for task in sorted({sample.task for sample in samples}):
            tests = [sample for sample in samples if sample.task == task]
            likeness, nearest = compare(embed(tests), known, mirror=not clip)
            found = [
                (tests[at], train[int(nearest[at])], float(likeness[at]))
                for at in likeness.argsort(descending=True).tolist()
            ]
            over = int((likeness >= limit).sum())
            rows.append(Row(side, task, len(tests), over, float(likeness.median()), float(likeness.max())))
            pairs += [(side, *pair) for pair in found[: max(over, 4)]]
    write(out, rows, pairs, means, limit)
    return rows


def compare(tests: Tensor, known: Tensor, mirror: bool) -> tuple[Tensor, Tensor]:
    """For each test picture the cosine of its nearest training picture, and its place."""
    if mirror:
        return most_alike(tests, known)
    best = [(part @ known.T).max(1) for part in tests.split(256)]
    return torch.cat([part.values for part in best]), torch.cat([part.indices for part in best])


def clip_embedding(name: str) -> Embed:
    """Embeddings of a CLIP by its name or folder."""
    from clipguide.weights import Models
    from pretrain.evaluate.subject import Subject

    return Subject(Models().encoder(name)).images


def write(
    out: Path, rows: Sequence[Row], pairs: Sequence[tuple[str, Sample, Sample, float]], means: str, limit: float
) -> None:
    """The table, the overlapping pairs and the sheet."""
    shown = sorted(pairs, key=lambda pair: -pair[3])[:32]
    write_bytes(out / "overlap.png", sheet([(test, train, likeness) for _, test, train, likeness in shown]))
    told = [
        {
            "side": side,
            "test": test.key,
            "train": train.key,
            "likeness": round(likeness, 4),
            "concepts": [test.concept, train.concept],
        }
        for side, test, train, likeness in pairs
        if likeness >= limit
    ]
    table = [
        asdict(row) | {"share": round(row.share, 5), "median": round(row.median, 4), "most": round(row.most, 4)}
        for row in rows
    ]
    write_json(out / "overlap.json", {"by": means, "threshold": limit, "rows": table, "pairs": told})
