"""Checkpoints by name: where they lie, that they are whole, and how a trained one is bundled."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from doubles import TinyModels, tiny_checkpoints

from clipguide import weights
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


def test_verify_looks_at_a_shared_text_tower_too(checkpoints):
    config = checkpoints / "tiny-resnet" / "open_clip_config.json"
    told = json.loads(config.read_text())
    told["model_cfg"]["text_cfg"]["tower_of"] = "clip-mini"
    config.write_text(json.dumps(told))
    sharing = replace(weights.known()["tiny-resnet"], files={})
    assert weights.faults(sharing) == []
    (checkpoints / "clip-mini" / "tokenizer.json").write_text("{}")
    assert "clip-mini/tokenizer.json is damaged" in weights.faults(sharing)[0]
    (checkpoints / "clip-mini" / "tokenizer.json").unlink()
    assert "put that CLIP's folder beside it" in weights.faults(sharing)[0]


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
