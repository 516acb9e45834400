"""Large batches in chunks, and over processes: the same loss and gradient as one batch in one process."""

import math
import os
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tiny_clip import COLOURS, CONFIG, batches, inputs, tiny
from torch import nn

from pretrain import processes, step
from pretrain.loss import contrastive
from pretrain.pairs import Pairs
from pretrain.replay import Replay
from pretrain.state import start

PLAIN = replace(CONFIG, radius=0.0, noise=0.0, blur=0.0, bank=6)


def upright(images, size, rng, *, flip):
    return images.float() / 255


def gradients(config, pairs, cached=True, towers=None):
    model = towers or tiny()
    state = start(model, config)
    given = inputs(model) if cached else replace(inputs(model), cache=None)
    losses = step.backward(state, pairs, config, given)
    processes.average_gradients(model.parameters())
    return losses["total"].item(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}, state


def same(one, other):
    assert one.keys() == other.keys()
    scale = max(gradient.abs().max() for gradient in one.values())  # some are zero in exact arithmetic
    for name in one:
        assert ((one[name] - other[name]).abs().max() / scale) < 1e-5, name


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_chunks_have_the_gradient_of_the_whole_batch(cached, radius):
    config = replace(PLAIN, lock_text=cached, radius=radius, radius_ramp=1, attack_steps=1, heads_first=-1)
    pairs = next(batches())
    whole, expected, _ = gradients(config, pairs, cached)
    loss, found, _ = gradients(replace(config, chunk=4), pairs, cached)
    if radius == 0:  # an attack draws its start chunk by chunk
        assert loss == pytest.approx(whole, rel=1e-6)
        same(expected, found)
    assert math.isfinite(loss) and all(g.isfinite().all() for g in found.values())


def test_replay_repeats_dropout():
    torch.manual_seed(0)
    layer, inputs_ = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), torch.randn(6, 4)
    replay = Replay(layer, inputs_.split(3))
    output = replay.output.detach().clone()
    replay.output.square().sum().backward()
    replay.backward()
    # d/dW of sum(output^2): the kept units of the first pass, doubled, are the ones the gradient must know
    expected = (2 * output * (output != 0) * 2).T @ inputs_
    assert torch.allclose(layer[0].weight.grad, expected, atol=1e-5)


def work(rank, port, folder):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    try:
        step.views = upright
        pairs = next(batches())
        half = slice(3 * rank, 3 * rank + 3)
        part = Pairs(pairs.images[half], pairs.texts[half], pairs.concepts[half])
        for cached in (True, False):
            loss, found, state = gradients(replace(PLAIN, batch=3, lock_text=cached), part, cached)
            torch.save((loss, found, state.bank.concepts), f"{folder}/{rank}{cached}.pt")
    finally:
        dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path, monkeypatch):
    monkeypatch.setattr(step, "views", upright)
    mp.spawn(work, (free_port(), str(tmp_path)), nprocs=2)
    for cached in (True, False):
        whole, expected, state = gradients(replace(PLAIN, lock_text=cached), next(batches()), cached)
        assert state.bank.concepts == (list(COLOURS) if cached else [])
        for rank in range(2):
            loss, found, known = torch.load(tmp_path / f"{rank}{cached}.pt", weights_only=True)
            assert loss == pytest.approx(whole, rel=1e-5) and known == state.bank.concepts
            same(expected, found)


def free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_one_process_gathers_nothing():
    features = torch.rand(2, 3)
    assert processes.gather(features) is features and processes.gather_names(("a", "b")) == ["a", "b"]
    assert (processes.count(), processes.rank()) == (1, 0)


def test_loss_over_all_features_is_the_mean_of_both_directions():
    torch.manual_seed(0)
    image, text = (nn.functional.normalize(torch.randn(4, 8)) for _ in range(2))
    assert contrastive(image, text, 5.0).item() == pytest.approx(contrastive(text, image, 5.0).item(), rel=1e-6)
