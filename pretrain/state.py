"""What a run is: its config, its inputs, and the state that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pretrain.pairs import Bank, Pairs, TextCache

if TYPE_CHECKING:
    from pretrain.anchor import Anchor

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


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes, beside the model and the data. Stored in its checkpoints."""

    steps: int = 1000
    batch: int = 128  # pairs of each process in each step
    sizes: tuple[int, ...] = (96,)  # sides of the views in px; each step draws one
    seed: int = 0
    loss: str = "softmax"  # or "sigmoid"
    lock_text: bool = True  # the tower; its projection is trained
    lock_image: bool = False  # the tower; its head is trained (LiT, Zhai et al. 2022)
    frozen_norms: bool = True  # batch norms keep their statistics and are folded: for pretrained towers
    bank: int = 2048  # texts of earlier batches as further negatives, with a locked text tower only
    head_lr: float = 1e-3
    lr: float = 3e-4
    heads_first: int = 0  # steps before the rest of the image tower moves
    warmup: int = 50
    decay: float = 0.05
    beta2: float = 0.98
    eps: float = 1e-6
    clip_norm: float = 1.0
    ema: float = 0.998
    radius: float = 0.0  # of the attack, L2 in [0, 1] at 112 px; grows with the side
    radius_ramp: int = 200  # steps from zero to `radius`, counted from `heads_first`
    attack_steps: int = 1
    attacked: float = 0.75  # share of each batch
    noise: float = 0.1
    blur: float = 0.2
    classes: float = 0.0  # weight of the ImageNet class rows
    distil: float = 0.0  # weight of the old logits
    max_scale: float = 100.0
    chunk: int = (
        0  # pairs that are encoded at once, 0 for all: a smaller one saves memory and costs a second forward pass
    )
    bf16: bool = False  # towers compute in bfloat16: slower on most CPUs
    checkpointing: bool = False  # towers recompute in the backward pass instead of keeping what they computed


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

    cache: vectors of a locked BERT; anchor: what keeps ImageNet, where the config weighs it.
    """

    tokenise: Callable[[Sequence[str]], Tensor]
    normalise: Callable[[Tensor], Tensor]
    cache: TextCache | None = None
    anchor: Anchor | None = None


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


def start(model: nn.Module, config: TrainConfig) -> TrainState:
    """A run at step 0. Locks what the config locks; `model` is trained in place."""
    locked = {part for part, lock in (("text", config.lock_text), ("image", config.lock_image)) if lock}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) not in locked)
    if config.checkpointing:
        model.visual.set_grad_checkpointing(True)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(_groups(trained, config), betas=(0.9, config.beta2), eps=config.eps)
    average = {name: p.detach().clone() for name, p in trained.items()}
    return TrainState(model, optimiser, average, Bank(config.bank))


def _groups(trained: dict[str, nn.Parameter], config: TrainConfig) -> list[dict[str, Any]]:
    """Heads and towers have their own rate; gains, biases and the temperature do not decay (CLIP's exclusions)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        groups.setdefault((part_of(name) == "head", parameter.ndim >= 2), []).append(parameter)
    return [
        {"params": parameters, "head": head, "lr": 0.0, "weight_decay": config.decay if decays else 0.0}
        for (head, decays), parameters in groups.items()
    ]
