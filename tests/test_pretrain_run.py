"""From shards to a CLIP folder by the commands alone, on a tiny CLIP."""

import tarfile
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import torch
from tiny_run import BERT, COLOURS, FAST, RESNET, add, make_shards, make_start

from clipguide.errors import UserError
from clipguide.models.clip import build_network, open_folder
from clipguide.models.fold import fold_norms, unfolded
from pretrain import cli
from pretrain.align import pink_pictures, ridge
from pretrain.evaluate.retrieval import recall
from pretrain.feed import Feed, mixed, samples


@pytest.fixture
def shards(tmp_path):
    return make_shards(tmp_path / "shards")


@pytest.fixture
def begin(tmp_path):
    return make_start(tmp_path / "start")


def call(*arguments):
    return cli.main([str(argument) for argument in arguments])


def weights(folder):
    return (Path(folder) / "open_clip_model.safetensors").read_bytes()


def test_a_run_looks_at_held_out_pairs_now_and_then(shards, begin, tmp_path, capfd):
    words = ["--shards", str(shards), "--start", str(begin), "--out", str(tmp_path / "run"), "--steps", "2", *FAST]
    assert cli.main(["train", *words, "--validation", str(shards), "--validate-every", "2"]) == 0
    (line,) = [line for line in capfd.readouterr().out.splitlines() if "held-out" in line]
    assert line.startswith("step 2: R@1 of 20 held-out pairs") and 0 <= float(line.split()[-1]) <= 1


def test_twenty_steps_then_the_folder_opens_and_knows_its_colours(shards, begin, tmp_path, capsys):
    out, run = tmp_path / "clip", tmp_path / "run"
    steps = ["--steps", 20, "--warmup", 2, "--radius", 0.5, "--radius-ramp", 5, "--ema", 0.5]
    assert call("train", "--shards", shards, "--start", begin, "--out", run, *FAST, *steps) == 0
    assert call("export", "--run", run, "--out", out) == 0
    opened = open_folder(out)
    colours = torch.tensor(list(COLOURS.values())).float()[:, :, None, None].expand(-1, -1, 32, 32) / 255
    with torch.no_grad():
        image = opened.model.encode_image((colours - 0.5) / 0.5)
        text = opened.model.encode_text(opened.tokenise(list(COLOURS)))
    assert (image @ text.T).argmax(1).tolist() == [0, 1, 2, 3]
    assert list((run / "log").iterdir()) and weights(out) != weights(begin)


def test_an_interrupted_run_goes_on_to_the_same_weights(shards, begin, tmp_path, monkeypatch):
    common = ["--shards", shards, "--start", begin, *FAST, "--steps", 6, "--warmup", 1, "--save-every", 0]
    assert call("train", "--out", tmp_path / "whole", *common) == 0
    kill_after(monkeypatch, 3)
    assert call("train", "--out", tmp_path / "broken", *common) == 130
    monkeypatch.undo()
    assert call("train", "--out", tmp_path / "broken", "--resume", *common) == 0
    for name in ("whole", "broken"):
        call("export", "--run", tmp_path / name, "--out", tmp_path / f"{name}-clip")
    assert weights(tmp_path / "whole-clip") == weights(tmp_path / "broken-clip")


def kill_after(monkeypatch, steps):
    from pretrain import run

    whole = run.train

    def broken(*arguments):
        yield from islice(whole(*arguments), steps)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train", broken)


def test_export_can_keep_less_of_the_training(shards, begin, tmp_path):
    call("train", "--shards", shards, "--start", begin, "--out", tmp_path / "run", *FAST, "--steps", 3)
    call("export", "--run", tmp_path / "run", "--out", tmp_path / "none", "--keep", 0)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before, after = (open_folder(f).model.encode_image(images) for f in (begin, tmp_path / "none"))
    assert torch.allclose(before, after, atol=2e-2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["export", "--run", "OUT", "--out", "OUT"], "there is no checkpoint"),
        (["conquer"], "no command 'conquer'"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, message):
    real = {"OUT": tmp_path / "out"}
    assert call(*(real.get(a, a) for a in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_kept_clip_is_opened_by_its_name(begin, tmp_path, monkeypatch, capsys):
    import clipguide

    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))
    assert call("keep", begin, "tiny") == 0 and "--clip tiny" in capsys.readouterr().out
    assert clipguide.load_encoder("tiny", "cpu").size == 32
    for folder, name, message in ((begin, "clip-mini", "cannot name"), (tmp_path, "none", "cannot be read")):
        assert call("keep", folder, name) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1


def test_a_second_run_does_not_overwrite_the_first(shards, begin, tmp_path, capsys):
    common = ["train", "--shards", shards, "--start", begin, "--out", tmp_path / "run", *FAST, "--steps", 1]
    assert call(*common) == 0 and call(*common) == 2
    assert "add --resume" in capsys.readouterr().err


# feed


def told(pairs):
    return [(batch.texts, batch.images.sum().item()) for batch in pairs]


def test_feed_is_the_same_for_a_seed_and_resumes_where_it_was(shards):
    whole = told(islice(Feed(shards, 4, seed=1), 12))
    assert whole == told(islice(Feed(shards, 4, seed=1), 12)) != told(islice(Feed(shards, 4, seed=2), 12))
    assert whole[5:] == told(islice(Feed(shards, 4, seed=1, skip=20), 7))
    assert {text.split()[0] for texts, _ in whole for text in texts} == set(COLOURS)


def test_feeds_of_two_ranks_share_the_samples(shards):
    whole = [t for batch in islice(Feed(shards, 4, seed=1), 4) for t in zip(batch.texts, batch.concepts, strict=True)]
    parts = [
        [
            t
            for batch in islice(Feed(shards, 4, seed=1, rank=r, ranks=2), 2)
            for t in zip(batch.texts, batch.concepts, strict=True)
        ]
        for r in range(2)
    ]
    assert [t for both in zip(*parts, strict=True) for t in both] == whole


def test_bad_samples_and_shards_are_skipped_and_counted(shards):
    with tarfile.open(shards / "002.tar", "w") as shard:
        add(shard, "a.png", b"no picture")
        add(shard, "a.json", b'{"captions": ["red"], "concept": "red"}')
        add(shard, "b.json", b'{"captions": [], "concept": "red"}')
        add(shard, "c.json", b'{"captions": [null], "concept": "red"}')
    (shards / "003.tar").write_bytes(b"no archive at all" * 99)
    feed = Feed(shards, 4, seed=0)
    seen = list(islice(feed, 6))
    assert len(seen) == 6
    assert set(feed.skipped) == {
        "without a readable picture",
        "without a caption",
        "damaged shard 003.tar (ReadError)",
    }


def test_a_bad_sample_moves_no_other_and_a_resumed_feed_goes_on(shards):
    with tarfile.open(shards / "002.tar", "w") as shard:
        add(shard, "a.json", b'{"captions": ["red"], "concept": "red"}')
    whole = told(islice(Feed(shards, 4, seed=1), 9))
    assert all(len(texts) == 4 for texts, _ in whole)
    assert whole[6:] == told(islice(Feed(shards, 4, seed=1, skip=24), 3))


def test_shards_without_a_readable_sample_end_the_feed(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w"):
        pass
    with pytest.raises(UserError, match="without one readable sample"):
        next(iter(Feed(tmp_path, 2, seed=0)))


def test_mixing_keeps_every_item_and_samples_come_in_order(shards):
    import random

    assert sorted(mixed(range(50), 8, random.Random(0))) == list(range(50))
    assert list(mixed(range(50), 8, random.Random(0))) != list(range(50))
    assert len(list(samples(sorted(shards.glob("*.tar")), Counter()))) == 20


# parts


def test_folding_norms_changes_nothing_and_can_be_undone():
    torch.manual_seed(1)
    tower = build_network(RESNET, BERT).eval().visual
    for norm in tower.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.running_mean), torch.nn.init.uniform_(norm.running_var, 0.5, 2)
            torch.nn.init.uniform_(norm.weight, 0.5, 2), torch.nn.init.uniform_(norm.bias)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before = tower(images)
        pairs = fold_norms(tower)
        assert pairs and not any(isinstance(m, torch.nn.BatchNorm2d) for m in tower.modules())
        assert torch.allclose(tower(images), before, atol=1e-5)
        again = build_network(RESNET, BERT).eval().visual
        again.load_state_dict(unfolded(tower.state_dict(), pairs, 1e-5))
        assert torch.allclose(again(images), before, atol=1e-5)


def test_ridge_finds_a_linear_map():
    rng = torch.Generator().manual_seed(0)
    inputs, truth = torch.randn(50, 5, generator=rng), torch.randn(3, 5, generator=rng)
    assert torch.allclose(ridge(inputs, inputs @ truth.T, 1e-6), truth, atol=1e-4)
    assert ridge(inputs, inputs @ truth.T, 1e6).norm() < 0.01 * truth.norm()


def test_pink_pictures_are_smoother_than_noise():
    pictures = pink_pictures(8, 32, torch.Generator().manual_seed(0))
    assert pictures.shape == (8, 3, 32, 32) and pictures.min() >= 0 and pictures.max() <= 1
    assert pictures.diff(dim=-1).square().mean() < 0.5 * pictures.var()


def test_recall_counts_ties_against_the_query():
    fits = torch.eye(4, dtype=torch.bool)
    assert recall(torch.eye(4), torch.eye(4), fits, (1,)) == {1: 1.0}
    equal = torch.ones(4, 1)
    assert recall(equal, equal, fits, (1, 5)) == {1: 0.0, 5: 1.0}
    fits[3] = False
    swapped = torch.eye(4)[[1, 0, 2, 3]]
    assert recall(swapped, torch.eye(4), fits, (1, 2))[1] == pytest.approx(1 / 3)
