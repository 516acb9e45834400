"""Weights from a hub, by the client's real code, against a hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hub as doubles
import pytest
from safetensors.torch import save

from clipguide import weights
from clipguide.cli import main
from clipguide.models.clip import build_network, open_name
from clipguide.ops.vision_import import import_torchvision

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
FILE = "someone/tiny-far/open_clip_model.safetensors"
TEMPLATE = "/{repo_id}/resolve/{revision}/{filename}"


@pytest.fixture(scope="module")
def tower() -> bytes:
    return save({name: tensor.contiguous() for name, tensor in build_network(TINY).state_dict().items()})


@pytest.fixture
def hub(tower, tmp_path, monkeypatch):
    """A hub that has the weights of the network "far", which nobody has pulled yet."""
    import_torchvision()
    import open_clip
    import open_clip.pretrained as tags

    (tmp_path / "tiny-far.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "tiny-far.json")
    tag = {"hf_hub": "someone/tiny-far/", "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    monkeypatch.setitem(tags._PRETRAINED, "tiny-far", {"open": tag})
    manifest = (
        '[far]\nkind = "clip"\nlicence = "MIT"\nabout = "tiny"\nsource = "tiny-far/open"\nhub = "someone/tiny-far/"\n'
    )
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights.MANIFEST).write_text(manifest)
    monkeypatch.setattr(weights, "checkpoints_folder", lambda: tmp_path / "checkpoints")
    monkeypatch.setenv("CLIPGUIDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # loopback is no network
    with doubles.running({FILE: tower}) as running:
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", running.address + TEMPLATE)
        yield running


def content(folder: Path) -> list[bytes]:
    """What lies in a cache, but for its own notes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.read_bytes() for path in files if path.suffix != ".lock" and path.name not in ("main", "CACHEDIR.TAG")]


def refused(capsys) -> str:
    """The one line that a refused pull says."""
    assert main(["models", "pull", "far"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("clipguide: ")
    return err


def test_a_pull_downloads_once_and_says_where(hub, tower, tmp_path, capsys):
    assert main(["models", "list", "far"]) == 0 and "not here yet" in capsys.readouterr().out
    assert main(["models", "pull", "far"]) == 0
    assert content(tmp_path / "cache") == [tower]
    said = capsys.readouterr().out
    assert str(tmp_path / "cache") in said and f"{len(tower) / 1e6:.1f} MB" in said
    asked = len(hub.asked)
    assert main(["models", "pull", "far"]) == 0 and len(hub.asked) == asked  # a second time needs no network
    opened = open_name("tiny-far", "open", tmp_path / "cache")
    assert (opened.mean, opened.std) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))  # the tag's own


def test_a_download_that_breaks_off_leaves_nothing_and_can_be_repeated(hub, tower, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.cut = len(tower) // 2
    assert f"the download of {FILE} broke off" in refused(capsys)
    assert content(tmp_path / "cache") == []
    hub.cut = None
    assert main(["models", "pull", "far"]) == 0 and content(tmp_path / "cache") == [tower]


def test_a_file_with_a_wrong_checksum_is_not_kept(hub, tower, tmp_path, capsys):
    hub.digest = "0" * 64
    assert "its sha256 is not the hub's" in refused(capsys)
    assert content(tmp_path / "cache") == []
    hub.digest = None
    assert main(["models", "pull", "far"]) == 0 and content(tmp_path / "cache") == [tower]


def test_verify_finds_a_pulled_file_that_was_damaged_later(hub, tmp_path, capsys):
    assert main(["models", "verify", "far"]) == 2 and "clipguide models pull far" in capsys.readouterr().err
    assert main(["models", "pull", "far"]) == 0 and main(["models", "verify", "far"]) == 0
    path = weights.known()["far"].place
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    capsys.readouterr()
    assert main(["models", "verify", "far"]) == 1 and "is damaged" in capsys.readouterr().out


def test_weights_that_the_hub_does_not_have(hub, tmp_path, capsys):
    hub.files.clear()
    assert "the hub has no weights someone/tiny-far/" in refused(capsys)
    assert [line.rpartition("/")[2] for line in hub.asked] == [
        "open_clip_model.safetensors",
        "open_clip_pytorch_model.bin",
    ]
    assert content(tmp_path / "cache") == []


def test_no_network_is_said_at_once(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9" + TEMPLATE)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: pytest.fail("it tries again"))
    assert "cannot be had" in refused(capsys)
    assert content(tmp_path / "cache") == []


def test_a_mirror_is_asked_where_the_environment_names_one(hub, tmp_path):
    code = "import sys; from clipguide.models.hub import fetch; print(fetch('someone/tiny-far/', sys.argv[1]))"
    environment = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0"}
    line = [sys.executable, "-c", code, str(tmp_path / "elsewhere")]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=True)
    assert Path(done.stdout.strip()).read_bytes() == hub.files[FILE]


def test_the_manifest_names_the_addresses_that_open_clip_fetches_from():
    import_torchvision()
    import open_clip

    far = [entry for entry in weights.read_manifest(weights.checkpoints_folder()).values() if entry.source]
    assert far
    for entry in far:
        model, _, tag = entry.source.partition("/")
        assert open_clip.get_pretrained_cfg(model, tag)["hf_hub"] == entry.hub
