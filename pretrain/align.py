"""The closed-form start of clip-mini: two pretrained towers aligned through the ImageNet classifier, without a picture.

Lite0's classifier row of a class points to that class's pictures in feature space. A ridge regression from MiniLM's
vector of the class's name and WordNet gloss to its centred row therefore carries any text into feature space, and the
classifier's leading right singular vectors are the directions that tell classes apart: the image head.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.models.clip import TOKENIZER, read_tokeniser
from pretrain.anchor import HELD_CLASSES
from pretrain.arguments import Parser
from pretrain.configs import MINI, PREPROCESS
from pretrain.models import build_mini, embed_texts, minilm_folder, normalise, write_folder

Tokenise = Callable[[Sequence[str]], Tensor]


def class_texts() -> list[list[str]]:
    """For each of the 1000 ImageNet classes: its first name, all names, names with WordNet gloss, a photo caption."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    texts = []
    for index in range(1000):
        names, gloss = info.index_to_description(index), info.index_to_description(index, detailed=True)
        first = names.split(",")[0].strip()
        texts.append([first, names, gloss.replace(": ", ", ", 1), f"a photo of a {first}"])
    return texts


def ridge(inputs: Tensor, targets: Tensor, strength: float) -> Tensor:
    """(N, A), (N, B) -> the (B, A) matrix that minimises the squared error plus `strength` times its squared norm."""
    inputs, targets = inputs.double(), targets.double()
    gram = inputs.T @ inputs
    eye = torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + strength * eye, inputs.T @ targets).T.float()


def class_rows(classifier: nn.Linear) -> Tensor:
    """(1000, 1280): classifier rows without what they share, unit norm."""
    return F.normalize(classifier.weight.detach() - classifier.weight.detach().mean(0))


def align(model: nn.Module, classifier: nn.Linear, tokenise: Tokenise, mean: Tensor, strength: float = 1.0) -> None:
    """Sets the text projection, the image head and the temperature of a CLIP from `build_mini`, in place.

    mean (1280,): the mean feature of pictures, which the image head subtracts.
    strength: ridge penalty in units of one text of mean length. HELD_CLASSES are left out of the regression.
    """
    texts = class_texts()
    per_class = len(texts[0])
    used = [i for i in range(len(texts)) if i not in HELD_CLASSES]
    pooled = embed_texts(model, tokenise, [text for i in used for text in texts[i]])  # (800*per_class, 384)
    rows = class_rows(classifier)[used].repeat_interleave(per_class, 0)
    text_map = ridge(pooled / pooled.norm(dim=1).mean(), rows, strength * per_class)  # (1280, 384)
    centred = classifier.weight.detach() - classifier.weight.detach().mean(0)
    basis = torch.linalg.svd(centred, full_matrices=False).Vh[: model.text.output_dim]  # (512, 1280)
    with torch.no_grad():
        model.text.proj.weight.copy_(basis @ text_map)
        model.visual.head.proj.weight.copy_(basis)
        model.visual.head.proj.bias.copy_(-basis @ mean)
        model.logit_scale.fill_(math.log(30))


def mean_feature(trunk: nn.Module, preprocess: dict[str, Any]) -> Tensor:
    """The mean feature of a fixed set of pink pictures, (F,): what the features of any pictures have in common."""
    pictures = normalise(pink_pictures(64, 128, torch.Generator().manual_seed(0)), preprocess)
    with torch.no_grad():
        return trunk(pictures).mean(0)


def pink_pictures(count: int, size: int, rng: torch.Generator) -> Tensor:
    """(count, 3, size, size) in [0, 1]: noise with a photograph's 1/f spectrum, for where there are no photos."""
    frequency = (torch.fft.fftfreq(size)[:, None].square() + torch.fft.rfftfreq(size)[None].square()).sqrt()
    noise = torch.randn(count, 3, size, size // 2 + 1, 2, generator=rng)
    field = torch.fft.irfft2(torch.view_as_complex(noise) / frequency.clamp(min=1 / size), s=(size, size))
    return torch.sigmoid(field / field.std() + torch.randn(count, 3, 1, 1, generator=rng))


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain align", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="CLIP folder to write")
    parser.add_argument("--strength", type=float, default=1.0, help="ridge penalty")
    options = parser.parse_args(arguments)
    model, classifier = build_mini(MINI)
    context = MINI["text_cfg"]["context_length"]
    tokenise, _ = read_tokeniser(minilm_folder() / TOKENIZER, context, fixed=False)
    align(model, classifier, tokenise, mean_feature(model.visual.trunk, PREPROCESS), options.strength)
    write_folder(options.out, model, MINI, PREPROCESS, minilm_folder() / TOKENIZER)
    print(f"{options.out}: two pretrained towers, aligned without a picture")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
