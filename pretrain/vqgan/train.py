"""Training of a VQGAN: one generator, from a state and crops to steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from clipguide.errors import UserError
from clipguide.models.vqgan import VQGAN, build_vqgan
from clipguide.ops.straight_through import straight_through
from pretrain.vqgan.codebook import MovingCodebook, perplexity
from pretrain.vqgan.config import VqganConfig
from pretrain.vqgan.losses import PatchDiscriminator, hinge
from pretrain.vqgan.space import fold, means, metric, refit, spread

Distance = Callable[[Tensor, Tensor], Tensor]
HEAD_START = 0.03  # share of the steps in which the discriminator learns before it counts
FIRST_Z = 16  # z for each code, from which the codebook is drawn at first
METRIC_BATCHES, REFIT_BATCHES = 4, 24


@dataclass(frozen=True)
class VqganStep:
    """One finished update.  losses: unweighted; perplexity: of the codes' moving use, 0 while they are not used."""

    index: int
    total: int
    losses: Mapping[str, float]
    perplexity: float
    seconds: float


@dataclass
class VqganState:
    """A run: everything that its checkpoint holds beside the config."""

    vqgan: VQGAN
    critic: PatchDiscriminator
    optimiser: torch.optim.Optimizer
    critic_optimiser: torch.optim.Optimizer
    average: VQGAN
    book: MovingCodebook = field(repr=False)
    step: int = 0


def start(config: VqganConfig, trained: VQGAN | None = None) -> VqganState:
    """A run at step 0, from new weights or from those of `trained`.  UserError where the config describes another."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        vqgan, critic = build_vqgan(config.network), PatchDiscriminator()
    average = build_vqgan(config.network).eval().requires_grad_(False)
    if trained is not None:
        _take_over(vqgan, trained)
    average.load_state_dict(vqgan.state_dict())
    vqgan.codebook.requires_grad_(False)
    learning = [parameter for parameter in vqgan.parameters() if parameter.requires_grad]
    book = MovingCodebook(vqgan.codebook.data)
    if trained is not None:
        book.go_on()
    optimiser = torch.optim.Adam(learning, config.rate, (0.9, 0.99))
    critic_optimiser = torch.optim.Adam(critic.parameters(), config.rate / 3, (0.5, 0.9))
    return VqganState(vqgan, critic, optimiser, critic_optimiser, average, book)


def _take_over(vqgan: VQGAN, trained: VQGAN) -> None:
    try:
        vqgan.load_state_dict(trained.state_dict())
    except RuntimeError:
        there = dict(trained.network.config)
        shape = [there["block_out_channels"], there["num_vq_embeddings"], there["latent_channels"], trained.patch]
        given = "widths {}, codes {}, depth {}, patch {}".format(*shape)
        raise UserError(f"--start has {given}; give the same settings, or leave --start out") from None


def train(state: VqganState, pictures: NDArray, config: VqganConfig, distance: Distance) -> Iterator[VqganStep]:
    """Updates `state` in place from `state.step` to `config.steps`; yields after each update.

    pictures: uint8 (N, S, S, 3).  The dice of a step follow from the seed and its number, so that a run goes on alike.
    """
    while state.step < config.steps:
        began = time.perf_counter()
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + state.step)
        if state.step == config.free and not state.book.begun:
            first_codes(state, pictures, config, rng)
        images = batch(pictures, config, state.step, rng)
        losses = update(state, images, config, distance, rng)
        state.step += 1
        follow(state.average, state.vqgan, min(config.average, state.step / (state.step + 10)))
        quantised = state.step > config.free
        usage = perplexity(state.book.use) if quantised else 0.0
        yield VqganStep(state.step, config.steps, losses, usage, time.perf_counter() - began)


def batch(pictures: NDArray, config: VqganConfig, step: int, rng: torch.Generator) -> Tensor:
    """(B, 3, side, side) in [0, 1]: random windows of random crops, half of them mirrored."""
    side = config.small if step < config.grow * config.steps else config.large
    count = max(1, round(config.batch * (config.small / side) ** 2))
    found = []
    for at in torch.randint(len(pictures), (count,), generator=rng).tolist():
        free = pictures.shape[1] - side + 1
        top, left = torch.randint(free, (2,), generator=rng).tolist()
        crop = torch.from_numpy(pictures[at, top : top + side, left : left + side].copy())
        found.append(crop.flip(1) if torch.rand((), generator=rng) < 0.5 else crop)
    return torch.stack(found).movedim(-1, 1).float() / 255


def update(
    state: VqganState, images: Tensor, config: VqganConfig, distance: Distance, rng: torch.Generator
) -> dict[str, float]:
    """One step of the network, then of the discriminator once its time is near."""
    share = state.step / config.steps
    judged = share >= config.adversary_from - HEAD_START
    set_rates(state, config)
    z = state.vqgan.encode(images)
    codes, losses = quantise(state, z, config, rng)
    drawn = state.vqgan.draw(codes)
    losses |= {"absolute": (drawn - images).abs().mean(), "squared": F.mse_loss(drawn, images)}
    losses |= {"colour": F.mse_loss(means(drawn), means(images)), "perceptual": distance(drawn, images)}
    weights = {"absolute": 1.0} | {name: getattr(config, name) for name in losses if name != "absolute"}
    if share >= config.adversary_from:
        state.critic.requires_grad_(False)
        losses["adversary"], weights["adversary"] = -state.critic(drawn).mean(), config.adversary
    total = sum(weights[name] * value for name, value in losses.items())
    descend(state.optimiser, total)
    if judged:
        losses["critic"] = judge(state, images, drawn.detach())
    return {name: value.item() for name, value in losses.items()}


def quantise(
    state: VqganState, z: Tensor, config: VqganConfig, rng: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """(codes that the decoder gets, losses).  In the first steps z itself."""
    if state.step < config.free:
        return z, {"spread": spread(z)}
    numbers = state.vqgan.nearest(z)
    codes = state.vqgan.lookup(numbers)
    state.book.follow(z.detach().movedim(1, -1).flatten(0, 2), numbers.flatten(), state.step, rng)
    return straight_through(codes, z), {"commit": F.mse_loss(z, codes)}


def first_codes(state: VqganState, pictures: NDArray, config: VqganConfig, rng: torch.Generator) -> None:
    """Refits the last layer, turns z's space to what the decoder makes of it, draws the codebook from many crops."""
    batches = [batch(pictures, config, state.step, rng) for _ in range(REFIT_BATCHES)]
    for vqgan in (state.vqgan, state.average):
        refit(vqgan, batches, coded=False)
    matrix = metric(state.vqgan, torch.cat(batches[:METRIC_BATCHES]), config.colour, rng)
    for vqgan in (state.vqgan, state.average):
        fold(vqgan, matrix)
    found, wanted = [], FIRST_Z * config.codes
    while sum(map(len, found)) < wanted:
        with torch.no_grad():
            z = state.vqgan.encode(batch(pictures, config, state.step, rng))
        found.append(z.movedim(1, -1).flatten(0, 2))
    state.book.begin(torch.cat(found), rng)


def judge(state: VqganState, real: Tensor, drawn: Tensor) -> Tensor:
    """One step of the discriminator."""
    state.critic.requires_grad_(True)
    loss = hinge(state.critic(real), state.critic(drawn))
    descend(state.critic_optimiser, loss)
    return loss


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    if not loss.isfinite():
        raise ArithmeticError("the loss is not finite; lower the rate, or resume from the last checkpoint")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], 1.0)
    optimiser.step()


def set_rates(state: VqganState, config: VqganConfig) -> None:
    falling = (1 - state.step / config.steps) / (1 - config.settle)
    factor = min(1.0, (state.step + 1) / config.warmup, falling)
    for optimiser, rate in ((state.optimiser, config.rate), (state.critic_optimiser, config.rate / 3)):
        for group in optimiser.param_groups:
            group["lr"] = rate * factor


@torch.no_grad()
def follow(average: VQGAN, vqgan: VQGAN, decay: float) -> None:
    """Moves the averaged weights; the codebook is an average already and is taken as it is."""
    for mean, current in zip(average.parameters(), vqgan.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)
    average.codebook.copy_(vqgan.codebook)
