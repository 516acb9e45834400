"""Checkpoints by name: where they lie, that they are whole, and how a trained one is bundled."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from doubles import TinyModels, tiny_checkpoints

from clipguide import inventory, weights
from clipguide.cli import main
from clipguide.errors import UserError
from pretrain.bundle import bundle

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """A copy of the tiny checkpoints in the place of the bundled ones."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(tiny_checkpoints(), folder)
    monkeypatch.setattr(weights, "checkpoints_folder", lambda: folder)
    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))
    return folder


def test_list_says_where_every_network_lies(checkpoints, capsys):
    assert main(["models", "list", "clip-mini", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "clip-mini" and row["place"] == str(checkpoints / "clip-mini")
    assert row["bytes"] == sum(path.stat().st_size for path in (checkpoints / "clip-mini").iterdir())
    assert row["files"][WEIGHTS] == weights.sha256(checkpoints / "clip-mini" / WEIGHTS)
    assert main(["models"]) == 0
    assert row["files"][WEIGHTS] in capsys.readouterr().out


def test_verify_finds_what_is_damaged_and_what_is_missing(checkpoints, capsys):
    assert main(["models", "verify"]) == 0
    assert "clip-mini: every file has its sha256" in capsys.readouterr().out
    (checkpoints / "clip-mini" / "tokenizer.json").unlink()
    path = checkpoints / "clip-mini" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert main(["models", "verify", "clip-mini"]) == 1
    said = capsys.readouterr().out
    assert "tokenizer.json is missing" in said and f"{WEIGHTS} is damaged" in said


def test_a_kept_network_whose_file_is_gone_is_listed_and_told_apart_from_a_bundled_one(checkpoints, tmp_path, capsys):
    place = weights.keep("mine", "restyler", "restyles", {"a.bin": b"abc", "b.bin": b"de"})
    (place / "a.bin").unlink()
    (checkpoints / "clip-mini" / "tokenizer.json").unlink()
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert f"{'mine':<14} {'restyler':<6} {'missing':>12}" in said and "a.bin  missing\n" in said and "b.bin\n" in said
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mine"]["missing"] == ["a.bin"] and rows["mine"]["bytes"] == 2 and rows["tiny-resnet"]["missing"] == []
    assert main(["models", "verify", "mine", "clip-mini"]) == 1
    said = capsys.readouterr().out
    assert "a.bin is missing; train it again" in said and "tokenizer.json is missing; install clipguide again" in said
    with pytest.raises(UserError, match="a.bin is missing; train it again"):
        weights.Models("cpu").checkpoint("mine", "restyler")


def test_a_damaged_list_of_kept_networks_is_the_users_to_mend(checkpoints, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for damage in (b"[mine", b"mine = 3", b"\xff"):
        (tmp_path / "data" / "manifest.toml").write_bytes(damage)
        assert main(["models"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "mend it, or delete it" in said and "install" not in said


def test_verify_looks_at_a_shared_text_tower_too(checkpoints):
    config = checkpoints / "tiny-resnet" / "open_clip_config.json"
    told = json.loads(config.read_text())
    told["model_cfg"]["text_cfg"]["tower_of"] = "clip-mini"
    config.write_text(json.dumps(told))
    sharing = replace(weights.known()["tiny-resnet"], files={})
    assert inventory.faults(sharing) == []
    (checkpoints / "clip-mini" / "tokenizer.json").write_text("{}")
    assert "clip-mini/tokenizer.json is damaged" in inventory.faults(sharing)[0]
    (checkpoints / "clip-mini" / "tokenizer.json").unlink()
    assert "put that CLIP's folder beside it" in inventory.faults(sharing)[0]


def test_a_trained_clip_is_bundled_with_its_digests(checkpoints, tmp_path, capsys):
    trained = tmp_path / "trained"
    shutil.copytree(checkpoints / "clip-mini", trained)
    shutil.copy(checkpoints / "tiny-resnet" / WEIGHTS, trained / WEIGHTS)
    (trained / "README.md").write_text("a card")
    before = (checkpoints / "manifest.toml").read_text()
    (checkpoints / "manifest.toml").write_text("# kept\n" + before)
    bundle(trained, "clip-mini", checkpoints)
    after = (checkpoints / "manifest.toml").read_text()
    assert after.startswith("# kept\n") and after.count("[tiny-resnet]") == 1
    assert weights.read_manifest(checkpoints)["clip-mini"].files[WEIGHTS] == weights.sha256(trained / WEIGHTS)
    other = weights.read_manifest(tiny_checkpoints())["tiny-resnet"]
    assert weights.read_manifest(checkpoints)["tiny-resnet"] == replace(other, folder=checkpoints / "tiny-resnet")
    assert main(["models", "verify"]) == 0
    with pytest.raises(UserError, match="bundles no 'clip-maxi'"):
        bundle(trained, "clip-maxi", checkpoints)


def test_judges_have_weights():
    judges = TinyModels().judges("clip-mini,tiny-resnet:0.5")
    assert [(judge.encoder.name, judge.weight) for judge in judges] == [("clip-mini", 1.0), ("tiny-resnet", 0.5)]


@pytest.mark.parametrize("names", ["clip-mini:0", "clip-mini:-1"])
def test_a_judge_weighs_something(names):
    with pytest.raises(UserError, match="must be above 0"):
        TinyModels().judges(names)


def test_a_network_is_opened_once():
    models = TinyModels()
    assert models.encoder("clip-mini") is models.encoder("clip-mini")
