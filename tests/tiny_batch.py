"""Batches of small photos and a tiny CLIP, and what they leave."""

from __future__ import annotations

from pathlib import Path

import torch
from doubles import tiny_checkpoints

from clipguide import batch, images, jobs, manifest, tables

TINY = str(tiny_checkpoints() / "clip-mini")
SETTINGS = {"steps": 1, "cutouts": 2, "size": 16, "clip": TINY, "features": TINY}
FLAGS = ["--steps", "1", "--cutouts", "2", "--size", "16", "--clip", TINY, "--features", TINY, "--method", "textstyle"]


def photos(folder: Path, count: int, broken: int = 0) -> list[Path]:
    """`count` small photos, the first `broken` of them no pictures."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        image = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(number))
        data = b"\x89PNG no more" if number < broken else images.png(image)
        images.write(folder / f"p{number:03d}.png", data)
    return tables.photos_of(folder)


def grid(paths, styles=("a mosaic",), seeds=(), **settings) -> list[jobs.Job]:
    return jobs.grid(paths, styles, seeds, method="textstyle", settings={**SETTINGS, **settings})


def make(wanted, out, crew, **more) -> dict[str, batch.JobResult]:
    return {result.name: result for result in batch.run(wanted, out, crew, **more)}


def states(results) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


def lines(out: Path) -> dict[str, dict]:
    return {entry["name"]: entry for entry in manifest.read(out / manifest.NAME)}


def pictures(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("p*.png"))}
