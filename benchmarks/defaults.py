"""Which defaults draw best?  One setting of VQGAN+CLIP at a time, eight prompts, judged by a CLIP that did not guide.

    python -m benchmarks.defaults [FOLDER]     keeps the pictures, the sheets and the table in it (runs/defaults); run
                                               again to go on where it was stopped

A row of a sheet is a variant, a column a prompt.  The judge shares neither backbone nor start with the guide; its
ranking says whether the own prompt is the likeliest of the eight, and still says less than a look at the sheet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

import clipguide
from clipguide import images
from clipguide.scores import similarities
from clipguide.weights import Models

JUDGE = "clip-mini-b"
PROMPTS = (
    "a castle", "a red apple", "cheese cake", "a painting of a starry night sky",
    "fast food", "a sunset over the sea", "a bicycle", "cute cat",
)  # fmt: skip
KNOBS: dict[str, tuple[Any, ...]] = {  # beside the default
    "clip": ("clip-mini",),
    "unframed": (0.0,),
    "lr": (0.1, 0.4),
    "cutouts": (5, 16),
    "coarse": (0.25, 0.75),
    "average": (0.0,),
    "hold": (0.0, 8.0),
}
THUMBNAIL = 96  # px


def variants() -> dict[str, dict[str, Any]]:
    """Name -> settings that differ from the defaults."""
    moved = {f"{knob} {value}": {knob: value} for knob, values in KNOBS.items() for value in values}
    return {"defaults": {}, **moved}


def draw(folder: Path, settings: dict[str, Any], models: Models) -> list[Path]:
    """A picture of each prompt; those that lie there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(len(PROMPTS))]
    for path, prompt in zip(paths, PROMPTS, strict=True):
        if not path.exists():
            clipguide.generate(prompt, method="vqgan", models=models, seed=0, **settings).save(path)
    return paths


def judged(pictures: torch.Tensor, models: Models) -> dict[str, float]:
    """pictures: (8, 3, H, W), one of each prompt."""
    likeness = similarities(models.encoder(JUDGE), pictures, PROMPTS)  # (8 pictures, 8 prompts)
    others = likeness.masked_fill(torch.eye(len(PROMPTS), dtype=torch.bool), -1)
    margin = likeness.diagonal() - others.amax(1)
    return {"own prompt first": int((margin > 0).sum()), "mean margin": round(float(margin.mean()), 4)}


def main(folder: Path) -> None:
    models, table, rows = Models("cpu"), {}, []
    for name, settings in variants().items():
        paths = draw(folder / name.replace(" ", "-"), settings, models)
        rows += [images.read(path) for path in paths]
        table[name] = judged(torch.cat(rows[-len(paths) :]), models)
        print(f"{name:<14} {table[name]}", flush=True)
        sheet = images.sheet(rows, columns=len(PROMPTS), side=THUMBNAIL)
        images.write(folder / "sheet.png", images.png(sheet))
        (folder / "table.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/defaults"))
