"""How well do masks from words fit?  `python -m benchmarks masks`

On photographs (backgrounds of Scratch): 25 places, of which 13 are skies, outlined by hand in masks.tsv beside this
file (photograph, text, corners in per cent of width and height).  And 60 cut-outs of stamps and emoji, of names that no
bundled CLIP was trained on, pasted on GCompris' photographs.  All lie in packages, which are fetched first.

What `clipguide.masks` and `ops.spread` do was chosen by these figures: they are no held-out test.

Overlap is intersection over union of the mask above one half; AUC the chance that a place inside is warmer than one
outside by relevance alone, before it is passed on.  The outlines are rough: an overlap of .95 is as good as 1.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from clipguide import images, masks
from clipguide.ops.spread import spread
from clipguide.weights import Models
from pretrain.data.packages import default_cache, fetched_debian
from pretrain.data.pair import Pair
from pretrain.data.sources import emoji, gcompris, snapshots, stamps
from pretrain.data.split import side_of

TABLE = Path(__file__).with_suffix(".tsv")
CLIPS = "clip-mini", "clip-mini-photo", "clip-mini-find"
CUT_OUTS = ((stamps, 25), (emoji, 35))
Place = tuple[Tensor, str, Tensor]  # a photo (1, 3, H, W) in [0, 1], what is looked for, bool (H, W)


def measure() -> dict[str, str]:
    cache, models, figures = default_cache(), Models("cpu"), {}
    for source in (stamps, emoji, gcompris, snapshots):
        source.fetch(cache)
    parts = {"places in photographs": list(outlined(cache)), "cut-outs": list(pasted(cache))}
    for clip in CLIPS:
        encoder = models.encoder(clip)
        for name, places in parts.items():
            found, overlaps = [], []
            for photo, text, inside in places:
                relevance = masks.relevance(encoder, text, photo)
                found.append(fit(relevance, inside))
                overlaps.append(overlap(masks.from_heat(spread(relevance, photo), photo), inside))
            figures[f"{clip}, {len(places)} {name}"] = (
                f"overlap {statistics.mean(overlaps):.3f}, AUC {statistics.mean(found):.3f}, "
                f"{sum(each < 0.02 for each in overlaps)} missed"
            )
    return figures


def outlined(cache: Path) -> Iterator[Place]:
    """The places of masks.tsv, photographs 320 px wide."""
    root = fetched_debian(cache, "scratch") / snapshots.ROOTS["scratch"]
    for row in TABLE.read_text(encoding="utf-8").splitlines():
        name, text, corners = row.split("\t")
        photo = images.read(root / name, (320, 240))
        drawn = Image.new("L", (320, 240))
        corners = [tuple(map(float, corner.split(","))) for corner in corners.split()]
        ImageDraw.Draw(drawn).polygon([(3.2 * x, 2.4 * y) for x, y in corners], fill=255)
        yield photo, text, images.from_pil(drawn)[0, 0] > 0.5


def pasted(cache: Path) -> Iterator[Place]:
    """The cut-outs, 70 to 110 px large on photographs of 256 px."""
    dice = random.Random(3)
    cut_outs = [pair for source, count in CUT_OUTS for pair in _held_cut_outs(source.pairs(cache), count, dice)]
    grounds = [pair for pair in gcompris.pairs(cache) if pair.medium == "photo" and pair.held == "train"]
    dice.shuffle(grounds)
    for (text, picture), ground in zip(cut_outs, grounds, strict=False):
        board, side = ground.image(256).convert("RGB").resize((256, 256)), dice.randint(70, 110)
        place = dice.randint(0, 256 - side), dice.randint(0, 256 - side)
        picture = picture.resize((side, side))
        board.paste(picture, place, picture)
        inside = Image.new("L", board.size)
        inside.paste(picture.getchannel("A"), place)
        yield images.from_pil(board), text, images.from_pil(inside)[0, 0] > 0.5


def _held_cut_outs(pairs: Iterator[Pair], count: int, dice: random.Random) -> list[tuple[str, Image.Image]]:
    held = [pair for pair in pairs if pair.held is None and side_of(pair) == "validation"]
    dice.shuffle(held)
    pictures = ((pair.captions["en"][0], pair.image(128)) for pair in held)
    return list(islice(((text, picture) for text, picture in pictures if picture.mode == "RGBA"), count))


def fit(heat: Tensor, inside: Tensor) -> float:
    """The area under the curve: heat (1, 1, H, W), inside bool (H, W)."""
    warm, cold = heat[0, 0][inside], heat[0, 0][~inside].sort().values
    colder = torch.searchsorted(cold, warm) + torch.searchsorted(cold, warm, right=True)  # twice; equals count half
    return float(colder.double().mean() / 2 / len(cold))


def overlap(mask: Tensor, inside: Tensor) -> float:
    """Intersection over union: mask (1, 1, H, W) in [0, 1], inside bool (H, W)."""
    within = mask[0, 0] > 0.5
    return float((within & inside).sum() / (within | inside).sum())
