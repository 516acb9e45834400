"""What the trainer is made of: its losses, its pictures and their attack, its memory of texts, its schedules."""

import math

import pytest
import torch
import torch.nn.functional as F
from tiny_clip import rng

from pretrain.augment import may_flip, views
from pretrain.loss import contrastive, distil, sigmoid
from pretrain.pairs import Bank, TextCache, fitting
from pretrain.robust import attack, roughen
from pretrain.schedule import ramp, warmup_cosine


def unit(count, width, seed):
    return F.normalize(torch.randn(count, width, generator=rng(seed)))


# losses


def test_contrastive_of_one_to_one_is_cross_entropy():
    image, text = unit(5, 7, 0), unit(5, 7, 1)
    logits, answer = 10 * image @ text.T, torch.arange(5)
    expected = (F.cross_entropy(logits, answer) + F.cross_entropy(logits.T, answer)) / 2
    assert torch.allclose(contrastive(image, text, 10.0), expected)


def test_contrastive_of_equal_features_is_log_of_the_batch():
    same = unit(1, 7, 0).expand(6, 7)
    assert contrastive(same, same, 30.0).item() == pytest.approx(math.log(6), rel=1e-5)


def test_further_positives_are_not_pushed_away():
    image, text = unit(3, 7, 0), unit(3, 7, 1)
    text = torch.cat([text, image[:1]])  # a fourth text that fits the first picture exactly
    alone, told = torch.eye(3, 4, dtype=torch.bool), torch.eye(3, 4, dtype=torch.bool)
    told[0, 3] = True
    assert contrastive(image, text, 10.0, told) < contrastive(image, text, 10.0, alone)


@pytest.mark.parametrize("loss", [contrastive, lambda i, t, s: sigmoid(i, t, s, -10.0)])
def test_losses_fall_when_pairs_agree_and_have_gradients_at_the_optimum(loss):
    image = unit(4, 8, 0).requires_grad_()
    right, wrong = loss(image, image.detach(), 10.0), loss(image, image.detach().flip(0), 10.0)
    assert right < wrong
    (slope,) = torch.autograd.grad(right, image)
    assert slope.isfinite().all()


def test_distil_is_zero_at_the_teacher_only():
    logits = torch.randn(3, 5, generator=rng())
    assert distil(logits, logits).abs() < 1e-6 and distil(logits, -logits) > 0.1


# pictures


def test_attack_stays_within_its_radius_and_hurts_more_than_noise():
    images = 0.25 + 0.5 * torch.rand(4, 3, 8, 8, generator=rng())
    direction = torch.randn(4, 3, 8, 8, generator=rng(1))

    def loss(x):
        return (x * direction).sum()

    for steps in (1, 3):
        moved = attack(images, loss, radius=0.5, steps=steps, rng=rng(2))
        assert moved.min() >= 0 and moved.max() <= 1
        assert (moved - images).flatten(1).norm(dim=1).max() <= 0.5 + 1e-5
        best = 0.5 * direction.flatten(1).norm(dim=1).sum()
        assert loss(moved) - loss(images) > 0.8 * best


def test_views_keep_plain_colour_and_flip_only_where_allowed():
    plain = torch.full((8, 3, 20, 20), 128, dtype=torch.uint8)
    seen = views(plain, 12, rng(), flip=torch.ones(8, dtype=torch.bool))
    assert seen.shape == (8, 3, 12, 12) and (seen - seen.mean((2, 3), keepdim=True)).abs().max() < 1e-5
    half = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    half[..., 8:] = 255
    lighter = views(half, 16, rng(), flip=torch.zeros(64, dtype=torch.bool)).mean((1, 2))  # (64, width)
    assert (lighter[:, -4:].mean(1) >= lighter[:, :4].mean(1)).all()
    free = views(half, 16, rng(), flip=torch.ones(64, dtype=torch.bool)).mean((1, 2))
    assert 16 < (free[:, -4:].mean(1) < free[:, :4].mean(1)).sum() < 48


def test_captions_with_sides_or_signs_are_not_mirrored():
    assert may_flip(["a fox", "a fox on the left", "the letter A", "flag of Chad"]).tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_roughen_is_identity_without_noise_and_blur():
    images = torch.rand(3, 3, 16, 16, generator=rng())
    assert torch.equal(roughen(images, rng(), noise=0, blur=0), images)
    assert (roughen(images, rng(), noise=0, blur=1.0).diff(dim=-1).abs().mean()) < images.diff(dim=-1).abs().mean()


# texts


def test_cache_embeds_each_caption_once_and_forgets_at_its_limit():
    asked = []

    def embed(texts):
        asked.extend(texts)
        return torch.tensor([[float(len(text))] for text in texts])

    cache = TextCache(embed, limit=3)
    assert cache(["a", "bb", "a"]).flatten().tolist() == [1, 2, 1] and asked == ["a", "bb"]
    cache(["a", "ccc"])
    assert asked == ["a", "bb", "ccc"]
    assert cache(["dddd", "a"]).flatten().tolist() == [4, 1] and asked[3:] == ["a", "dddd"]


def test_bank_keeps_the_newest_and_fitting_compares_concepts():
    bank = Bank(3)
    bank.push(torch.tensor([[1.0], [2.0]]), ["a", "b"])
    bank.push(torch.tensor([[3.0], [4.0]]), ["c", "d"])
    assert bank.vectors.flatten().tolist() == [2, 3, 4] and bank.concepts == ["b", "c", "d"]
    assert fitting(["a", "b"], ["b", "c", "a"]).tolist() == [[False, False, True], [True, False, False]]


def test_schedules():
    assert [warmup_cosine(i, 12, 2) for i in (0, 1, 2, 12)] == pytest.approx([0.5, 1, 1, 0])
    assert warmup_cosine(7, 12, 2) == pytest.approx(0.5)
    assert [ramp(i, 2, 4, 0.0, 1.0) for i in (0, 2, 4, 6, 9)] == [0, 0, 0.5, 1, 1]
