"""Contrastive training of CLIP: one generator, from a model and batches to steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretrain.anchor import Anchor
from pretrain.augment import may_flip, views
from pretrain.loss import contrastive, sigmoid
from pretrain.pairs import Bank, Pairs, TextCache, fitting
from pretrain.robust import attack, roughen
from pretrain.schedule import ramp, warmup_cosine


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes, beside the model and the data. Stored in its checkpoints."""

    steps: int = 1000
    batch: int = 128
    sizes: tuple[int, ...] = (96,)  # each step draws one
    seed: int = 0
    loss: str = "softmax"  # or "sigmoid"
    lock_text: bool = True  # the tower; its projection is trained
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


@dataclass
class TrainState:
    """A run: everything that `checkpoint` saves beside the config."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]
    rng: torch.Generator
    bank: Bank
    step: int = 0


@dataclass(frozen=True)
class Inputs:
    """How the model sees: texts -> tokens (N, L); normalise: pictures in [0, 1] -> what the tower wants."""

    tokenise: Callable[[Sequence[str]], Tensor]
    normalise: Callable[[Tensor], Tensor]
    cache: TextCache | None = None
    anchor: Anchor | None = None


@dataclass
class _Sums:
    losses: dict[str, Tensor] = field(default_factory=dict)

    def add(self, name: str, loss: Tensor, weight: float = 1.0) -> Tensor:
        self.losses[name] = loss.detach()
        return weight * loss


def start(model: nn.Module, config: TrainConfig) -> TrainState:
    """A run at step 0. Locks what the config locks; `model` is trained in place."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not (config.lock_text and name.startswith("text.transformer.")))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(_groups(trained, config), betas=(0.9, config.beta2), eps=config.eps)
    average = {name: p.detach().clone() for name, p in trained.items()}
    return TrainState(model, optimiser, average, torch.Generator().manual_seed(config.seed), Bank(config.bank))


def _groups(trained: dict[str, nn.Parameter], config: TrainConfig) -> list[dict[str, Any]]:
    """Heads and towers have their own rate; gains, biases and the temperature do not decay (CLIP's exclusions)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        head = not name.startswith(("visual.trunk.", "text.transformer.", "visual.transformer.", "transformer."))
        groups.setdefault((head, parameter.ndim >= 2), []).append(parameter)
    return [
        {"params": parameters, "head": head, "lr": 0.0, "weight_decay": config.decay if decays else 0.0}
        for (head, decays), parameters in groups.items()
    ]


def train(state: TrainState, batches: Iterable[Pairs], config: TrainConfig, inputs: Inputs) -> Iterator[TrainStep]:
    """Updates `state` in place, one batch a step, from `state.step` to `config.steps`; yields after each update.

    The caller may save the state at any yield. Errors: NotFinite, before the weights are touched.
    """
    torch.manual_seed(config.seed + state.step)  # dropout: a resumed run draws what the whole one would
    began = time.perf_counter()
    for pairs in batches:
        if state.step >= config.steps:
            return
        torch.manual_seed(config.seed + state.step)
        _set_rates(state, config)
        state.optimiser.zero_grad(set_to_none=True)
        loss, losses = _loss(state, pairs, config, inputs)
        loss.backward()
        trained = [p for group in state.optimiser.param_groups for p in group["params"]]
        gradient = nn.utils.clip_grad_norm_(trained, config.clip_norm)
        if not (loss.isfinite() and gradient.isfinite()):
            raise NotFinite(state.step, pairs)
        state.optimiser.step()
        _after(state, config)
        now = time.perf_counter()
        speed, began = len(pairs) / (now - began), now
        values = {name: value.item() for name, value in losses.items()}
        yield TrainStep(state.step, config.steps, values, state.model.logit_scale.exp().item(), gradient.item(), speed)


def _set_rates(state: TrainState, config: TrainConfig) -> None:
    factor = warmup_cosine(state.step, config.steps, config.warmup, floor=0.01)
    late = config.heads_first
    tower = warmup_cosine(state.step - late, config.steps - late, config.warmup, floor=0.01)
    for group in state.optimiser.param_groups:
        group["lr"] = config.head_lr * factor if group["head"] else config.lr * tower * (state.step >= late)
    trunk = getattr(state.model.visual, "trunk", state.model.visual)
    trunk.requires_grad_(state.step >= late)


def _after(state: TrainState, config: TrainConfig) -> None:
    state.step += 1
    decay = min(config.ema, state.step / (state.step + 10))
    with torch.no_grad():
        state.model.logit_scale.clamp_(max=torch.tensor(config.max_scale).log())
        current = dict(state.model.named_parameters())
        for name, mean in state.average.items():
            mean.lerp_(current[name], 1 - decay)


def _texts(state: TrainState, pairs: Pairs, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Unit text features (M, D), the batch's own first, and which images they fit (N, M)."""
    model = state.model
    if inputs.cache is None:
        return F.normalize(model.encode_text(inputs.tokenise(pairs.texts))), fitting(pairs.concepts, pairs.concepts)
    pooled, known = inputs.cache(pairs.texts), state.bank
    concepts = [*pairs.concepts, *known.concepts]
    every = torch.cat([pooled, known.vectors.view(-1, pooled.shape[1])])
    known.push(pooled, pairs.concepts)
    return F.normalize(model.text.proj(every)), fitting(pairs.concepts, concepts)


def _loss(state: TrainState, pairs: Pairs, config: TrainConfig, inputs: Inputs) -> tuple[Tensor, dict[str, Tensor]]:
    model, rng, sums = state.model, state.rng, _Sums()
    size = config.sizes[int(torch.randint(len(config.sizes), (), generator=rng))]
    clean = views(pairs.images, size, rng, flip=may_flip(pairs.texts)).contiguous(memory_format=torch.channels_last)
    text, positive = _texts(state, pairs, inputs)
    scale = model.logit_scale.exp()
    seen = _harm(state, clean, text.detach(), positive, config, inputs)
    features, image = _features(model, inputs.normalise(seen))
    if config.loss == "sigmoid":
        loss = sums.add("sigmoid", sigmoid(image, text, scale, model.logit_bias, positive))
    else:
        loss = sums.add("contrastive", contrastive(image, text, scale, positive))
    if inputs.anchor is not None and config.classes:
        pull = inputs.anchor.class_loss(model.visual.head, model.text.proj, scale, rng)
        loss = loss + sums.add("classes", pull, config.classes)
    if inputs.anchor is not None and config.distil:
        loss = loss + sums.add("distil", inputs.anchor.distil_loss(features, inputs.normalise(clean)), config.distil)
    return loss, sums.losses


def _features(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """(features before the head (N, F), unit embeddings (N, D)); without a separate trunk the first is the second."""
    if not hasattr(model.visual, "trunk"):
        embedded = F.normalize(model.encode_image(images))
        return embedded, embedded
    features = model.visual.trunk(images)
    return features, F.normalize(model.visual.head(features))


def _harm(
    state: TrainState, clean: Tensor, text: Tensor, positive: Tensor, config: TrainConfig, inputs: Inputs
) -> Tensor:
    """The views that are trained on: roughened, and the first `attacked` share of them moved against the loss."""
    rough = roughen(clean, state.rng, noise=config.noise, blur=config.blur)
    radius = ramp(state.step, config.heads_first, config.radius_ramp, 0, config.radius) * clean.shape[-1] / 112
    count = round(config.attacked * len(clean))
    if radius == 0 or count == 0:
        return rough
    scale = state.model.logit_scale.exp().detach()
    target = positive[:count].to(text)
    target = target / target.sum(1, keepdim=True)

    def miss(images: Tensor) -> Tensor:
        _, image = _features(state.model, inputs.normalise(images))
        return -(target * (scale * image @ text.T).log_softmax(1)).sum()

    moved = attack(rough[:count], miss, radius=radius, steps=config.attack_steps, rng=state.rng)
    return torch.cat([moved, rough[count:]])
