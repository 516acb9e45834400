"""`python -m pretrain export`: a run's averaged weights as a CLIP folder that clipguide and open_clip read."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.bert import BertConfig
from clipguide.models.clip import BERT, TOKENIZER, build_network, text_home
from clipguide.models.fold import unfolded
from pretrain import checkpoint
from pretrain.arguments import Parser
from pretrain.models import write_folder
from pretrain.run import Start, open_start


def export(
    begun: Start, state: dict[str, Tensor], folder: Path, keep: float = 1.0, text_of: Path | None = None
) -> nn.Module:
    """Writes the folder; `state`: a trained state dict with folded norms; text_of: as for `write_folder`.

    keep: share of the training in the weights, the rest is the start: weights half-way between forget less
    (Wortsman et al. 2022, arXiv 2109.01903).
    """
    before = begun.opened.model.state_dict()
    mixed = {
        name: before[name].lerp(tensor, keep) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    config = begun.stored["model_cfg"]
    text = text_home(begun.folder, config)
    described, tokenizer = text / BERT, text / TOKENIZER
    model = build_network(config, BertConfig.read(described) if described.exists() else None)
    model.load_state_dict(unfolded(mixed, begun.pairs, _eps(model)))
    words = tokenizer if tokenizer.exists() else None
    write_folder(folder, model, config, begun.stored["preprocess_cfg"], words, text_of)
    return model


def _eps(model: nn.Module) -> float:
    return next((m.eps for m in model.visual.modules() if isinstance(m, nn.BatchNorm2d)), 0.0)


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--keep", type=float, default=1.0, help="share of the training in the weights, 0 to 1")
    parser.add_argument(
        "--text-of", type=Path, help="CLIP folder beside --out whose BERT is read instead of written again"
    )
    parser.add_argument("--last", action="store_true", help="the last weights instead of their average")
    options = parser.parse_args(arguments)
    if not 0 <= options.keep <= 1:
        raise UserError(f"--keep {options.keep}: give 0 (the start alone) to 1 (the training alone)")
    stored = checkpoint.read(options.run / "checkpoint.pt")
    described = json.loads((options.run / "run.json").read_text(encoding="utf-8"))
    state = stored["model"] if options.last else stored["model"] | stored["average"]
    with torch.no_grad():
        begun = open_start(Path(described["start"]), described["config"]["frozen_norms"])
        export(begun, state, options.out, options.keep, options.text_of)
    print(f"{options.out}: step {stored['step']} of {described['config']['steps']}")
    return 0
