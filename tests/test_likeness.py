"""Likeness to a photo by CLIP's middle features, and where in a photo its meaning lies."""

from __future__ import annotations

import pytest
import torch
from doubles import make_tick

from clipguide.core import Scene
from clipguide.cutouts import crops, on
from clipguide.losses.likeness import likeness, occlusion


@pytest.mark.parametrize("name", ["clip-mini", "tiny-resnet"])
def test_likeness_is_zero_for_the_photo_and_pulls_towards_it(models, name):
    rng = torch.Generator().manual_seed(0)
    photo, picture = torch.rand(1, 3, 40, 48, generator=rng), torch.rand(2, 3, 40, 48, generator=rng)
    loss = likeness(models.encoder(name), photo, on(torch.ones(3), crops(3, jitter=0, noise=0, erase=0)))

    def value(image):
        return loss(Scene({"image": image}, make_tick(), {}))

    same = photo.clone().requires_grad_()
    assert value(same).item() == pytest.approx(0, abs=1e-6)
    assert torch.autograd.grad(value(same), same)[0].isfinite().all()
    moving = picture.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(moving), moving)
    assert value(moving - 10 * slope / slope.norm() * 0.1).item() < value(moving).item()


def test_what_a_view_hides_is_the_papers_colour(models):
    red = torch.tensor([1.0, 0.0, 0.0])
    views = on(red, crops(4, wide=1.0, jitter=0, noise=0, erase=0, turn=0))(make_tick(), 32)(torch.zeros(1, 3, 20, 40))
    assert torch.equal(views[:, :, 0, 16], red.expand(4, 3))


def test_occlusion_finds_the_only_thing_there_is(models):
    photo = torch.ones(1, 3, 48, 64)
    photo[:, :2, 8:20, 40:54] = 0
    heat = occlusion(models.encoder("tiny-resnet"), photo)
    assert heat.shape == (1, 1, 48, 64)
    assert 0 <= heat.min() and heat.max() == 1
    assert heat[..., 8:20, 40:54].mean() > 2 * heat.mean()
