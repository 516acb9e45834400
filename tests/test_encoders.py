"""Encoders: frozen CLIPs of any make, alike to use."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from doubles import BERT, PREPROCESS, RESNET, TINY_CLIPS, VIT, tiny_checkpoints, write_tiny_clip
from torch import Tensor

from clipguide.encoders import ClipEncoder
from clipguide.errors import Notice, UserError
from clipguide.models.clip import build_network, open_folder
from clipguide.models.plain_vit import PlainVit, plain_tower

LITE = {"image_size": 32, "timm_model_name": "tf_efficientnet_lite0", "timm_pool": "avg", "timm_proj": "linear"}


def pictures_of(side: int, count: int = 2) -> Tensor:
    """From dark to light, with noise of its own each."""
    noise = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    return noise * torch.linspace(0.1, 1, count)[:, None, None, None]


@pytest.mark.parametrize("name", TINY_CLIPS)
def test_embeddings_are_unit_vectors_of_one_space(models, name):
    encoder = models.encoder(name)
    texts = encoder.encode_text(["a red fox", "a blue car", "a red fox"])
    pictures = encoder.encode_image(pictures_of(encoder.size))
    assert texts.shape == (3, 16) and pictures.shape == (2, 16)
    torch.testing.assert_close(torch.cat([texts, pictures]).norm(dim=-1), torch.ones(5))
    torch.testing.assert_close(texts[0], texts[2])
    assert (texts[0] - texts[1]).norm() > 1e-3 and (pictures[0] - pictures[1]).norm() > 1e-2


@pytest.mark.parametrize("name", TINY_CLIPS)
def test_the_picture_gets_a_gradient_and_the_weights_do_not(models, name):
    encoder = models.encoder(name)
    views = torch.rand(2, 3, encoder.size, encoder.size, requires_grad=True)
    (encoder.encode_image(views) @ encoder.encode_text(["a fox"])[0]).sum().backward()
    assert views.grad.isfinite().all() and views.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in encoder.model.parameters())


def test_a_text_that_is_too_long_says_so(models):
    encoder = models.encoder("clip-mini")
    encoder.encode_text(["x" * 48])
    with pytest.warns(Notice, match="clip-mini reads 50 tokens; .* has 62, so its end is not read"):
        encoder.encode_text(["x" * 60])


def test_of_several_texts_the_longest_is_named_once(models):
    with pytest.warns(Notice) as caught:
        models.encoder("clip-mini").encode_text(["y" * 55, "x" * 60, "short"])
    assert len(caught) == 1 and "'xxxx" in str(caught[0].message)


def slope(encode, views: Tensor) -> tuple[Tensor, Tensor]:
    """The embeddings, and the gradient of a fixed sum of them."""
    views = views.clone().requires_grad_()
    found = encode(views)
    (found * torch.linspace(-1, 1, found.shape[-1])).sum().backward()
    return found.detach(), views.grad


TOWERS = {
    "tok": VIT,
    "avg": VIT | {"pool_type": "avg"},
    "norm after pooling": VIT | {"pool_type": "avg", "final_ln_after_pool": True},
    "layer scale": VIT | {"ls_init_value": 0.1},
    "no first norm": VIT | {"no_ln_pre": True, "layers": 3},
}


@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("quick", [False, True])
def test_the_plain_forward_gives_the_numbers_of_open_clip(tower, quick):
    torch.manual_seed(0)
    config = {"embed_dim": 16, "vision_cfg": TOWERS[tower], "text_cfg": {}, "quick_gelu": quick}
    model = build_network(config, BERT).eval().requires_grad_(False)
    plain = plain_tower(model)
    assert isinstance(plain, PlainVit)
    views = pictures_of(32, 3)
    torch.testing.assert_close(slope(plain, views), slope(model.encode_image, views), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tower", [RESNET, VIT | {"attentional_pool": True, "attn_pooler_heads": 2}])
def test_other_towers_keep_their_own_forward(tower):
    model = build_network({"embed_dim": 16, "vision_cfg": tower, "text_cfg": {}}, BERT)
    assert not isinstance(plain_tower(model.eval()), PlainVit)


@pytest.mark.parametrize("tower", [RESNET, LITE], ids=["resnet", "efficientnet"])
def test_folded_norms_change_neither_embedding_nor_gradient(tower, tmp_path):
    write_tiny_clip(tmp_path, tower)
    opened = open_folder(tmp_path)
    views, mean, std = pictures_of(32), PREPROCESS["mean"][0], PREPROCESS["std"][0]
    with torch.no_grad():
        for module in opened.model.visual.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # as after training: not the identity
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    opened.model.requires_grad_(False)
    own = slope(lambda x: F.normalize(opened.model.encode_image((x - mean) / std), dim=-1), views)
    encoder = ClipEncoder(opened, "folded")
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in encoder.model.visual.modules())
    torch.testing.assert_close(slope(encoder.encode_image, views), own, rtol=1e-4, atol=1e-5)
    assert all(not p.requires_grad for p in encoder.model.parameters())


def test_a_weights_file_in_its_folder_opens_as_the_folder_does(models):
    file = tiny_checkpoints() / "clip-mini" / "open_clip_model.safetensors"
    by_file, views = models.encoder(str(file)), pictures_of(32)
    torch.testing.assert_close(by_file.encode_image(views), models.encoder("clip-mini").encode_image(views))


def test_a_weights_file_alone_says_what_is_missing(models, tmp_path):
    lonely = tmp_path / "weights.safetensors"
    lonely.write_bytes((tiny_checkpoints() / "clip-mini" / "open_clip_model.safetensors").read_bytes())
    with pytest.raises(UserError, match="MODEL/FILE") as caught:
        models.encoder(str(lonely))
    assert "\n" not in str(caught.value)


def test_judges_are_encoders_with_weights(models):
    first, second = models.judges("clip-mini, tiny-resnet:0.5")
    assert (first.encoder.name, first.weight) == ("clip-mini", 1)
    assert (second.encoder.name, second.weight) == ("tiny-resnet", 0.5)
    assert first.encoder is models.encoder("clip-mini")
    first, second = models.judges("clip-mini,tiny-resnet:2@.5")
    assert (first.since, second.encoder.name, second.weight, second.since) == (0, "tiny-resnet", 2, 0.5)
    for bad in ("clip-mini:0", "clip-mini:-1", "clip-mini,", "nothing-there"):
        with pytest.raises(UserError):
            models.judges(bad)
    with pytest.raises(UserError, match="must judge from the start"):
        models.judges("clip-mini@0.5")
    for bad in ("clip-mini,tiny-resnet@1", "clip-mini,tiny-resnet:2 @ -0.1", "clip-mini,tiny-resnet@20"):
        with pytest.raises(UserError, match="a share of the run"):
            models.judges(bad)
