"""The trainer of the feed-forward start on pictures of one colour: it learns them, goes on alike, and is read back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from clipguide.errors import UserError
from clipguide.models.forward import Forward, ForwardConfig, open_forward, write_forward
from pretrain import stored
from pretrain.data.shards import write_shard
from pretrain.forward import evaluate, examples, retarget, run
from pretrain.forward.train import RunConfig, nearest, start, train

NETWORK = ForwardConfig(clip="tiny", embedding=16, dice=8, widths=(16, 16, 16, 8), style=32)
CONFIG = RunConfig(steps=80, batch=8, rate=3e-3, warmup=5, clip=0.0, average=0.9)


@pytest.fixture
def pairs():
    """Two texts, each with red or with blue pictures."""
    pictures = np.zeros((16, 3, 32, 32), np.uint8)
    pictures[:8, 0], pictures[8:, 2] = 220, 220
    texts = F.normalize(torch.randn(2, 16, generator=torch.Generator().manual_seed(0)), dim=1).half().numpy()
    return examples.Examples(pictures, texts, [[0]] * 8 + [[1]] * 8, [0, 1, 8, 9])


@pytest.fixture
def encoder(models):
    return models.encoder("clip-mini")


def test_it_learns_what_colour_a_text_has(pairs, encoder):
    state = start(CONFIG, NETWORK)
    for _ in train(state, pairs, encoder, CONFIG):
        pass
    drawn = state.average(torch.from_numpy(pairs.texts).float(), torch.randn(2, 8))
    means = drawn.mean((2, 3))
    assert means[0, 0] > means[0, 2] + 0.3 and means[1, 2] > means[1, 0] + 0.3


def test_the_score_joins_late_and_its_gradient_reaches_the_network(pairs, encoder):
    config = replace(CONFIG, steps=4, clip=1.0, clip_from=0.5)
    state = start(config, NETWORK)
    steps = list(train(state, pairs, encoder, config))
    assert ["clip" in step.losses for step in steps] == [False, False, True, True]
    silent = start(replace(config, clip=0.0), NETWORK)
    for _ in train(silent, pairs, encoder, replace(config, clip=0.0)):
        pass
    assert not torch.equal(state.network.last.weight, silent.network.last.weight)


def test_the_nearest_of_several_throws_learns(pairs):
    network = Forward(NETWORK)
    pictures, texts = pairs.draw(4, 0.0, torch.Generator().manual_seed(1))

    def gap(tries):
        dice = nearest(network, pictures, texts, tries, torch.Generator().manual_seed(2))
        return F.mse_loss(F.avg_pool2d(network(texts, dice), 8), F.avg_pool2d(pictures, 8))

    assert gap(16) < gap(1)


def test_scenes_have_their_share(pairs):
    pictures, _ = pairs.draw(64, 1.0, torch.Generator().manual_seed(0))
    assert pictures.shape == (64, 3, 32, 32) and float(pictures.max()) <= 1
    few = replace(pairs, whole=[15])
    pictures, _ = few.draw(64, 1.0, torch.Generator().manual_seed(0))
    assert (pictures[:, 2] > 0.8).all()


def test_a_resumed_run_is_the_same_run(tmp_path, pairs, encoder):
    config = replace(CONFIG, steps=12)
    whole, state = start(config, NETWORK), start(config, NETWORK)
    for _ in train(whole, pairs, encoder, config):
        pass
    for step in train(state, pairs, encoder, config):
        if step.index == 7:
            break
    stored.save(tmp_path / "checkpoint.pt", config, state.step, run.parts(state))
    again = start(config, NETWORK)
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
    write_forward(tmp_path / "net", network)
    again, texts = open_forward(tmp_path / "net"), F.normalize(torch.randn(3, 16), dim=1)
    dice = torch.randn(3, 8)
    assert again.config == NETWORK and again(texts, dice).shape == (3, 3, NETWORK.side, NETWORK.side)
    assert (again(texts, dice) - network(texts, dice)).abs().max() < 0.01
    (tmp_path / "net" / "config.json").write_text("{}", encoding="utf-8")
    for folder in (tmp_path / "net", tmp_path):
        with pytest.raises(UserError, match="no feed-forward network"):
            open_forward(folder)


def test_examples_are_gathered_once(tmp_path, encoder):
    def told(caption, source):
        return {"captions": [caption, f"a drawing of {caption}"], "concept": caption, "source": source}

    red, blue = Image.new("RGB", (48, 48), "red"), Image.new("RGB", (48, 48), "blue")
    write_shard(tmp_path / "shards" / "a-0.tar", [("1", red, told("red", "emoji")), ("2", blue, told("sky", "scenes"))])
    made = examples.gather(tmp_path / "made", [tmp_path / "shards"], encoder, 32)
    assert made.whole == [1] and made.captions == [[0, 1], [2, 3]] and made.texts.shape[0] == 4
    assert made.pictures[0, 0].min() > 240 and made.pictures[1, 2].min() > 240
    again = examples.gather(tmp_path / "made", [tmp_path / "nowhere"], encoder, 32)
    assert np.array_equal(again.pictures, made.pictures)
    with pytest.raises(UserError, match="was made for"):
        examples.gather(tmp_path / "made", [], encoder, 64)


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("batch", 0), ("scenes", 2.0), ("clip_from", -1.0)])
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
    run.run(start(config, NETWORK), pairs, encoder, config, tmp_path, save_every=1e9)
    assert open_forward(tmp_path / "forward").config == NETWORK
    assert (tmp_path / "checkpoint.pt").is_file()
    with Image.open(tmp_path / "sheets" / "000002.png") as sheet:
        assert sheet.width > 3 * sheet.height > 0


def test_retargeted_it_draws_the_same_from_the_turned_embeddings_of_another_clip():
    torch.manual_seed(0)
    network, old, dice = Forward(NETWORK).eval(), F.normalize(torch.randn(400, 16), dim=1), torch.randn(400, 8)
    new = F.normalize(old @ torch.linalg.qr(torch.randn(24, 24))[0][:16], dim=1)  # 24 numbers instead of 16
    map_, likeness = retarget.fitted(new, old)
    other = retarget.retargeted(network, map_, "other")
    assert likeness > 0.999 and (other.config.clip, other.config.embedding) == ("other", 24)
    with torch.no_grad():
        torch.testing.assert_close(other(new, dice), network(old, dice), atol=0.01, rtol=0)


def test_retarget_wants_captions(tmp_path):
    (tmp_path / "a").mkdir()
    write_shard(tmp_path / "a/x-00000.tar", [])
    with pytest.raises(UserError, match="has 0 captions"):
        retarget.captions(tmp_path / "a")
