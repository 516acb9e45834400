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
from pretrain.forward.examples import Examples
from pretrain.loss import contrastive

SCALE = 20.0  # of cosines


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, beside its examples.  Stored in its checkpoints."""

    steps: int = 4000
    seed: int = 0
    batch: int = 64
    scenes: float = 0.4  # share of each batch that scenes have
    tries: int = 2  # dice for each picture, of which the nearest learns it
    rate: float = 1e-3
    warmup: int = 100
    layout: float = 4.0  # weight of the error of means over 8 x 8 px, beside that of pixels
    judged: int = 16  # pictures of a batch that CLIP scores
    clip: float = 0.03  # weight of CLIP's score
    clip_from: float = 0.5  # share of the steps without it
    average: float = 0.995  # of the exported weights

    def __post_init__(self) -> None:
        """UserError for a value that no run can have."""
        for name in ("steps", "batch", "tries"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)}: give 1 or more")
        for name in ("scenes", "clip_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: a share is from 0 to 1")


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


def start(config: RunConfig, network: ForwardConfig, device: torch.device | str = "cpu") -> RunState:
    """A run at step 0.  The encoder that `train` gets must be on the same device."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        made = Forward(network).to(device, memory_format=torch.channels_last)
    average = deepcopy(made).eval().requires_grad_(False)
    return RunState(made, average, torch.optim.AdamW(made.parameters(), config.rate, (0.9, 0.99), weight_decay=0.01))


def train(state: RunState, examples: Examples, encoder: ClipEncoder, config: RunConfig) -> Iterator[RunStep]:
    """Updates `state` in place from `state.step` to `config.steps`; yields after each update.

    The dice of a step follow from the seed and its number, so that a run goes on alike.
    """
    while state.step < config.steps:
        began = time.perf_counter()
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + state.step)
        losses = update(state, examples, encoder, config, rng)
        state.step += 1
        decay = min(config.average, state.step / (state.step + 10))
        with torch.no_grad():
            for mean, now in zip(state.average.parameters(), state.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        yield RunStep(state.step, config.steps, losses, time.perf_counter() - began)


def update(
    state: RunState, examples: Examples, encoder: ClipEncoder, config: RunConfig, rng: torch.Generator
) -> dict[str, float]:
    """One step: of several dice the one whose picture is nearest learns it, and CLIP scores some of the pictures.

    The first is implicit maximum likelihood (Li and Malik, arXiv 1809.09087): without it every text would get the mean
    of all its pictures, which is grey.
    """
    share = state.step / config.steps
    for group in state.optimiser.param_groups:
        group["lr"] = config.rate * min(1.0, (state.step + 1) / config.warmup, 0.02 + 2 * (1 - share))
    pictures, texts = (part.to(encoder.device) for part in examples.draw(config.batch, config.scenes, rng))
    dice = nearest(state.network, pictures, texts, config.tries, rng)
    drawn = state.network(texts, dice)
    losses = {"pixels": (drawn - pictures).abs().mean(), "layout": F.l1_loss(_means(drawn), _means(pictures))}
    total = losses["pixels"] + config.layout * losses["layout"]
    if config.clip and share >= config.clip_from:
        losses["clip"] = score(drawn[: config.judged], texts[: config.judged], encoder, rng)
        total = total + config.clip * losses["clip"]
    if not total.isfinite():
        raise ArithmeticError("the loss is not finite; lower the rate, or resume from the last checkpoint")
    state.optimiser.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimiser.step()
    return {name: value.item() for name, value in losses.items()}


@torch.no_grad()
def nearest(network: Forward, pictures: Tensor, texts: Tensor, tries: int, rng: torch.Generator) -> Tensor:
    """(B, `dice`): of so many throws for each picture the one whose drawing has the nearest colours and layout."""
    best, least = None, None
    for _ in range(tries):
        dice = torch.randn(len(texts), network.config.dice, generator=rng).to(texts)
        if tries == 1:
            return dice
        gap = (_means(network(texts, dice)) - _means(pictures)).square().mean((1, 2, 3))
        if best is None:
            best, least = dice, gap
        else:
            better = gap < least
            best, least = torch.where(better[:, None], dice, best), torch.minimum(gap, least)
    return best


def score(drawn: Tensor, texts: Tensor, encoder: ClipEncoder, rng: torch.Generator) -> Tensor:
    """The contrastive loss of a view of each picture against all of the texts.

    The squared angle to its own text, which guidance follows, is lowered most by one pattern in every picture (seen).
    """
    windows = crops(1, wide=1.0)(Tick(0, 1, rng), encoder.size)
    return contrastive(encoder.encode_image(windows(drawn)), texts.to(drawn), SCALE)


def _means(pictures: Tensor) -> Tensor:
    return F.avg_pool2d(pictures, 8)
