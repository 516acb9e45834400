"""Checkpoints of taming-transformers: the same output as taming's own networks, and no pickled code runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from torch import nn

from clipguide.errors import UserError
from clipguide.models.taming import read_pickle
from clipguide.models.vqgan import open_vqgan

NETWORK = {
    "double_z": False,
    "z_channels": 8,
    "resolution": 16,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [4],
    "dropout": 0.0,
}
PARAMS = {"embed_dim": 8, "n_embed": 32, "ddconfig": NETWORK}


@pytest.fixture
def taming(monkeypatch):
    """taming.models.vqgan, without the Lightning that it imports and that no longer exists in the form it wants."""
    pytest.importorskip("taming", reason="the extra 'taming' is not installed")
    lightning, main = ModuleType("pytorch_lightning"), ModuleType("taming.main")
    lightning.LightningModule = nn.Module
    main.instantiate_from_config = lambda config: nn.Identity()
    monkeypatch.setitem(sys.modules, "pytorch_lightning", lightning)
    monkeypatch.setitem(sys.modules, "taming.main", main)
    from taming.models import vqgan

    return vqgan


class Hostile:
    """Pickled, it asks for a file to be made when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def write(folder: Path, model: nn.Module, params: dict, extra: object = None) -> Path:
    torch.save({"state_dict": model.state_dict(), "callbacks": extra, "epoch": 3}, folder / "model.ckpt")
    described = {"model": {"target": "taming.models.vqgan.VQModel", "params": params}}
    (folder / "model.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return folder / "model.ckpt"


@torch.no_grad()
def test_a_vqmodel_gives_what_taming_gives(taming, tmp_path):
    torch.manual_seed(0)
    theirs = taming.VQModel(lossconfig={}, **PARAMS).eval()
    theirs.quantize.embedding.weight.normal_()
    ours = open_vqgan(write(tmp_path, theirs, PARAMS, Hostile(tmp_path / "ran")))
    assert not (tmp_path / "ran").exists()
    image = torch.rand(2, 3, 16, 24)
    z = theirs.quant_conv(theirs.encoder(2 * image - 1))
    codes, _, (_, _, numbers) = theirs.quantize(z)
    assert (ours.factor, ours.codebook.shape) == (4, (32, 8))
    torch.testing.assert_close(ours.encode(image), z, atol=1e-4, rtol=0)
    assert torch.equal(ours.nearest(z).flatten(), numbers.flatten())
    drawn = ((theirs.decode(codes) + 1) / 2).clamp(0, 1)
    torch.testing.assert_close(ours.decode(ours.quantise(z)), drawn, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_gumbel_vq_gives_what_taming_gives(taming, tmp_path):
    torch.manual_seed(0)
    theirs = taming.GumbelVQ(lossconfig={}, temperature_scheduler_config={}, **PARAMS).eval()
    ours = open_vqgan(write(tmp_path, theirs, PARAMS))
    image = torch.rand(1, 3, 16, 16)
    logits = theirs.quantize.proj(theirs.quant_conv(theirs.encoder(2 * image - 1)))
    codes = theirs.quantize.embed.weight[logits.argmax(1)].movedim(-1, 1)
    torch.testing.assert_close(ours.encode(image), codes)
    torch.testing.assert_close(ours.decode(codes), ((theirs.decode(codes) + 1) / 2).clamp(0, 1), atol=1e-4, rtol=0)


def test_pickled_code_does_not_run_and_tensors_are_read(tmp_path):
    torch.save({"w": torch.arange(3.0), "bad": [Hostile(tmp_path / "ran")]}, tmp_path / "model.ckpt")
    stored = read_pickle(tmp_path / "model.ckpt")
    assert stored["w"].tolist() == [0, 1, 2] and not (tmp_path / "ran").exists()
    torch.load(tmp_path / "model.ckpt", weights_only=False)  # the file is as hostile as it claims
    assert (tmp_path / "ran").exists()


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"no archive")
    with pytest.raises(UserError, match="needs its description a.yaml"):
        open_vqgan(tmp_path / "a.ckpt")
    (tmp_path / "a.yaml").write_text("model: 3")
    with pytest.raises(UserError, match="describes no model of taming"):
        open_vqgan(tmp_path / "a.ckpt")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"model": {"params": PARAMS | {"ddconfig": {}}}}))
    with pytest.raises(UserError, match="describes no VQGAN"):
        open_vqgan(tmp_path / "a.ckpt")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"model": {"params": PARAMS}}))
    with pytest.raises(UserError, match="no checkpoint that can be read"):
        open_vqgan(tmp_path / "a.ckpt")
    torch.save({"state_dict": {"encoder.conv_in.weight": torch.zeros(3)}}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="does not fit"):
        open_vqgan(tmp_path / "a.ckpt")
