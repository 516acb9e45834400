"""`python -m pretrain forward-evaluate`: does a CLIP that did not score in training recognise what was drawn?

It misleads where the judge is weak: a picture that it cannot name may still have the right colours and layout.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from clipguide import images
from clipguide.encoders import ClipEncoder
from clipguide.models.forward import Forward, open_forward
from clipguide.scores import similarities
from clipguide.weights import Models
from pretrain.arguments import Parser
from pretrain.data.shards import read_descriptions
from pretrain.feed import english

MOST = 200  # texts; chance is 5 in so many for the top 5


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain forward-evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path, help="folder of a feed-forward network")
    parser.add_argument("--shards", type=Path, required=True, help="held-out pairs, whose concepts are asked for")
    parser.add_argument("--judge", default="clip-mini-b", help="CLIP that names the pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for the figures and the sheet")
    options = parser.parse_args(arguments)
    models, network = Models("cpu"), open_forward(options.network)
    texts = concepts(options.shards)
    drawn = draw(network, models.encoder(network.config.clip), texts)
    figures = ranks(models.encoder(options.judge), drawn, texts)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    shown = images.sheet([picture[None] for picture in drawn[:60]], columns=10, side=96)
    images.write(options.out / "sheet.png", images.png(shown))
    print("\n".join(f"{name:20}{value:.3f}" for name, value in figures.items()))
    return 0


def concepts(shards: Path) -> list[str]:
    """The first caption of each concept, in order, `MOST` of them at most."""
    found: dict[str, str] = {}
    for told in read_descriptions(shards):
        if words := english(told):
            found.setdefault(told["concept"], words[0])
    return list(found.values())[:MOST]


@torch.no_grad()
def draw(network: Forward, reader: ClipEncoder, texts: Sequence[str], seed: int = 0) -> Tensor:
    """(N, 3, S, S): a picture of each text, the first throw."""
    dice = torch.randn(len(texts), network.config.dice, generator=torch.Generator().manual_seed(seed))
    return network(reader.encode_text(texts), dice)


def ranks(judge: ClipEncoder, drawn: Tensor, texts: Sequence[str]) -> dict[str, float]:
    """How often a picture's own text is the judge's first, or among its first five, of all of them."""
    near = similarities(judge, drawn, texts)  # (N, N)
    rank = (near > near.diagonal()[:, None]).sum(1)
    top = {f"top {count}": (rank < count).float().mean().item() for count in (1, 5)}
    return {"texts": float(len(texts)), **top, "top 5 by chance": 5 / len(texts)}
