"""`python -m pretrain average`: the mean of several CLIPs' weights, one network that costs no more than each of them.

Networks that were trained from one start lie in one basin: their mean is often better than any of them (Wortsman et al.
2022, "Model soups", arXiv 2203.05482). Of networks with different starts it is noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.clip import TOKENIZER, open_folder, read_config, text_home
from pretrain.arguments import Parser
from pretrain.models import write_folder


def average(folders: Sequence[Path]) -> nn.Module:
    """The first folder's network with the mean of all folders' weights.  UserError unless they are of one shape."""
    if len(folders) < 2:
        raise UserError(f"an average needs two CLIP folders or more; {len(folders)} was given")
    first = open_folder(folders[0]).model
    total = first.state_dict()
    sees = read_config(folders[0])["preprocess_cfg"]
    for folder in folders[1:]:
        if read_config(folder)["preprocess_cfg"] != sees:
            raise UserError(f"{folder} sees pictures otherwise than {folders[0]}; average runs from one start")
        other = open_folder(folder).model.state_dict()
        unlike = sorted(name for name in total.keys() | other.keys() if _shape(total, name) != _shape(other, name))
        if unlike:
            raise UserError(f"{folder} is another network than {folders[0]} ({unlike[0]}); average runs from one start")
        for name, tensor in total.items():
            if tensor.is_floating_point():
                tensor += other[name]
    with torch.no_grad():
        first.load_state_dict({n: t / len(folders) if t.is_floating_point() else t for n, t in total.items()})
    return first


def _shape(weights: dict[str, Tensor], name: str) -> torch.Size | None:
    return weights[name].shape if name in weights else None


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain average", description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", help="CLIP folders of one shape, trained from one start")
    parser.add_argument("--out", type=Path, required=True, help="CLIP folder to write")
    parser.add_argument(
        "--text-of", type=Path, help="CLIP folder beside --out whose BERT is read instead of written again"
    )
    options = parser.parse_args(arguments)
    with torch.no_grad():
        model = average(options.folders)
    stored = read_config(options.folders[0])
    words = text_home(options.folders[0], stored["model_cfg"]) / TOKENIZER
    given = words if words.exists() else None
    write_folder(options.out, model, stored["model_cfg"], stored["preprocess_cfg"], given, options.text_of)
    print(f"{options.out}: the mean of {len(options.folders)} CLIPs")
    return 0
