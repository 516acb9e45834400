"""Runs that break off: what they leave, and what they tell."""

import tarfile
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
import torch
from tiny_clip import CONFIG, inputs, tiny
from tiny_run import BERT, FAST, RESNET, add, make_shards, make_start

from clipguide.models.clip import build_network
from pretrain import checkpoint, cli, run
from pretrain.feed import Feed
from pretrain.pairs import Pairs
from pretrain.state import Inputs, NotFinite, TrainConfig, start
from pretrain.train import train


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Trains in an empty folder with good shards and a start of a ResNet or a ViT -> exit code."""
    make_shards(tmp_path / "shards")
    make_start(tmp_path / "resnet", RESNET)
    make_start(tmp_path / "vit")
    monkeypatch.chdir(tmp_path)
    common = ["train", "--shards", "shards", "--out", "out", *FAST, "--steps", "6", "--warmup", "0", "--start"]
    return lambda first, *words: cli.main([*common, first, *words])


def broken_off(shards_folder):
    """A shard whose pictures cannot be read, beside good ones."""
    with tarfile.open(shards_folder / "002.tar", "w") as shard:
        for key in "ab":
            add(shard, f"{key}.png", b"no picture")
            add(shard, f"{key}.json", b'{"captions": ["red"], "concept": "red"}')


def all_state(state):
    return {name: tensor.clone() for name, tensor in state.model.state_dict().items()}


def test_a_step_that_is_not_finite_leaves_statistics_and_bank_as_they_were():
    torch.manual_seed(0)
    model = build_network(RESNET, BERT)
    config = TrainConfig(steps=3, batch=4, sizes=(32,), bank=8, frozen_norms=False)
    state = start(model, config)
    cached = replace(inputs(model), tokenise=None, cache=lambda texts: torch.ones(len(texts), 16))
    good = Pairs(torch.full((4, 3, 32, 32), 99, dtype=torch.uint8), tuple("abcd"), tuple("abcd"))
    next(train(state, iter([good]), config, cached))
    before, concepts = all_state(state), list(state.bank.concepts)
    given = Inputs(None, lambda images: images * torch.nan, cached.cache)
    with pytest.raises(NotFinite):
        next(train(state, iter([replace(good, concepts=tuple("efgh"))]), config, given))
    assert state.bank.concepts == concepts == list("abcd") and len(state.bank.vectors) == 4
    assert all(torch.equal(before[name], tensor) for name, tensor in state.model.state_dict().items())


def test_a_run_that_is_not_finite_stops_with_its_batch_and_the_state_before(call, tmp_path, monkeypatch, capsys):
    whole = run.make_inputs

    def spoilt(begun, config):
        given, seen = whole(begun, config), []
        return replace(given, normalise=lambda images: seen.append(1) or given.normalise(images) / (len(seen) < 3))

    monkeypatch.setattr(run, "make_inputs", spoilt)
    broken_off(tmp_path / "shards")
    assert call("resnet", "--no-frozen-norms", "--save-every", "1e9") == 2
    told = capsys.readouterr()
    message = told.err.splitlines()[-1]
    assert (
        "step 2: the loss" in message and "(out/bad_batch.pt); out/checkpoint.pt holds the state before it" in message
    )
    assert "without a readable picture" in told.out
    kept, batch = checkpoint.read("out/checkpoint.pt"), torch.load("out/bad_batch.pt", weights_only=True)
    assert kept["step"] == 2 and all(tensor.isfinite().all() for tensor in kept["model"].values())
    assert kept["model"]["visual.bn1.num_batches_tracked"] == 2
    assert batch["images"].shape == (4, 3, 128, 128) and len(batch["texts"]) == len(batch["concepts"]) == 4


def test_weights_that_are_not_finite_are_not_saved(call, monkeypatch, capsys):
    whole = run.train

    def spoilt(state, *rest):
        for step in whole(state, *rest):
            if step.index == 2:
                state.model.visual.proj.data[0, 0] = torch.inf
            yield step

    monkeypatch.setattr(run, "train", spoilt)
    assert call("vit", "--save-every", "1e9") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == "the weights after step 2 are not finite; lower the rate; no checkpoint is there"
    assert call("vit", "--save-every", "0") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.endswith("lower the rate; out/checkpoint.pt is of an earlier step")
    assert checkpoint.read("out/checkpoint.pt")["step"] == 1


def test_saving_what_is_not_finite_keeps_the_old_file(tmp_path):
    state = start(tiny(), CONFIG)
    assert checkpoint.save(tmp_path / "c.pt", state, CONFIG)
    before = (tmp_path / "c.pt").read_bytes()
    with torch.no_grad():
        state.model.visual.proj[0, 0] = torch.inf
    assert not checkpoint.save(tmp_path / "c.pt", state, CONFIG)
    assert (tmp_path / "c.pt").read_bytes() == before


def test_ctrl_c_tells_what_was_skipped(call, tmp_path, monkeypatch, capsys):
    whole = run.train

    def broken(*arguments):
        yield from islice(whole(*arguments), 5)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train", broken)
    broken_off(tmp_path / "shards")
    assert call("vit") == 130
    assert "without a readable picture" in capsys.readouterr().out


def test_a_damaged_shard_is_counted_once(tmp_path):
    folder = make_shards(tmp_path / "shards")
    (folder / "003.tar").write_bytes(b"no archive at all" * 99)
    feed = Feed(folder, 4, seed=0)
    list(islice(feed, 16))  # three epochs
    assert feed.skipped == Counter({"damaged shard 003.tar (ReadError)": 1})


def test_every_process_names_what_it_skipped(tmp_path, capsys):
    feed = Feed(make_shards(tmp_path / "shards"), 4, seed=0, rank=1, ranks=2)
    feed.skipped["without a caption"] = 3
    run._tell_skipped(feed)
    assert capsys.readouterr().out == "skipped by process 1: 3 without a caption\n"
