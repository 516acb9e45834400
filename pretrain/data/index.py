"""What index.json says of a folder of shards: how many samples of what, and the licences by source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pretrain.data.split import SIDES

INDEX = "index.json"


def labels(side: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    """What a sample counts for."""
    return side, f"{side}/{told.get('task')}", f"source {told.get('source')} {side}", f"style {told.get('style')}"


def counted(totals: Counter[str]) -> dict[str, Any]:
    """Samples by split, task, source and style, from how often each label was given."""

    def select(start: str) -> dict[str, int]:
        return {key.removeprefix(start): count for key, count in sorted(totals.items()) if key.startswith(start)}

    return {
        "samples": {side: totals[side] for side in SIDES},
        "tasks": {side: select(f"{side}/") for side in SIDES},
        "sources": select("source "),
        "styles": select("style "),
    }


def carried(folder: Path, samples: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The index for a selection of the samples of `folder`, given as (side, description): counted anew, with the
    licences and all else of its own index; where it has none, licences are counted as the samples tell them.
    """
    totals, licences = Counter[str](), dict[str, Counter[str]]()
    for side, told in samples:
        totals.update(labels(side, told))
        licence = str(told.get("licence") or told.get("license") or "unknown")
        licences.setdefault(str(told.get("source")), Counter())[licence] += 1
    before = read_index(folder)
    known = before.get("licences", {})
    return before | counted(totals) | {"licences": {source: known.get(source, licences[source]) for source in licences}}


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a folder of shards, or of the build that it is one split of; empty where there is none."""
    file = (folder.parent if folder.name in SIDES else folder) / INDEX
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
