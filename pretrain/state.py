"""What a run is: its config, its inputs, and the state that a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clipguide.errors import UserError
from pretrain.pairs import Bank, Pairs, TextCache

if TYPE_CHECKING:
    from pretrain.anchor import Anchor
    from pretrain.glosses import Glosses
    from pretrain.teacher import Teacher

# parameters with the heads' rate; all others have the towers'
_HEADS = (
    "visual.head.",
    "visual.proj",
    "visual.attnpool.",
    "text.proj.",
    "text.text_projection",
    "text_projection",
    "logit_",
)

# what a number may be, and how that is said
_ALLOWED: dict[tuple[str, ...], tuple[str, Callable[[float], bool]]] = {
    ("warmup", "bank", "chunk", "decay", "radius", "noise"): ("0 or more", lambda value: value >= 0),
    ("classes", "glosses", "seen_glosses", "distil", "teacher_weight"): ("0 or more", lambda value: value >= 0),
    ("steps", "attack_steps"): ("1 or more", lambda value: value >= 1),
    ("batch",): ("2 or more", lambda value: value >= 2),
    ("head_lr", "lr", "eps", "clip_norm", "max_scale"): ("more than 0", lambda value: value > 0),
    ("attacked", "blur", "mix_styles"): ("0 to 1", lambda value: 0 <= value <= 1),
    ("ema", "beta2"): ("0 or more, below 1", lambda value: 0 <= value < 1),
}


def _option(default: Any, about: str, choices: Sequence[str] | None = None) -> Any:
    return field(default=default, metadata={"help": about, "choices": choices})


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes, beside the model and the data. Stored in its checkpoints.

    Each field is a flag of `python -m pretrain train`. Errors: UserError for values that no run can have.
    """

    steps: int = _option(1000, "updates in all")
    batch: int = _option(128, "pairs of each process in each step")
    sizes: tuple[int, ...] = _option((96,), "sides of the views in px, comma-separated; each step draws one")
    seed: int = _option(0, "of the order of the pairs, of views, noise, attack and dropout")
    loss: str = _option("softmax", "contrastive loss", ("softmax", "sigmoid"))
    lock_text: bool = _option(True, "keep the text tower as it is; its projection is trained")
    lock_image: bool = _option(False, "keep the image tower as it is; its head is trained (LiT)")
    still: str = _option("", "stages of the image tower that keep their weights, a regular expression: conv1|layer[12]")
    frozen_norms: bool = _option(
        True,
        "keep the statistics of batch norms, folded: for pretrained towers; else each process has its own",
    )
    bank: int = _option(2048, "texts of earlier batches as further negatives, with a locked BERT only")
    head_lr: float = _option(1e-3, "highest rate of projections and temperature")
    lr: float = _option(3e-4, "highest rate of the towers")
    heads_first: int = _option(0, "steps before the rest of the image tower moves")
    warmup: int = _option(50, "steps in which the rates rise")
    decay: float = _option(0.05, "weight decay; gains, biases and temperature have none")
    beta2: float = _option(0.98, "of AdamW")
    eps: float = _option(1e-6, "of AdamW")
    clip_norm: float = _option(1.0, "longest gradient")
    ema: float = _option(0.998, "of the averaged weights, which export takes")
    radius: float = _option(0.0, "of the attack, L2 in [0, 1] at 112 px; grows with the side; 0 for none")
    radius_ramp: int = _option(200, "steps from zero to --radius, counted from --heads-first")
    attack_steps: int = _option(1, "gradient steps of the attack")
    attacked: float = _option(0.75, "share of each batch that is attacked")
    noise: float = _option(0.1, "largest deviation of the noise on views")
    blur: float = _option(0.2, "share of views at a lower resolution")
    mix_styles: float = _option(0.0, "share of views that take on the look of another one, in early feature maps")
    classes: float = _option(0.0, "weight of the ImageNet class rows, for clip-mini's towers")
    glosses: float = _option(0.0, "weight of what WordNet's glosses say of the class rows, for clip-mini's towers")
    seen_glosses: float = _option(0.0, "weight of what these glosses say of the views, for clip-mini's towers")
    distil: float = _option(0.0, "weight of the old ImageNet logits, for clip-mini's image tower")
    teacher: str = _option("", "a larger CLIP to learn from: a bundled name, a folder, or MODEL/TAG of open_clip")
    teacher_weight: float = _option(1.0, "weight of the teacher's similarities beside the contrastive loss")
    max_scale: float = _option(100.0, "highest inverse temperature")
    chunk: int = _option(0, "pairs encoded at once, 0 for all: fewer save memory and cost a second forward pass")
    bf16: bool = _option(False, "towers compute in bfloat16: slower on most CPUs")
    checkpointing: bool = _option(False, "towers compute twice to keep less: the image's, and a text Transformer's")

    def __post_init__(self) -> None:
        for names, (said, allows) in _ALLOWED.items():
            for name in names:
                if not allows(getattr(self, name)):
                    raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: give {said}")
        if (self.classes or self.glosses or self.seen_glosses) and not self.lock_text:
            raise UserError("--classes, --glosses and --seen-glosses need --lock-text: they read vectors once")
        if not self.sizes or min(self.sizes) < 8:
            raise UserError(f"--sizes {','.join(map(str, self.sizes))}: give sides of at least 8 px")
        try:
            re.compile(self.still)
        except re.error as error:
            raise UserError(f"--still {self.still}: no regular expression ({error}); such as conv1|layer[12]") from None


@dataclass(frozen=True)
class TrainStep:
    """One finished update. losses: each term, unweighted, mean over the batch; scale: the inverse temperature."""

    index: int
    total: int
    losses: Mapping[str, float]
    scale: float
    gradient: float
    images_per_second: float


class NotFinite(ArithmeticError):
    """The loss or gradient of a step is not finite. `pairs`: its batch."""

    def __init__(self, step: int, pairs: Pairs) -> None:
        super().__init__(f"step {step}: the loss or its gradient is not finite; lower the rate or look at the batch")
        self.step, self.pairs = step, pairs


@dataclass(frozen=True)
class Inputs:
    """How the model sees: texts -> tokens (N, L); normalise: pictures in [0, 1] -> what the tower wants.

    cache: vectors of a locked BERT; anchor, glosses: what keeps ImageNet, where the config weighs it; teacher: a larger
    CLIP.
    """

    tokenise: Callable[[Sequence[str]], Tensor]
    normalise: Callable[[Tensor], Tensor]
    cache: TextCache | None = None
    anchor: Anchor | None = None
    glosses: Glosses | None = None
    teacher: Teacher | None = None


@dataclass
class TrainState:
    """A run: everything that `checkpoint` saves beside the config."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]
    bank: Bank
    step: int = 0


def part_of(name: str) -> str:
    """Where the parameter of that name sits: "head" (projections, temperature), "image" or "text" (the towers)."""
    if name.startswith(_HEADS):
        return "head"
    return "image" if name.startswith("visual.") else "text"


def is_still(name: str, config: TrainConfig) -> bool:
    """Whether the parameter belongs to a stage of the image tower that the config keeps as it is."""
    return part_of(name) == "image" and bool(config.still and re.search(rf"\b({config.still})\b", name))


def start(model: nn.Module, config: TrainConfig) -> TrainState:
    """A run at step 0. Locks what the config locks; `model` is trained in place.

    Errors: UserError for a sigmoid loss where the model has no bias, for batch norms that would see chunks alone, and
    for checkpointing that the image tower does not know.
    """
    if config.loss == "sigmoid" and model.logit_bias is None:
        raise UserError("--loss sigmoid needs a CLIP with init_logit_bias in its config, such as ViT-B-16-SigLIP's")
    if 0 < config.chunk < config.batch and not config.frozen_norms and _has_norms(model):
        raise UserError(
            f"--chunk {config.chunk}: with --no-frozen-norms the batch norms of --start must see the whole batch; "
            "leave one of the two out"
        )
    locked = {part for part, lock in (("text", config.lock_text), ("image", config.lock_image)) if lock}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) not in locked and not is_still(name, config))
    if config.checkpointing:
        _recompute(model, text=not config.lock_text)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(_groups(trained, config), betas=(0.9, config.beta2), eps=config.eps)
    average = {name: p.detach().clone() for name, p in trained.items()}
    return TrainState(model, optimiser, average, Bank(config.bank))


def _has_norms(model: nn.Module) -> bool:
    return any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in model.modules())


def _recompute(model: nn.Module, *, text: bool) -> None:
    whole = text and not hasattr(getattr(model, "text", None), "pool")  # our BERT keeps what it computes
    (model if whole else model.visual).set_grad_checkpointing(True)
    if not any(getattr(module, "grad_checkpointing", False) for module in model.visual.modules()):
        raise UserError("--checkpointing: the image tower of --start cannot compute twice; --chunk saves memory too")


def _groups(trained: dict[str, nn.Parameter], config: TrainConfig) -> list[dict[str, Any]]:
    """Heads and towers have their own rate; gains, biases and the temperature do not decay (CLIP's exclusions)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        groups.setdefault((part_of(name) == "head", parameter.ndim >= 2), []).append(parameter)
    return [
        {"params": parameters, "head": head, "lr": 0.0, "weight_decay": config.decay if decays else 0.0}
        for (head, decays), parameters in groups.items()
    ]
