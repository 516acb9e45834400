"""`python -m pretrain align-pairs`: the start of clip-mini-b, two pretrained towers with heads fitted to pairs.

The image tower is Open-NSFW's thin ResNet-50, of another family than clip-mini's; nothing of clip-mini's image tower
is looked at. The text tower is a MiniLM of three layers and seven thousand words. The text head makes the vectors of
captions equally wide in all directions (whitening); the image head is the ridge regression from pictures to them. Both
are closed forms: a start without a step of gradient.
"""

from __future__ import annotations

import json
import math
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.bert import BertConfig, BertText
from clipguide.models.clip import BERT, TOKENIZER, build_network, read_tokeniser
from pretrain.align import class_texts, ridge
from pretrain.arguments import Parser
from pretrain.begin import captions
from pretrain.configs import MINI_B
from pretrain.feed import Feed
from pretrain.models import embed_texts, minilm_folder, normalise, write_folder
from pretrain.multilingual import english_texts, tokeniser
from pretrain.open_nsfw import PREPROCESS, thin_resnet
from pretrain.short_text import choose_pieces, learn, shorten, with_pieces

CONTEXT, LAYERS, WORDS = 64, 3, 7000


def short_minilm(texts: list[str], seconds: float) -> tuple[nn.Module, dict[str, Any]]:
    """(BertText of LAYERS layers and WORDS words, trained to give MiniLM's vectors; its tokenizer.json).

    texts: what it is trained on, and whose words are kept, beside the classes of ImageNet.
    """
    stored = json.loads((minilm_folder() / TOKENIZER).read_text(encoding="utf-8"))
    texts = list(dict.fromkeys([*texts, *(text for wordings in class_texts() for text in wordings)]))
    kept = choose_pieces(stored, texts, WORDS)
    short_stored = with_pieces(stored, kept)
    whole, short = whole_minilm(), whole_minilm()
    shorten(short, kept, LAYERS, CONTEXT)
    tokenise, _ = read_tokeniser(minilm_folder() / TOKENIZER, CONTEXT, fixed=False)
    learn(short, tokeniser(short_stored, CONTEXT), whole, tokenise, [*texts, *english_texts([])], seconds, show)
    return short, short_stored


def whole_minilm() -> nn.Module:
    from safetensors.torch import load_file

    text = BertText(BertConfig.read(minilm_folder() / BERT), MINI_B["embed_dim"], "linear")
    stored = load_file(minilm_folder() / "model.safetensors")
    text.transformer.load_state_dict({name: stored[name] for name in text.transformer.state_dict()})
    return text.eval()


def fit_heads(images: Tensor, texts: Tensor, strength: float = 1e-4) -> tuple[Tensor, Tensor, Tensor]:
    """Features of N pairs, (N, F) and (N, D) -> image head (D, F), its bias (D,), text head (D, D).

    The text head takes the captions' mean direction out, then whitens; the image head regresses on what it gives.
    strength: of both penalties, as a share of the mean squared length of the features.
    """
    mean = F.normalize(texts.mean(0), dim=0)
    centre = torch.eye(len(mean)) - mean[:, None] * mean
    covariance = torch.cov(((texts - texts.mean(0)) @ centre).T)
    values, vectors = torch.linalg.eigh(covariance)
    whiten = vectors @ torch.diag((values + strength * values.sum()).rsqrt()) @ vectors.T @ centre
    around = images.mean(0)
    centred = images - around
    size = centred.square().sum(1).mean()
    head = ridge(centred, (texts - texts.mean(0)) @ whiten.T, (strength * size * len(images)).item())
    return head, -head @ around, whiten


def set_heads(model: nn.Module, pairs: tuple[Tensor, Tensor]) -> None:
    """Fits the heads of a CLIP to the features of pairs, in place, at a temperature for such a start."""
    head, bias, whiten = fit_heads(*pairs)
    with torch.no_grad():
        model.visual.head.proj.weight.copy_(head)
        model.visual.head.proj.bias.copy_(bias)
        model.text.proj.weight.copy_(whiten)
        model.logit_scale.fill_(math.log(20))


def features(model: nn.Module, tokenise: Any, shards: Path, count: int, side: int) -> tuple[Tensor, Tensor]:
    """Pooled features of the first `count` pairs of a feed, before the heads: pictures (N, F), captions (N, D)."""
    pictures, texts = [], []
    trunk = model.visual.trunk.to(memory_format=torch.channels_last)
    with torch.no_grad():
        for batch in islice(Feed(shards, 128, seed=0), -(-count // 128)):
            small = F.interpolate(batch.images.float() / 255, (side, side), mode="bilinear", antialias=True)
            seen = normalise(small, PREPROCESS).contiguous(memory_format=torch.channels_last)
            pictures.append(trunk(seen))
            texts += batch.texts
    return torch.cat(pictures)[:count], embed_texts(model, tokenise, texts[:count])


def show(line: str) -> None:
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain align-pairs", description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True, help="folder with .tar shards whose pairs are fitted")
    parser.add_argument("--out", type=Path, required=True, help="CLIP folder to write")
    parser.add_argument("--pairs", type=int, default=8192, help="how many pairs the heads are fitted to")
    parser.add_argument("--side", type=int, default=96, help="of the pictures, in px")
    parser.add_argument("--minutes", type=float, default=8, help="of training for the short text tower")
    options = parser.parse_args(arguments)
    if options.pairs < 2:
        raise UserError(f"--pairs {options.pairs}: heads are fitted to 2 pairs or more")
    torch.manual_seed(0)
    trunk = thin_resnet()
    text, stored = short_minilm(list(dict.fromkeys(captions(options.shards))), options.minutes * 60)
    model = build_network(MINI_B, text.config).eval()
    model.visual.trunk.load_state_dict(trunk.state_dict())
    model.text.transformer.load_state_dict(text.transformer.state_dict())
    set_heads(model, features(model, tokeniser(stored, CONTEXT), options.shards, options.pairs, options.side))
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, TOKENIZER)
        file.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        write_folder(options.out, model, MINI_B, PREPROCESS, file)
    print(f"{options.out}: two pretrained towers, heads fitted to {options.pairs} pairs")
    return 0
