"""`python -m pretrain forward-retarget`: a feed-forward network reads another CLIP, without being trained anew.

A CLIP that is tuned further turns its embeddings of texts a little.  A linear map that is fitted on captions turns them
back, and is folded into the first layer of the network.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.errors import UserError
from clipguide.models.forward import Forward, open_forward, write_forward
from clipguide.weights import Models
from pretrain.arguments import Parser
from pretrain.data.shards import read_descriptions
from pretrain.feed import english
from pretrain.forward.examples import embedded

MOST = 6000  # captions
HELD_OUT = 10  # every tenth caption measures the map and is not fitted
RIDGE = 1e-3


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain forward-retarget", description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path, help="folder of a feed-forward network")
    parser.add_argument("--old", help="CLIP that it read in training, if that is not under its name any more")
    parser.add_argument("--clip", required=True, help="CLIP that it is to read")
    parser.add_argument("--name", help="what the network is to call that CLIP; else as --clip")
    parser.add_argument("--shards", type=Path, required=True, help="pairs, whose captions the map is fitted on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the new network")
    options = parser.parse_args(arguments)
    models, network = Models("cpu"), open_forward(options.network)
    old, new = models.encoder(options.old or network.config.clip), models.encoder(options.clip)
    texts = captions(options.shards)
    map_, likeness = fitted(*(torch.from_numpy(embedded(texts, clip)).float() for clip in (new, old)))
    write_forward(options.out, retargeted(network, map_, options.name or options.clip))
    print(f"{options.out}: reads {options.clip}; held-out captions turned back to a mean cosine of {likeness:.4f}")
    return 0


def captions(shards: Path) -> list[str]:
    """Different English captions, `MOST` of them at most.  UserError where there are too few to fit a map."""
    found: dict[str, None] = {}
    for told in read_descriptions(shards):
        found.update(dict.fromkeys(english(told)))
    if len(found) < 2 * HELD_OUT:
        raise UserError(f"{shards} has {len(found)} captions; a map needs at least {2 * HELD_OUT}, better thousands")
    stride = max(1, len(found) // MOST)
    return list(found)[::stride][:MOST]


def fitted(new: Tensor, old: Tensor) -> tuple[Tensor, float]:
    """(N, E) and (N, D) -> the map (E, D) by ridge regression, and its mean cosine on the captions held out."""
    held = torch.arange(len(new)) % HELD_OUT == 0
    x, y = new[~held].double(), old[~held].double()
    map_ = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1]).double(), x.T @ y).float()
    return map_, float(F.cosine_similarity(new[held] @ map_, old[held]).mean())


@torch.no_grad()
def retargeted(network: Forward, map_: Tensor, clip: str) -> Forward:
    """The same network for embeddings E that `map_` (E, D) turns into those that it knows."""
    config = replace(network.config, clip=clip, embedding=len(map_))
    other, state = Forward(config), network.state_dict()
    texts, styles = state["read.weight"].split([network.config.embedding, len(network.config.styles)], 1)
    scale = (network.config.embedding / config.embedding) ** 0.5  # each network scales texts by its own width
    state["read.weight"] = torch.cat([texts @ map_.T * scale, styles], 1)
    other.load_state_dict(state)
    return other.eval()
