"""The trainer: that it learns and moves what it should, and that a killed run ends as an unbroken one."""

from dataclasses import replace

import pytest
import torch
from tiny_clip import BERT, CONFIG, MODEL, batches, inputs, tiny

from clipguide.errors import UserError
from clipguide.models.clip import build_network
from pretrain import checkpoint
from pretrain.state import NotFinite, start
from pretrain.train import train


def run(config, steps=None):
    model = tiny()
    state = start(model, config)
    done = []
    for step in train(state, batches(), config, inputs(model)):
        done.append(step)
        if len(done) == steps:
            break
    return state, done


def test_training_learns_the_colours():
    config = replace(CONFIG, steps=40, radius=0.3)
    state, done = run(config)
    first, last = done[0].losses["softmax"], sum(step.losses["softmax"] for step in done[-5:]) / 5
    assert last < 0.7 * first
    assert state.step == 40 and done[-1].index == 40


def test_a_run_resumed_from_its_checkpoint_is_bit_equal(tmp_path):
    whole, steps = run(CONFIG)
    broken, _ = run(CONFIG, steps=3)
    checkpoint.save(tmp_path / "checkpoint.pt", broken, CONFIG)
    model = tiny()
    state = start(model, CONFIG)
    checkpoint.load(tmp_path / "checkpoint.pt", state, CONFIG)
    rest = list(train(state, batches(skip=3), CONFIG, inputs(model)))
    assert [step.losses for step in rest] == [step.losses for step in steps[3:]]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, state.model.state_dict()[name]), name
    assert all(torch.equal(whole.average[name], state.average[name]) for name in whole.average)


def test_resuming_with_another_config_or_model_is_refused(tmp_path):
    state, _ = run(CONFIG, steps=1)
    checkpoint.save(tmp_path / "c.pt", state, CONFIG)
    with pytest.raises(UserError, match="batch was 6, now 8"):
        checkpoint.load(tmp_path / "c.pt", state, replace(CONFIG, batch=8))
    with pytest.raises(UserError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "none.pt", state, CONFIG)
    (tmp_path / "bad.pt").write_bytes((tmp_path / "c.pt").read_bytes()[:1000])
    with pytest.raises(UserError, match="no readable checkpoint"):
        checkpoint.load(tmp_path / "bad.pt", state, CONFIG)
    other = build_network(MODEL | {"embed_dim": 4}, BERT)
    with pytest.raises(UserError, match="another model"):
        checkpoint.load(tmp_path / "c.pt", start(other, CONFIG), CONFIG)


def test_saving_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    state, _ = run(CONFIG, steps=1)
    path = tmp_path / "c.pt"
    checkpoint.save(path, state, CONFIG)
    before = path.read_bytes()

    def full(stored, temporary):
        temporary.write_bytes(b"half")
        raise OSError("no space")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError):
        checkpoint.save(path, state, CONFIG)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_a_loss_that_is_not_finite_stops_before_the_weights_change():
    model = tiny()
    state = start(model, CONFIG)
    with torch.no_grad():
        model.text.proj.weight[0, 0] = torch.nan
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if "visual" in name}
    with pytest.raises(NotFinite) as caught:
        next(train(state, batches(), CONFIG, inputs(model)))
    assert caught.value.step == 0 and len(caught.value.pairs) == 6
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


def test_locked_text_tower_does_not_move_and_temperature_is_clamped():
    config = replace(CONFIG, max_scale=5.0)
    before = tiny().text.transformer.state_dict()
    state, done = run(config, steps=2)
    assert all(torch.equal(before[name], t) for name, t in state.model.text.transformer.state_dict().items())
    assert done[-1].scale <= 5.0 + 1e-4


def test_a_locked_image_tower_does_not_move_while_its_head_learns():
    config = replace(CONFIG, lock_image=True)
    before = {name: tensor.clone() for name, tensor in tiny().visual.state_dict().items()}
    state, _ = run(config, steps=2)
    moved = {name for name, tensor in state.model.visual.state_dict().items() if not torch.equal(before[name], tensor)}
    assert moved == {"proj"}


def test_stages_that_stay_still_keep_their_weights_while_the_others_move():
    config = replace(CONFIG, still="conv1|resblocks")
    before = {name: tensor.clone() for name, tensor in tiny().visual.state_dict().items()}
    state, _ = run(config, steps=2)
    moved = {name for name, tensor in state.model.visual.state_dict().items() if not torch.equal(before[name], tensor)}
    assert moved and not any("resblocks" in name or "conv1" in name for name in moved)
    assert "ln_post.weight" in moved
    assert not any("conv1" in name for name in state.average)


def test_the_tower_waits_while_heads_learn_first():
    config = replace(CONFIG, heads_first=2)
    before = tiny().visual.state_dict()
    state, _ = run(config, steps=2)
    assert torch.equal(before["conv1.weight"], state.model.visual.conv1.weight)
    state, _ = run(config, steps=3)
    assert not torch.equal(before["conv1.weight"], state.model.visual.conv1.weight)


def test_decay_spares_gains_biases_and_the_temperature():
    state = start(tiny(), CONFIG)
    for group in state.optimiser.param_groups:
        assert all((p.ndim >= 2) == (group["weight_decay"] > 0) for p in group["params"])


def test_a_trained_text_tower_moves(tmp_path):
    config = replace(CONFIG, lock_text=False, bank=0)
    model = tiny()
    before = model.text.transformer.embeddings.word_embeddings.weight.clone()
    state = start(model, config)
    for _ in zip(range(2), train(state, batches(), config, replace(inputs(model), cache=None)), strict=False):
        pass
    assert not torch.equal(before, model.text.transformer.embeddings.word_embeddings.weight)
