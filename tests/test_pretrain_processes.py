"""Large batches in chunks, over processes and in sharded towers: the loss and gradient of one batch in one process."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tiny_clip import COLOURS, CONFIG, batches, inputs, tiny
from tiny_run import FAST, make_shards, make_start
from torch import nn

from clipguide.errors import UserError
from pretrain import checkpoint, processes, sharding, step
from pretrain.loss import contrastive
from pretrain.pairs import Pairs
from pretrain.replay import Replay
from pretrain.state import start
from pretrain.towers import blocks, stacks
from pretrain.train import train

PLAIN = replace(CONFIG, radius=0.0, noise=0.0, blur=0.0, bank=6)


def upright(images, size, rng, *, flip):
    return images.float() / 255


def gradients(config, pairs, cached=True, towers=None):
    model = towers or tiny()
    state = start(model, config)
    given = inputs(model) if cached else replace(inputs(model), cache=None)
    losses = step.backward(state, pairs, config, given)
    processes.average_gradients(p for p in model.parameters() if not sharding.is_sharded(p))
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return losses["total"].item(), sharding.whole(found), state


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


def join(rank, port):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(rank)}
    torch.set_num_threads(1)
    processes.join("cpu")


def work(rank, port, folder):
    join(rank, port)
    try:
        step.views = upright
        pairs = next(batches())
        half = slice(3 * rank, 3 * rank + 3)
        part = Pairs(pairs.images[half], pairs.texts[half], pairs.concepts[half])
        for cached in (True, False):
            loss, found, state = gradients(replace(PLAIN, batch=3, lock_text=cached), part, cached)
            torch.save((loss, found, state.bank.concepts), f"{folder}/{rank}{cached}.pt")
    finally:
        processes.leave()
    assert not [name for name in threads() if "gloo" in name]  # one could abort the process at its end


def threads():
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]  # none but on Linux


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


SHARDED = replace(PLAIN, batch=3, lock_text=False, steps=3, eps=1e-3, warmup=1, bank=0)


def sharded_work(rank, port, folder):
    join(rank, port)
    try:
        step.views = upright
        for chunk, radius in ((0, 0.0), (2, 0.0), (0, 0.5)):
            config = replace(SHARDED, chunk=chunk, radius=radius, radius_ramp=1, heads_first=-1)
            model = sharded_model()
            loss, found, _ = gradients(config, share(rank, next(batches())), False, model)
            if rank == 0:
                torch.save((loss, found), f"{folder}/{chunk}{radius}.pt")
        steps_saved_and_resumed(rank, f"{folder}/c.pt")
    finally:
        processes.leave()


def sharded_model():
    model = tiny()
    sharding.shard(model, text=True)
    assert sum(sharding.is_sharded(p) for p in model.parameters()) > 20
    return model


def steps_saved_and_resumed(rank, path):
    """Two steps, a checkpoint, and the third step by a fresh run that resumes; then its checkpoint."""
    state, parts = start(sharded_model(), SHARDED), (share(rank, pairs) for pairs in batches())
    given = replace(inputs(state.model), cache=None)
    for _ in zip(range(2), train(state, parts, SHARDED, given), strict=False):
        pass
    checkpoint.save(path, state, SHARDED)
    dist.barrier()
    again = start(sharded_model(), SHARDED)
    checkpoint.load(path, again, SHARDED)
    given = replace(inputs(again.model), cache=None)
    for _ in train(again, (share(rank, pairs) for pairs in batches(skip=2)), SHARDED, given):
        pass
    checkpoint.save(path, again, SHARDED)


def share(rank, pairs):
    half = slice(3 * rank, 3 * rank + 3)
    return Pairs(pairs.images[half], pairs.texts[half], pairs.concepts[half])


def test_sharded_towers_have_the_gradient_of_one_process_and_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(step, "views", upright)
    mp.spawn(sharded_work, (free_port(), str(tmp_path)), nprocs=2)
    whole, expected, _ = gradients(replace(SHARDED, batch=6), next(batches()), False)
    for chunk in (0, 2):
        loss, found = torch.load(tmp_path / f"{chunk}0.0.pt", weights_only=True)
        assert loss == pytest.approx(whole, rel=1e-5)
        same(expected, found)
    loss, found = torch.load(tmp_path / "00.5.pt", weights_only=True)  # an attack draws its start in each process
    assert loss > whole and all(gradient.isfinite().all() for gradient in found.values())

    state = start(tiny(), SHARDED)
    done = list(train(state, batches(), SHARDED, replace(inputs(state.model), cache=None)))
    stored = checkpoint.read(tmp_path / "c.pt")
    assert stored["step"] == len(done) == 3
    for name, tensor in state.model.state_dict().items():
        assert torch.allclose(tensor, stored["model"][name], atol=1e-5), name
    for name, tensor in state.average.items():
        assert torch.allclose(tensor, stored["average"][name], atol=1e-5), name
    checkpoint.load(tmp_path / "c.pt", start(tiny(), SHARDED), SHARDED)  # one process goes on with what two began


def test_sharding_needs_several_processes():
    with pytest.raises(UserError, match="torchrun"):
        sharding.shard(tiny(), text=True)


@pytest.mark.slow
def test_torchrun_shards_watches_saves_and_resumes(tmp_path):
    make_shards(tmp_path / "shards")
    make_start(tmp_path / "start")
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    line += [
        "-m",
        "--",
        "pretrain",
        "train",
        "--shards",
        "shards",
        "--start",
        "start",
        "--out",
        "run",
        "--shard",
        *FAST,
    ]
    line += ["--device", "cpu", "--no-lock-text", "--steps", "3", "--validation", "shards", "--validate-every", "1"]
    place = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    for words, step_ in ((["--until", "2"], 2), (["--resume"], 3)):
        done = subprocess.run([*line, *words], cwd=tmp_path, env=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("R@1 of 20 held-out pairs") == (2 if step_ == 2 else 1)
        assert checkpoint.read(tmp_path / "run" / "checkpoint.pt")["step"] == step_


def test_every_tower_has_its_blocks_found():
    from clipguide.models.clip import build_network

    vit = {"layers": 2, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 16}
    text = {"layers": 3, "width": 32, "heads": 2, "vocab_size": 20, "context_length": 4}
    resnet = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 32}
    timm = {"timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32}
    for vision, count in ((vit, 2), (resnet, 4), (timm, 4)):
        model = build_network({"embed_dim": 8, "vision_cfg": vision, "text_cfg": text})
        image, words = stacks(model, text=True)
        assert len(list(blocks(image))) >= count and len(list(blocks(words))) == 3
    assert len(list(blocks(stacks(tiny(), text=True)[1]))) == 1


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
