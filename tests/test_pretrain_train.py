"""The trainer: its losses, its attack, its memory, and that a killed run ends as an unbroken one."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny_clip import BERT, CONFIG, MODEL, batches, inputs, rng, tiny

from clipguide.errors import UserError
from clipguide.models.clip import build_network
from pretrain import checkpoint
from pretrain.augment import may_flip, views
from pretrain.loss import contrastive, distil, sigmoid
from pretrain.pairs import Bank, TextCache, fitting
from pretrain.robust import attack, roughen
from pretrain.schedule import ramp, warmup_cosine
from pretrain.state import NotFinite, start
from pretrain.train import train


def unit(count, width, seed):
    return F.normalize(torch.randn(count, width, generator=rng(seed)))


def run(config, steps=None):
    model = tiny()
    state = start(model, config)
    done = []
    for step in train(state, batches(), config, inputs(model)):
        done.append(step)
        if len(done) == steps:
            break
    return state, done


# losses


def test_contrastive_of_one_to_one_is_cross_entropy():
    image, text = unit(5, 7, 0), unit(5, 7, 1)
    logits, answer = 10 * image @ text.T, torch.arange(5)
    expected = (F.cross_entropy(logits, answer) + F.cross_entropy(logits.T, answer)) / 2
    assert torch.allclose(contrastive(image, text, 10.0), expected)


def test_contrastive_of_equal_features_is_log_of_the_batch():
    same = unit(1, 7, 0).expand(6, 7)
    assert contrastive(same, same, 30.0).item() == pytest.approx(math.log(6), rel=1e-5)


def test_further_positives_are_not_pushed_away():
    image, text = unit(3, 7, 0), unit(3, 7, 1)
    text = torch.cat([text, image[:1]])  # a fourth text that fits the first picture exactly
    alone, told = torch.eye(3, 4, dtype=torch.bool), torch.eye(3, 4, dtype=torch.bool)
    told[0, 3] = True
    assert contrastive(image, text, 10.0, told) < contrastive(image, text, 10.0, alone)


@pytest.mark.parametrize("loss", [contrastive, lambda i, t, s: sigmoid(i, t, s, -10.0)])
def test_losses_fall_when_pairs_agree_and_have_gradients_at_the_optimum(loss):
    image = unit(4, 8, 0).requires_grad_()
    right, wrong = loss(image, image.detach(), 10.0), loss(image, image.detach().flip(0), 10.0)
    assert right < wrong
    (slope,) = torch.autograd.grad(right, image)
    assert slope.isfinite().all()


def test_distil_is_zero_at_the_teacher_only():
    logits = torch.randn(3, 5, generator=rng())
    assert distil(logits, logits).abs() < 1e-6 and distil(logits, -logits) > 0.1


# pictures


def test_attack_stays_within_its_radius_and_hurts_more_than_noise():
    images = 0.25 + 0.5 * torch.rand(4, 3, 8, 8, generator=rng())
    direction = torch.randn(4, 3, 8, 8, generator=rng(1))

    def loss(x):
        return (x * direction).sum()

    for steps in (1, 3):
        moved = attack(images, loss, radius=0.5, steps=steps, rng=rng(2))
        assert moved.min() >= 0 and moved.max() <= 1
        assert (moved - images).flatten(1).norm(dim=1).max() <= 0.5 + 1e-5
        best = 0.5 * direction.flatten(1).norm(dim=1).sum()
        assert loss(moved) - loss(images) > 0.8 * best


def test_views_keep_plain_colour_and_flip_only_where_allowed():
    plain = torch.full((8, 3, 20, 20), 128, dtype=torch.uint8)
    seen = views(plain, 12, rng(), flip=torch.ones(8, dtype=torch.bool))
    assert seen.shape == (8, 3, 12, 12) and (seen - seen.mean((2, 3), keepdim=True)).abs().max() < 1e-5
    half = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    half[..., 8:] = 255
    lighter = views(half, 16, rng(), flip=torch.zeros(64, dtype=torch.bool)).mean((1, 2))  # (64, width)
    assert (lighter[:, -4:].mean(1) >= lighter[:, :4].mean(1)).all()
    free = views(half, 16, rng(), flip=torch.ones(64, dtype=torch.bool)).mean((1, 2))
    assert 16 < (free[:, -4:].mean(1) < free[:, :4].mean(1)).sum() < 48


def test_captions_with_sides_or_signs_are_not_mirrored():
    assert may_flip(["a fox", "a fox on the left", "the letter A", "flag of Chad"]).tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_roughen_is_identity_without_noise_and_blur():
    images = torch.rand(3, 3, 16, 16, generator=rng())
    assert torch.equal(roughen(images, rng(), noise=0, blur=0), images)
    assert (roughen(images, rng(), noise=0, blur=1.0).diff(dim=-1).abs().mean()) < images.diff(dim=-1).abs().mean()


# texts


def test_cache_embeds_each_caption_once_and_forgets_at_its_limit():
    asked = []

    def embed(texts):
        asked.extend(texts)
        return torch.tensor([[float(len(text))] for text in texts])

    cache = TextCache(embed, limit=3)
    assert cache(["a", "bb", "a"]).flatten().tolist() == [1, 2, 1] and asked == ["a", "bb"]
    cache(["a", "ccc"])
    assert asked == ["a", "bb", "ccc"]
    assert cache(["dddd", "a"]).flatten().tolist() == [4, 1] and asked[3:] == ["a", "dddd"]


def test_bank_keeps_the_newest_and_fitting_compares_concepts():
    bank = Bank(3)
    bank.push(torch.tensor([[1.0], [2.0]]), ["a", "b"])
    bank.push(torch.tensor([[3.0], [4.0]]), ["c", "d"])
    assert bank.vectors.flatten().tolist() == [2, 3, 4] and bank.concepts == ["b", "c", "d"]
    assert fitting(["a", "b"], ["b", "c", "a"]).tolist() == [[False, False, True], [True, False, False]]


def test_schedules():
    assert [warmup_cosine(i, 12, 2) for i in (0, 1, 2, 12)] == pytest.approx([0.5, 1, 1, 0])
    assert warmup_cosine(7, 12, 2) == pytest.approx(0.5)
    assert [ramp(i, 2, 4, 0.0, 1.0) for i in (0, 2, 4, 6, 9)] == [0, 0, 0.5, 1, 1]


# training


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
