"""Style mixing, and glosses that keep a text tower's ImageNet: what the trainer does beside the contrastive loss."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from test_pretrain_settings import LARGE, steps_of
from tiny_clip import BERT, CONFIG, MODEL, batches, inputs, rng, tiny
from torch import nn

from clipguide.errors import UserError
from clipguide.models.clip import build_network
from clipguide.ops.vision_import import import_torchvision
from pretrain.anchor import HELD_CLASSES, Anchor
from pretrain.glosses import Glosses, regress, wordnet_glosses
from pretrain.state import start
from pretrain.step import backward
from pretrain.style_mixing import mix, mixed, stages_of


def statistics(maps):
    return maps.mean((2, 3)), maps.std((2, 3), correction=0)


def test_mixing_leaves_the_forms_and_lends_mean_and_deviation():
    torch.manual_seed(0)
    looks = torch.tensor([0.0, 10.0, 20.0, 30.0])
    maps = torch.randn(4, 3, 9, 9, generator=rng()) * (1 + looks.view(4, 1, 1, 1)) + looks.view(4, 1, 1, 1)
    assert torch.equal(mix(maps, 0.0), maps)
    made = mix(maps, 1.0)
    for one, other in zip(made, maps, strict=True):
        flat = torch.stack([one.flatten(1), other.flatten(1)])
        assert torch.allclose(F.normalize(flat[0] - flat[0].mean(1, keepdim=True)),
                              F.normalize(flat[1] - flat[1].mean(1, keepdim=True)), atol=1e-4)  # fmt: skip
    (means, deviations), (old_means, old_deviations) = statistics(made), statistics(maps)
    assert ((means - old_means).abs().amax(1) > 1).any() and ((deviations - old_deviations).abs().amax(1) > 1).any()
    assert means.min() >= old_means.min() - 1e-3 and means.max() <= old_means.max() + 1e-3


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 4, 1))

    def forward(self, images):
        return self.layer1(images)


def test_mixing_goes_with_its_encoder_and_leaves_the_tower_as_it_was():
    tower, images = Tower(), torch.rand(6, 3, 5, 5, generator=rng()) * torch.arange(6).view(6, 1, 1, 1)
    plain, blend = tower(images), mixed(tower, tower, 1.0)
    torch.manual_seed(3)
    first = blend(images)
    torch.manual_seed(3)
    assert torch.equal(first, blend(images)) and not torch.allclose(first, plain)
    assert torch.equal(tower(images), plain) and not tower.layer1._forward_hooks
    with pytest.raises(UserError, match="EfficientNets and CLIP's ResNets"):
        mixed(tower, nn.Conv2d(3, 4, 1), 1.0)


@pytest.mark.parametrize("name, mixes", [("tf_efficientnet_lite0", True), ("vit_tiny_patch16_224", False)])
def test_mixing_in_towers_of_timm(name, mixes):
    import_torchvision()
    import timm

    tower = nn.Module()
    tower.trunk = timm.create_model(name, num_classes=0).eval()
    if not mixes:
        with pytest.raises(UserError, match="EfficientNets and CLIP's ResNets"):
            stages_of(tower)
        return
    images = torch.rand(4, 3, 32, 32, generator=rng())
    with torch.no_grad():
        assert not torch.equal(mixed(tower.trunk, tower, 1.0)(images), tower.trunk(images))
        assert torch.equal(mixed(tower.trunk, tower, 0.0)(images), tower.trunk(images))


def test_a_training_with_mixed_styles_is_another_one():
    def losses(share):
        torch.manual_seed(0)
        model = build_network(MODEL | {"vision_cfg": LARGE | {"image_size": 32}}, BERT).eval()
        config = replace(CONFIG, steps=2, sizes=(32,), radius=0.0, mix_styles=share)
        return [step.losses for step in steps_of(config, model)[0]]

    assert losses(0.0) != losses(1.0) == losses(1.0)


def test_kernel_regression_passes_near_its_points_and_bends():
    angle = torch.linspace(0, 3, 20)
    inputs, targets = torch.stack([angle.cos(), angle.sin()], 1), (3 * angle).sin()[:, None]
    curve = regress(inputs, targets, gamma=4.0, penalty=1e-4)
    between = (angle[1:] + angle[:-1]) / 2
    told = curve(torch.stack([between.cos(), between.sin()], 1) * 7)  # lengths do not matter
    assert (told - (3 * between).sin()[:, None]).abs().max() < 0.05


def glosses(hidden=6, features=8):
    rows = F.normalize(torch.randn(800, features, generator=rng(1)))
    vectors = torch.randn(30, hidden, generator=rng(2))
    aims = F.normalize(vectors @ torch.randn(hidden, features, generator=rng(3)))
    return Glosses(vectors, aims, rows, torch.ones(features))


def test_the_gloss_loss_is_least_where_the_heads_agree_with_the_teacher():
    told, scale = glosses(), torch.tensor(15.0)

    def head(features):
        return features - told.mean

    def text_map(vectors):
        return told.aims[(vectors[:, None] == told.vectors).all(2).int().argmax(1)]

    agreeing = told.loss(head, text_map, scale, rng())
    turned = told.loss(head, lambda vectors: -text_map(vectors), scale, rng())
    assert agreeing < 1e-5 < 1 < turned


def test_the_loss_of_views_is_least_where_these_show_what_the_old_tower_saw():
    told, scale = glosses(), torch.tensor(15.0)
    before = 5 + torch.randn(40, 8, generator=rng(4))  # what all pictures have in common does not count
    image, text_map = F.normalize(before - before.mean(0)), nn.Linear(6, 8, bias=False)
    with torch.no_grad():
        text_map.weight.copy_(torch.linalg.lstsq(told.vectors, told.aims).solution.T)
    exact = replace(told, aims=F.normalize(text_map(told.vectors)).detach())
    agreeing = exact.seen_loss(image, before, text_map, scale, rng())
    turned = exact.seen_loss(-image, before, text_map, scale, rng())
    assert agreeing < 1e-5 < 1 < turned


def test_glosses_are_taught_by_the_trained_classes_alone():
    """Each class's words lead to its row; those of a class that is kept back lead to no row at all."""
    trunk, classifier = nn.Identity(), nn.Linear(1000, 1000, bias=False)
    with torch.no_grad():
        classifier.weight.copy_(torch.eye(1000))
    texts = torch.randn(1000, 4, 64, generator=rng(5))
    anchor = Anchor.of(trunk, classifier, texts, torch.ones(1000))
    taught = Glosses.of(anchor, texts[:6, 2])
    assert taught.vectors.shape == (806, 64) and taught.rows.shape == (800, 1000)
    assert torch.equal(taught.vectors[6:], texts[[i for i in range(1000) if i % 5], 2])
    kept = [i for i in range(1000) if i % 5]
    likeness = taught.aims @ taught.rows.T
    assert [kept[i] for i in likeness[[1, 2, 3, 4]].argmax(1)] == [1, 2, 3, 4]  # class 0 is kept back, and 5
    assert likeness[[0, 5]].max() < 0.5 * likeness[[1, 2, 3, 4]].amax(1).min()
    assert (likeness[6:].argmax(1) == torch.arange(800)).all()


def test_the_gloss_loss_counts_in_a_step_by_its_weight():
    model = tiny()
    model.visual.head = nn.Identity()
    told = SimpleNamespace(loss=lambda head, text_map, scale, rng: text_map(torch.ones(1, 16)).square().mean())
    config = replace(CONFIG, glosses=2.0)
    kept = replace(inputs(model), glosses=told, anchor=object())
    losses = backward(start(model, config), next(batches()), config, kept)
    assert torch.allclose(losses["total"], losses["softmax"] + 2 * losses["glosses"])
    assert losses["glosses"] > 0


def test_the_loss_of_views_sees_them_unharmed_and_counts_by_its_weight():
    model, seen = tiny(), []
    model.visual.head = nn.Identity()
    anchor = SimpleNamespace(features=lambda clean: seen.append(clean) or clean.flatten(1))

    def seen_loss(image, before, text_map, scale, rng):
        assert len(image) == len(before) and torch.allclose(image.norm(dim=1), torch.ones(len(image)))
        return image.square().sum() + text_map(torch.ones(1, 16)).square().mean()

    told = SimpleNamespace(seen_loss=seen_loss)
    config = replace(CONFIG, seen_glosses=0.5, noise=0.5)
    state, kept = start(model, config), replace(inputs(model), glosses=told, anchor=anchor)
    losses = backward(state, next(batches()), config, kept)
    assert torch.allclose(losses["total"], losses["softmax"] + 0.5 * losses["seen_glosses"])
    quiet = replace(config, noise=0.0, radius=0.0)
    backward(start(model, quiet), next(batches()), quiet, kept)
    assert len(seen) == 2 and torch.equal(*seen)  # the same views, whatever noise and attack do to those trained on


def test_taught_glosses_hold_none_of_the_classes_that_are_kept_back():
    told = set(wordnet_glosses())
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    described = [info.index_to_description(index, detailed=True).replace(": ", ", ", 1) for index in range(1000)]
    assert len(told) > 11_000 and not told & {described[index] for index in HELD_CLASSES}
    assert len(told & set(described)) > 700
