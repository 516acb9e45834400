"""Training of a feed-forward network: one generator, from a state and examples to steps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.core import Tick
from clipguide.cutouts import crops
from clipguide.encoders import ClipEncoder
from clipguide.errors import UserError
from clipguide.models.forward import Forward, ForwardConfig
from pretrain.forward.components import principal, weights_of
from pretrain.forward.examples import Examples
from pretrain.loss import contrastive
from pretrain.schedule import warmup_cosine

SCALE = 20.0  # of cosines


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, beside its examples.  Stored in its checkpoints."""

    steps: int = 9000
    seed: int = 0
    batch: int = 512
    side: int = 64  # px
    components: int = 512
    width: int = 1280
    depth: int = 2
    noise: float = 0.5  # largest length of what is added to a text's embedding, which has a length of 1
    rate: float = 1e-3
    warmup: int = 200
    judged: int = 16  # pictures of a batch that CLIP scores
    clip: float = 0.03  # weight of CLIP's score
    clip_from: float = 0.9  # share of the steps without it
    average: float = 0.998  # of the exported weights

    def __post_init__(self) -> None:
        """UserError for a value that no run can have."""
        for name in ("steps", "batch", "side", "components", "width", "depth"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)}: give 1 or more")
        if not 0 <= self.clip_from <= 1:
            raise UserError(f"--clip-from {self.clip_from}: a share is from 0 to 1")


@dataclass(frozen=True)
class RunStep:
    """One finished update.  losses: unweighted."""

    index: int
    total: int
    losses: Mapping[str, float]
    seconds: float


@dataclass
class RunState:
    network: Forward
    average: Forward
    optimiser: torch.optim.Optimizer
    step: int = 0


def start(config: RunConfig, examples: Examples, clip: str, device: torch.device | str = "cpu") -> RunState:
    """A run at step 0.  clip: whose embeddings the examples hold; what scores must be on the same device."""
    mean, components = principal(examples.pictures, config.components, config.seed)
    told = {"side": config.side, "components": config.components, "width": config.width, "depth": config.depth}
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        made = Forward(ForwardConfig(clip, examples.texts.shape[1], examples.names, **told))
    made.mean.copy_(mean)
    made.components.copy_(components)
    made.to(device)
    average = deepcopy(made).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(made.parameters(), config.rate, (0.9, 0.99), weight_decay=1e-4, fused=True)
    return RunState(made, average, optimiser)


def train(state: RunState, examples: Examples, encoder: ClipEncoder, config: RunConfig) -> Iterator[RunStep]:
    """Updates `state` in place from `state.step` to `config.steps`; yields after each update.

    The dice of a step follow from the seed and its number, so that a run goes on alike.
    """
    # of the network's own components, which a resumed run has from its checkpoint
    goals = weights_of(examples.pictures, state.network.mean.cpu(), state.network.components.cpu()).to(encoder.device)
    while state.step < config.steps:
        began = time.perf_counter()
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + state.step)
        losses = update(state, examples, goals, encoder, config, rng)
        state.step += 1
        decay = min(config.average, state.step / (state.step + 10))
        with torch.no_grad():
            for mean, now in zip(state.average.parameters(), state.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        yield RunStep(state.step, config.steps, losses, time.perf_counter() - began)


def update(
    state: RunState, examples: Examples, goals: Tensor, encoder: ClipEncoder, config: RunConfig, rng: torch.Generator
) -> dict[str, float]:
    """One step: the weights `goals` (N, components) of the pictures are learned, and CLIP scores some of what is drawn.

    The distance itself is minimised and not its square: where a text has several pictures, that leads to the one in
    their midst (the geometric median), and not to the mean of all, which is grey.
    """
    share = state.step / config.steps
    for group in state.optimiser.param_groups:
        group["lr"] = config.rate * warmup_cosine(state.step, config.steps, config.warmup, floor=0.01)
    chosen, texts, styles = (part.to(encoder.device) for part in examples.draw(config.batch, rng))
    given = state.network.weights(blurred(texts, config.noise, rng), styles)
    error = (given - goals[chosen]).square().sum(1)
    losses = {"distance": (error + 1e-4).sqrt().mean()}  # the slope of a root ends nowhere
    total = losses["distance"]
    if config.clip and share >= config.clip_from:
        few = slice(config.judged)
        losses["clip"] = score(state.network.cutouts(given[few]), texts[few], encoder, rng)
        total = total + config.clip * losses["clip"]
    if not total.isfinite():
        raise ArithmeticError("the loss is not finite; lower the rate, or resume from the last checkpoint")
    state.optimiser.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimiser.step()
    return {name: value.item() for name, value in losses.items()}


def blurred(texts: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """(B, D), unit norm, each turned by a random amount: what people ask for lies beside what is learned."""
    length = noise * torch.rand(len(texts), 1, generator=rng)
    aside = torch.randn(texts.shape, generator=rng) * length / texts.shape[1] ** 0.5
    return F.normalize(texts + aside.to(texts), dim=1)


def score(drawn: Tensor, texts: Tensor, encoder: ClipEncoder, rng: torch.Generator) -> Tensor:
    """The contrastive loss of a view of each cut-out (B, 4, S, S), on white, against all of the texts.

    The squared angle to its own text, which guidance follows, is lowered most by one pattern in every picture (seen).
    """
    windows = crops(1, wide=1.0)(Tick(0, 1, rng), encoder.size)
    pictures = (drawn[:, :3] + 1 - drawn[:, 3:]).clamp(0, 1)
    return contrastive(encoder.encode_image(windows(pictures)), texts.to(drawn), SCALE)
