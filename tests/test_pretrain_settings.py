"""What single settings of a training do: sides, bfloat16, the longest gradient, recomputing, processes, export."""

import io
import json
import tarfile
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
from PIL import Image
from tiny_clip import CONFIG, batches, inputs, tiny
from tiny_run import BERT, FAST, RESNET, add, make_shards, make_start

from clipguide.errors import UserError
from clipguide.models.clip import build_network, open_folder
from pretrain import checkpoint, cli, processes, run, step
from pretrain.feed import decode_side
from pretrain.state import start
from pretrain.train import train

TEXT = {"layers": 1, "width": 16, "heads": 2, "vocab_size": 20, "context_length": 4}
LARGE = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 224}


def steps_of(config, model=None, given=None):
    model = model or tiny()
    state = start(model, config)
    return list(train(state, batches(), config, given or inputs(model))), state


@pytest.mark.parametrize("sides, side", [((96,), 128), ((96, 112), 128), ((224,), 256), ((112, 336), 384)])
def test_pictures_are_decoded_as_large_as_the_views_need(sides, side):
    assert decode_side(sides) == side


def test_views_of_224_px_show_what_128_px_cannot(tmp_path, monkeypatch):
    """Stripes 3 px wide: decoded at 128 px they are almost plain."""
    stripes = Image.new("L", (252, 252))
    stripes.putdata([255 * (x // 3 % 2) for _ in range(252) for x in range(252)])
    picture = io.BytesIO()
    stripes.convert("RGB").save(picture, "PNG")
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "0.tar", "w") as shard:
        for key in range(4):
            add(shard, f"{key}.png", picture.getvalue())
            add(shard, f"{key}.json", json.dumps({"captions": ["red"], "concept": f"{key}"}).encode())
    make_start(tmp_path / "start", RESNET | {"vision_cfg": LARGE})
    monkeypatch.chdir(tmp_path)
    seen, whole = [], step.views
    monkeypatch.setattr(step, "views", lambda *given, **more: seen.append(given[0]) or whole(*given, **more))
    watched, look = [], run.Watch.recall
    monkeypatch.setattr(run.Watch, "recall", lambda watch, *given: watched.append(watch.images) or look(watch, *given))
    words = ["--shards", "shards", "--start", "start", "--out", "out", *FAST, "--steps", "1", "--sizes", "224"]
    assert cli.main(["train", *words, "--validation", "shards", "--validate-every", "1"]) == 0
    for images in (*seen, *watched):
        assert images.shape == (4, 3, 256, 256) and images.float().std() > 90


def test_training_in_bfloat16_learns_and_differs_in_the_last_digits():
    config = replace(CONFIG, steps=20, radius=0.0)
    (plain, _), (rough, state) = steps_of(config), steps_of(replace(config, bf16=True))
    first, last = rough[0].losses["softmax"], sum(done.losses["softmax"] for done in rough[-5:]) / 5
    assert last < 0.8 * first
    assert 0 < abs(plain[0].losses["softmax"] - first) < 0.05 * first
    assert all(p.dtype == torch.float32 for p in state.model.parameters())


def test_clip_norm_bounds_the_gradient_and_tells_its_length():
    config = replace(CONFIG, steps=1, clip_norm=1e9)
    (free,), _ = steps_of(config)
    (cut,), state = steps_of(replace(config, clip_norm=1e-3))
    assert free.gradient == pytest.approx(cut.gradient) and cut.gradient > 1e-2
    length = torch.stack([p.grad.norm() for p in state.model.parameters() if p.grad is not None]).norm()
    assert length.item() == pytest.approx(1e-3, rel=1e-3)


def towers(vision):
    torch.manual_seed(0)
    return build_network({"embed_dim": 8, "vision_cfg": vision, "text_cfg": TEXT})


def test_checkpointing_recomputes_both_towers_to_the_same_gradient():
    vision = {"layers": 2, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 16}
    config, found = replace(CONFIG, steps=1, lock_text=False, bank=0, radius=0.0), []
    for on in (False, True):
        model = towers(vision)
        given = replace(
            inputs(tiny()), cache=None, tokenise=lambda texts: torch.arange(4 * len(texts)).view(-1, 4) % 20
        )
        _, state = steps_of(replace(config, checkpointing=on), model, given)
        assert model.visual.transformer.grad_checkpointing == model.transformer.grad_checkpointing == on
        found.append({name: p.grad for name, p in state.model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-6) for name in found[0])


def test_a_locked_text_tower_is_not_recomputed_and_a_resnet_cannot_be():
    vision = {"layers": 1, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 16}
    model = towers(vision)
    start(model, replace(CONFIG, checkpointing=True))
    assert model.visual.transformer.grad_checkpointing and not model.transformer.grad_checkpointing
    start(tiny(), replace(CONFIG, checkpointing=True, lock_text=False))  # a BERT keeps what it computes
    with pytest.raises(UserError, match="--checkpointing: the image tower of --start"):
        start(towers(RESNET["vision_cfg"]), replace(CONFIG, checkpointing=True))


def test_chunks_are_refused_only_where_live_batch_norms_would_see_them_alone():
    live = replace(CONFIG, chunk=4, frozen_norms=False)
    with pytest.raises(UserError, match="--chunk 4: with --no-frozen-norms"):
        start(build_network(RESNET, BERT), live)
    start(tiny(), live)
    start(build_network(RESNET, BERT), replace(live, chunk=6))  # the whole batch
    start(build_network(RESNET, BERT), replace(live, frozen_norms=True))


def test_all_processes_draw_one_side_and_views_of_their_own(monkeypatch):
    config, drawn = replace(CONFIG, sizes=(8, 16, 24, 32)), {}
    for rank in (0, 1):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)

        def stop(images, size, rng, *, flip, rank=rank):
            drawn.setdefault(rank, []).append((size, rng.get_state()))
            raise KeyboardInterrupt

        monkeypatch.setattr(step, "views", stop)
        for index in range(8):
            state = start(tiny(), config)
            state.step = index
            with pytest.raises(KeyboardInterrupt):
                step.backward(state, next(batches()), config, inputs(state.model))
    assert [size for size, _ in drawn[0]] == [size for size, _ in drawn[1]] and len({s for s, _ in drawn[0]}) > 1
    assert not any(torch.equal(one, two) for (_, one), (_, two) in zip(drawn[0], drawn[1], strict=True))


@pytest.mark.parametrize("device, backend", [("cpu", "gloo"), ("cuda", "nccl"), ("cuda:1", "nccl"), ("mps", "gloo")])
def test_processes_talk_as_their_device_can(monkeypatch, device, backend):
    joined, chosen = [], []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(dist, "init_process_group", joined.append)
    processes.join(device)
    assert joined == [backend] and chosen == ([1] if device == "cuda" else [])


def test_export_writes_the_average_or_with_last_the_last_weights(tmp_path, monkeypatch):
    make_shards(tmp_path / "shards")
    make_start(tmp_path / "start")
    monkeypatch.chdir(tmp_path)
    words = ["--shards", "shards", "--start", "start", "--out", "run", *FAST, "--steps", "3", "--warmup", "0"]
    assert cli.main(["train", *words]) == 0
    for name, more in (("mean", []), ("last", ["--last"])):
        assert cli.main(["export", "--run", "run", "--out", name, *more]) == 0
    kept = checkpoint.read("run/checkpoint.pt")
    for name, weight in (("mean", kept["average"]["visual.proj"]), ("last", kept["model"]["visual.proj"])):
        assert torch.equal(open_folder(tmp_path / name).model.visual.proj, weight.half().float())
    assert not torch.equal(kept["average"]["visual.proj"].half(), kept["model"]["visual.proj"].half())
