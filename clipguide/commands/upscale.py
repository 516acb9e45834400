"""clipguide upscale: an existing picture, two to four times as large."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from clipguide import images, runs
from clipguide.commands import delivery, flags
from clipguide.errors import UserError
from clipguide.models import upscaler
from clipguide.options import Settings, Upscaler, add_flags, split, validate


class Upscaling(Settings):
    """What the command can be told."""

    upscale: int = Field(2, ge=2, le=4, description="how many times larger it is drawn")
    upscaler: Upscaler = "fast"
    out: Path | None = Field(None, description="where it is written; without it beside the picture, its name with -x2")


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a picture file")
    flags.add_common(parser)
    add_flags(parser, Upscaling, "the result")


def run(args: argparse.Namespace) -> int:
    wanted = validate(Upscaling, split(flags.gather(args, [Upscaling]), [Upscaling])[0])
    delivery.check(wanted.out)
    picture = images.read(args.picture)
    height, width = (side * wanted.upscale for side in picture.shape[-2:])
    if width * height > images.MAX_PIXELS:
        raise UserError(f"{args.picture} would have {width} x {height} px; at most 64 million; give a lower --upscale")
    large = upscaler.upscale(picture, wanted.upscale, wanted.upscaler)
    free = runs.unused(_place(args.picture, wanted))
    images.write(free, images.png(large, _recipe(args.picture, wanted)))
    print(json.dumps({"picture": str(free), "size": [width, height]}) if args.json else free)
    return 0


def _place(picture: Path, wanted: Upscaling) -> Path:
    if wanted.out is not None and not wanted.out.is_dir():
        return wanted.out.with_suffix(".png")
    return (wanted.out or picture.parent) / f"{picture.stem}-x{wanted.upscale}.png"


def _recipe(picture: Path, wanted: Upscaling) -> dict[str, Any] | None:
    """The picture's recipe with the upscaling, so that `rerun` makes the large one; None where it has none that can."""
    try:
        recipe = images.metadata(picture)
        upscaled = recipe["settings"].get("upscale", 1) > 1
    except (UserError, KeyError, AttributeError):
        return None
    if upscaled:
        return None
    return recipe | {"settings": recipe["settings"] | {"upscale": wanted.upscale, "upscaler": wanted.upscaler}}
