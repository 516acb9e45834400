"""Contrastive training of CLIP: one generator, from a state and batches to steps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from pretrain import processes, sharding
from pretrain.pairs import Pairs
from pretrain.schedule import warmup_cosine
from pretrain.state import Inputs, NotFinite, TrainConfig, TrainState, TrainStep, is_still, part_of
from pretrain.step import backward


def train(state: TrainState, batches: Iterable[Pairs], config: TrainConfig, inputs: Inputs) -> Iterator[TrainStep]:
    """Updates `state` in place, one batch a step, from `state.step` to `config.steps`; yields after each update.

    The caller may save the state at any yield. Errors: NotFinite, with the state as before the step.
    """
    state.model.train(not config.frozen_norms)
    began = time.perf_counter()
    for pairs in batches:
        if state.step >= config.steps:
            return
        _set_rates(state, config)
        state.optimiser.zero_grad(set_to_none=True)
        bank, buffers = replace(state.bank), [buffer.clone() for buffer in state.model.buffers()]
        losses = backward(state, pairs, config, inputs)
        trained = [p for group in state.optimiser.param_groups for p in group["params"]]
        processes.average_gradients(p for p in trained if not sharding.is_sharded(p))  # FSDP2 did the others
        gradient = sharding.clip_gradients(trained, config.clip_norm)
        if not (losses.pop("total").isfinite() and gradient.isfinite()):
            state.bank = bank
            for buffer, before in zip(state.model.buffers(), buffers, strict=True):
                buffer.copy_(before)  # the statistics of batch norms
            raise NotFinite(state.step, pairs)
        state.optimiser.step()
        _after(state, config)
        now = time.perf_counter()
        speed, began = len(pairs) * processes.count() / (now - began), now
        values = {name: value.item() for name, value in losses.items()}
        yield TrainStep(state.step, config.steps, values, state.model.logit_scale.exp().item(), gradient.item(), speed)
        if state.step >= config.steps:
            return


def _set_rates(state: TrainState, config: TrainConfig) -> None:
    factor = warmup_cosine(state.step, config.steps, config.warmup, floor=0.01)
    late = config.heads_first
    tower = warmup_cosine(state.step - late, config.steps - late, config.warmup, floor=0.01)
    for group in state.optimiser.param_groups:
        group["lr"] = config.head_lr * factor if group["head"] else config.lr * tower * (state.step >= late)
    for name, parameter in state.model.named_parameters():
        if part_of(name) == "image":
            moves = state.step >= late and not config.lock_image and not is_still(name, config)
            parameter.requires_grad_(moves)


def _after(state: TrainState, config: TrainConfig) -> None:
    state.step += 1
    decay = min(config.ema, state.step / (state.step + 10))
    with torch.no_grad():
        state.model.logit_scale.clamp_(max=torch.tensor(config.max_scale).log())
        current = dict(state.model.named_parameters())
        for name, mean in state.average.items():
            mean.lerp_(current[name], 1 - decay)
