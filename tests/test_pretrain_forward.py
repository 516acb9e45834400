"""The trainer of the feed-forward start on simple pictures: it learns them, goes on alike, and is read back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from clipguide.errors import UserError
from clipguide.models.forward import Forward, ForwardConfig, open_forward, write_forward
from pretrain import stored
from pretrain.data.pair import Pair
from pretrain.data.shards import write_shard
from pretrain.forward import evaluate, examples, retarget, run
from pretrain.forward.components import premultiplied, principal, weights_of
from pretrain.forward.train import RunConfig, blurred, start, train

NETWORK = ForwardConfig("tiny", 16, ("flat", "round"), side=16, components=3, width=32, depth=1)
CONFIG = RunConfig(
    steps=200, batch=8, side=16, components=3, width=32, depth=1, rate=3e-3, warmup=5, clip=0.0, average=0.9
)  # fmt: skip


@pytest.fixture
def pairs():
    """Two texts, red and blue, each in two styles: all of the picture, or its middle alone."""
    pictures = np.zeros((16, 4, 16, 16), np.uint8)
    pictures[:8, 0], pictures[8:, 2] = 220, 220
    pictures[::2, 3], pictures[1::2, 3, 4:12, 4:12] = 255, 255
    pictures[:, 1] = np.arange(16)[:, None, None]  # so that no two are alike
    texts = F.normalize(torch.randn(2, 16, generator=torch.Generator().manual_seed(0)), dim=1).half().numpy()
    return examples.Examples(pictures, texts, [[0]] * 8 + [[1]] * 8, ("flat", "round"), [0, 1] * 8)


@pytest.fixture
def encoder(models):
    return models.encoder("clip-mini")


def test_it_learns_what_a_text_looks_like_in_each_style(pairs, encoder):
    state = start(CONFIG, pairs, "tiny")
    for _ in train(state, pairs, encoder, CONFIG):
        pass
    texts = torch.from_numpy(pairs.texts).float().repeat(2, 1)
    drawn = state.average.cutouts(state.average.weights(texts, torch.tensor([0, 0, 1, 1])))
    red, blue, alpha = drawn[:, 0, 8, 8], drawn[:, 2, 8, 8], drawn[:, 3, 0, 0]
    assert ((red > blue + 0.3) == torch.tensor([True, False, True, False])).all()
    assert ((alpha > 0.5) == torch.tensor([True, True, False, False])).all()


def test_the_dice_choose_style_ground_and_place():
    network = Forward(NETWORK)
    network.mean.view(4, 16, 16)[:, 4:12, 4:12] = 1.0  # a white thing
    dice = torch.tensor([[1, 0, 3, 0, 0, 0, 0, 0], [0, 1, 3, 0, 0, 0, 0, 0], [0, 2, -3, 0, 0, 9, 0, 0.0]])
    asked = []
    network.weights = lambda texts, styles: (asked.append(styles), torch.zeros(len(texts), 3))[1]
    drawn = network(torch.zeros(3, 16), dice)
    assert asked[0].tolist() == [0, 1, 1]
    assert drawn[2, 1, 8, 3] > 0.98 > 0.9 > drawn[2, 1, 8, 11]  # it stands a px further to the left
    assert (drawn[:, :, 8, 8] == 1).all() and torch.equal(drawn[0], drawn[1])
    assert drawn[0, 0, 0, 0] < 0.7 < 0.95 < drawn[2, 0, 0, 0]


def test_the_score_joins_late_and_its_gradient_reaches_the_network(pairs, encoder):
    config = replace(CONFIG, steps=4, clip=1.0, clip_from=0.5)
    state = start(config, pairs, "tiny")
    steps = list(train(state, pairs, encoder, config))
    assert ["clip" in step.losses for step in steps] == [False, False, True, True]
    silent = replace(config, clip=0.0)
    other = start(silent, pairs, "tiny")
    for _ in train(other, pairs, encoder, silent):
        pass
    assert not torch.equal(state.network.read.weight, other.network.read.weight)


def test_components_are_orthogonal_and_draw_the_pictures(pairs):
    mean, components = principal(pairs.pictures, 3)
    weights = weights_of(pairs.pictures, mean, components)
    grams = components @ components.T
    torch.testing.assert_close(grams, grams[0, 0] * torch.eye(3), atol=1e-3, rtol=1e-3)
    assert float(weights.square().sum(1).mean()) == pytest.approx(1, abs=1e-4)
    drawn = mean + weights @ components
    assert (drawn - premultiplied(pairs.pictures).flatten(1)).abs().mean() < 0.01
    with pytest.raises(UserError, match="16 pictures have no 16 components"):
        principal(pairs.pictures, 16)


def test_noise_turns_a_text_and_leaves_its_length():
    texts = F.normalize(torch.randn(64, 512), dim=1)
    turned = blurred(texts, 0.5, torch.Generator().manual_seed(0))
    likeness = (turned * texts).sum(1)
    assert likeness.min() > 0.85 and likeness.max() > 0.99 and turned.norm(dim=1).allclose(torch.ones(64))


def test_a_resumed_run_is_the_same_run(tmp_path, pairs, encoder):
    config = replace(CONFIG, steps=12)
    whole, state = (start(config, pairs, "tiny") for _ in range(2))
    for _ in train(whole, pairs, encoder, config):
        pass
    for step in train(state, pairs, encoder, config):
        if step.index == 7:
            break
    stored.save(tmp_path / "checkpoint.pt", config, state.step, run.parts(state))
    again = start(config, pairs, "tiny")
    again.step = stored.load(tmp_path / "checkpoint.pt", config, run.parts(again))
    for _ in train(again, pairs, encoder, config):
        pass
    for a, b in zip(whole.average.state_dict().values(), again.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(UserError, match="batch was 8, now 4"):
        stored.load(tmp_path / "checkpoint.pt", replace(config, batch=4), run.parts(again))
    with pytest.raises(UserError, match="no checkpoint"):
        stored.load(tmp_path / "nothing.pt", config, run.parts(again))


def test_what_is_written_is_read_back(tmp_path):
    network = Forward(NETWORK)
    network.components.normal_(std=0.1)
    write_forward(tmp_path / "net", network)
    again, texts = open_forward(tmp_path / "net"), F.normalize(torch.randn(3, 16), dim=1)
    dice = torch.randn(3, 8)
    assert again.config == NETWORK and again(texts, dice).shape == (3, 3, NETWORK.side, NETWORK.side)
    assert (again(texts, dice) - network(texts, dice)).abs().max() < 0.01
    (tmp_path / "net" / "config.json").write_text("{}", encoding="utf-8")
    for folder in (tmp_path / "net", tmp_path):
        with pytest.raises(UserError, match="no feed-forward network"):
            open_forward(folder)


def picture(mode, colour, side):
    return Image.new(mode, (side, side // 2), colour)


@pytest.fixture
def sources(monkeypatch):
    """Two pairs to train on, one held out, one that cannot be read."""

    def pair(name, image, **more):
        told = {"en": (name,), "ja": (f"{name} x",), "hi": ("unknown",)}
        return Pair(image, told, name, "emoji", "CC0", name, "flat", ("tag",), **more)

    pairs = [
        ("emoji", pair("red dot", partial(picture, "RGBA", "red"), held="train")),
        ("scenes", pair("sky", partial(picture, "RGB", "blue"), held="train")),
        ("emoji", pair("secret", partial(picture, "RGB", "green"), held="test")),
        ("emoji", pair("damaged", partial(picture, "no mode", "red"), held="train")),
    ]
    monkeypatch.setattr(examples, "collect", lambda names, cache: pairs)
    monkeypatch.setattr(examples, "sprite", lambda pair, source, cache: pair.image(64))  # workers are forked


def test_examples_are_gathered_once(tmp_path, encoder, sources):
    made = examples.gather(tmp_path / "made", ["emoji", "scenes"], tmp_path, encoder, 16)
    assert made.names == ("emoji flat", "scenes") and made.styles == [0, 1] and made.pictures.shape == (2, 4, 16, 16)
    dot, sky = made.pictures
    assert dot[3, 8, 8] == 255 and dot[3, 0, 0] == 0 and dot[0, 8, 8] > 240 and (sky[3] == 255).all()
    assert (sky[2] > 240).all()  # cut to its middle square, with no border
    assert min(map(len, made.captions)) > 4 and len(made.texts) == sum(map(len, made.captions))
    again = examples.gather(tmp_path / "made", ["emoji", "scenes"], tmp_path / "nowhere", encoder, 16)
    assert np.array_equal(again.pictures, made.pictures)
    with pytest.raises(UserError, match="was made for side 16, not 32"):
        examples.gather(tmp_path / "made", ["emoji", "scenes"], tmp_path, encoder, 32)


def test_what_a_pair_can_be_asked_for():
    said = {"en": ("red apple",), "ja": ("赤リンゴ",), "hi": ("लाल सेब",)}
    told = examples.sayings(Pair(lambda side: None, said, "red apple", "emoji", "CC0", "1", tags=("fruit",)))
    assert {"a red apple", "red apple", "an emoji of a red apple", "red apple, fruit", "赤リンゴ"} <= set(told)
    assert "लाल सेब" not in told  # clip-mini does not read it
    assert len(told) == len(set(told))


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("batch", 0), ("side", 0), ("clip_from", -1.0)])
def test_impossible_values_are_refused(name, value):
    with pytest.raises(UserError, match=name.replace("_", "-")):
        RunConfig(**{name: value})


def test_the_judge_ranks_what_was_drawn():
    class Sure:
        def encode_text(self, texts):
            return torch.eye(len(texts))

        def encode_image(self, views):
            return torch.eye(8)[[0, 1, 2, 3, 4, 5, 7, 6]]

        size = 32

    figures = evaluate.ranks(Sure(), torch.rand(8, 3, 32, 32), [str(n) for n in range(8)])
    assert figures == {"texts": 8.0, "top 1": 0.75, "top 5": 1.0, "top 5 by chance": 0.625}


def test_a_run_leaves_a_network_a_checkpoint_and_a_sheet(tmp_path, pairs, encoder):
    config = replace(CONFIG, steps=2)
    run.run(start(config, pairs, "tiny"), pairs, encoder, config, tmp_path, save_every=1e9)
    assert open_forward(tmp_path / "forward").config == NETWORK
    assert (tmp_path / "checkpoint.pt").is_file()
    with Image.open(tmp_path / "sheets" / "000002.png") as sheet:
        assert sheet.width > sheet.height > 7 * 128  # eight throws of twelve texts


def test_retargeted_it_draws_the_same_from_the_turned_embeddings_of_another_clip():
    torch.manual_seed(0)
    network, old, dice = Forward(NETWORK).eval(), F.normalize(torch.randn(400, 16), dim=1), torch.randn(400, 8)
    network.components.normal_(std=0.1)
    new = F.normalize(old @ torch.linalg.qr(torch.randn(24, 24))[0][:16], dim=1)  # 24 numbers instead of 16
    map_, likeness = retarget.fitted(new, old)
    other = retarget.retargeted(network, map_, "other")
    assert likeness > 0.999 and (other.config.clip, other.config.embedding) == ("other", 24)
    with torch.no_grad():
        torch.testing.assert_close(other(new, dice), network(old, dice), atol=0.01, rtol=0)


def test_retarget_wants_captions(tmp_path):
    (tmp_path / "a").mkdir()
    told = {"captions": ["a fox", "a red fox"], "concept": "fox"}
    write_shard(tmp_path / "a/x-00000.tar", [("fox", Image.new("RGB", (8, 8)), told)])
    with pytest.raises(UserError, match="has 2 captions"):
        retarget.captions(tmp_path / "a")
