"""Windows on the picture: what they show, and that they show every image alike."""

from __future__ import annotations

import pytest
import torch
from doubles import make_tick
from torch import Tensor

from clipguide.core import Cutouts
from clipguide.cutouts import crops, patches, whole

CUTOUTS = {
    "whole": (whole(), 1),
    "crops": (crops(10), 10),
    "one crop": (crops(1), 1),
    "late zoom": (crops(5, late=(0.2, 0.3)), 5),
    "all whole": (crops(4, wide=1.0), 4),
    "none whole": (crops(4, wide=0.0), 4),
    "mirrored": (crops(4, mirror=1.0), 4),
    "patches": (patches(6), 6),
}
CLEAN = {"turn": 0.0, "perspective": 0.0, "jitter": 0.0, "noise": 0.0, "erase": 0.0}
parts = pytest.mark.parametrize("cutouts, count", CUTOUTS.values(), ids=CUTOUTS)


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def places(size: tuple[int, int]) -> Tensor:
    """A picture whose red is x and whose green is y, from 0 to 1; blue is 1 everywhere."""
    width, height = size
    x = ((torch.arange(width) + 0.5) / width).expand(height, width)
    y = ((torch.arange(height) + 0.5) / height)[:, None].expand(height, width)
    return torch.stack([x, y, torch.ones_like(x)])[None]


def seen(cutouts: Cutouts, image: Tensor, side: int = 32, seed: int = 0, step: int = 0) -> Tensor:
    return cutouts(make_tick(step, seed=seed), side)(image)


@parts
@pytest.mark.parametrize("size", [(40, 40), (65, 33), (17, 90), (16, 16)])
def test_n_square_views_of_any_picture(cutouts, count, size):
    crop = cutouts(make_tick(), 24)
    assert crop.count == count
    views = crop(noise(2, 3, size[1], size[0]))
    assert views.shape == (count * 2, 3, 24, 24) and views.isfinite().all()


@parts
def test_the_same_dice_show_the_same(cutouts, count):
    image = noise(1, 3, 40, 40)
    assert torch.equal(seen(cutouts, image), seen(cutouts, image))
    crop = cutouts(make_tick(), 32)
    assert torch.equal(crop(image), crop(image))  # rolled once
    if count > 1:
        assert not torch.equal(seen(cutouts, image), seen(cutouts, image, seed=1))


@parts
@pytest.mark.parametrize("chunks", [1, 2, 3, 7])
def test_the_parts_are_all_the_views(cutouts, count, chunks):
    crop, image = cutouts(make_tick(), 16), noise(2, 3, 40, 40)
    all_views = crop(image).unflatten(0, (count, 2))
    shares = [crop.part(chunk, chunks) for chunk in range(chunks)]
    assert sum(share.count for share in shares) == count
    for chunk, share in enumerate(shares):
        if share.count:
            torch.testing.assert_close(share(image).unflatten(0, (-1, 2)), all_views[chunk::chunks])


@parts
def test_pictures_of_a_batch_are_seen_through_the_same_windows(cutouts, count):
    crop, image = cutouts(make_tick(), 16), noise(2, 3, 40, 40)
    both = crop(image).unflatten(0, (count, 2))
    for i in range(2):
        torch.testing.assert_close(both[:, i], crop(image[i : i + 1]))


@parts
def test_every_view_passes_a_gradient(cutouts, count):
    image = noise(1, 3, 40, 40).requires_grad_()
    for view in seen(cutouts, image):
        (gradient,) = torch.autograd.grad(view.mean(), image, retain_graph=True)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0


def test_whole_shows_all_of_the_picture_at_its_true_aspect_on_grey():
    view = seen(whole(), places((80, 40)), side=40)[0]
    assert (view[:, :9] == 0.5).all() and (view[:, -9:] == 0.5).all()
    row = view[:, 20]
    assert row[0, 0] < 0.03 and row[0, -1] > 0.97 and (row[0].diff() > 0).all()
    assert view[1, 10, 20] < 0.08 and view[1, 29, 20] > 0.92


def test_wide_views_hold_the_whole_picture_and_close_ones_zoom_in():
    views = seen(crops(40, wide=0.5, **CLEAN), places((64, 64)), side=64)
    inside = views[:, 2] == 1  # blue is 1 in the picture, and the fill is grey
    wide, close = views[1::2], views[::2]
    for view, mask in zip(wide, inside[1::2], strict=True):
        x, y = view[0][mask], view[1][mask]
        assert x.min() < 0.02 and x.max() > 0.98 and y.min() < 0.02 and y.max() > 0.98
    extents = [float(v[0][m].max() - v[0][m].min()) for v, m in zip(close, inside[::2], strict=True)]
    assert max(extents) < 0.97 and min(extents) < 0.6 and min(extents) > 0.2


@pytest.mark.parametrize("size", [(96, 48), (48, 96)])
def test_windows_keep_the_aspect_of_the_picture(size):
    """A pixel of a view is as wide as it is high, whatever the picture's shape."""
    views = seen(crops(20, **CLEAN), places(size), side=32)
    for view in views:
        mask = view[2] == 1
        across = view[0].diff(dim=1).abs()[mask[:, 1:] & mask[:, :-1]].median() * size[0]
        down = view[1].diff(dim=0).abs()[mask[1:] & mask[:-1]].median() * size[1]
        assert across == pytest.approx(float(down), rel=0.05)


def test_the_zoom_may_move_through_the_run():
    cutouts = crops(20, wide=0.0, zoom=(0.9, 0.95), late=(0.2, 0.25), **CLEAN)
    early, late = (seen(cutouts, places((64, 64)), step=step) for step in (0, 10))
    spread = [float((views[:, 0].amax((1, 2)) - views[:, 0].amin((1, 2))).mean()) for views in (early, late)]
    assert spread[0] > 0.6 and spread[1] < 0.3


def test_close_windows_reach_every_part_of_the_picture():
    image = noise(1, 3, 32, 32).requires_grad_()
    for seed in range(10):
        seen(crops(16, wide=0.0), image, seed=seed).sum().backward()
    weight = image.grad.abs().sum((0, 1))
    assert weight.min() > 0 and weight[:4].mean() > 0.2 * weight[14:18].mean()


def test_a_view_that_shrinks_the_picture_does_not_alias():
    board = ((torch.arange(256)[:, None] + torch.arange(256)) % 2).float().expand(1, 3, 256, 256)
    view = seen(whole(), board, side=32)
    assert (view - 0.5).abs().max() < 0.02


def test_a_share_of_the_views_sees_the_mirror_image_outside():
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(1, 3, 32, 32)
    corners = seen(crops(200, wide=1.0, mirror=0.5, **CLEAN), red)[:, 1, 0, 0]  # green lies in the grey fill alone
    assert 60 < (corners < 0.02).sum() < 160
    assert (seen(crops(50, wide=1.0, mirror=1.0, **CLEAN), red)[:, 1] == 0).all()


def test_views_turn_flip_bend_and_change_colour():
    image = places((64, 64))
    flips = seen(crops(40, wide=0.0, **CLEAN), image)[:, 0].diff(dim=2).mean((1, 2)) < 0
    assert 8 < flips.sum() < 32
    for change in ({}, {"turn": 30.0}, {"perspective": 0.4}):
        views = seen(crops(20, wide=0.0, mirror=1.0, **(CLEAN | change)), image)
        slant = views[:, 0].diff(dim=1).abs().mean()
        assert slant > 1e-3 if change else slant < 1e-6
    grey = torch.full((1, 3, 32, 32), 0.5)
    coloured = seen(crops(20, **(CLEAN | {"jitter": 0.2})), grey)
    assert coloured.mean((2, 3)).std() > 0.01
    noisy = seen(crops(20, wide=0.0, mirror=1.0, **(CLEAN | {"noise": 0.2})), grey)
    deviation = noisy.std((1, 2, 3))
    assert 0.0 < deviation.min() < 0.05 and 0.1 < deviation.max() < 0.25 and (noisy.mean() - 0.5).abs() < 0.02
    assert not torch.equal(noisy[0] - noisy[0].mean(), noisy[1] - noisy[1].mean())


def test_holes_hide_a_part_of_some_views():
    white = torch.ones(1, 3, 32, 32)
    views = seen(crops(60, wide=0.0, mirror=1.0, **(CLEAN | {"erase": 0.3})), white)
    hidden = (views < 0.999).float().mean((1, 2, 3))
    assert 8 <= (hidden > 0).sum() <= 30
    assert hidden.max() < 0.25 and hidden[hidden > 0].min() > 0.01


def test_patches_are_close_views_without_grey_around():
    views = seen(patches(20, extent=0.25), places((128, 128)))
    assert (views[:, 2] > 0.999).all()
    spread = views[:, 0].amax((1, 2)) - views[:, 0].amin((1, 2))
    assert spread.max() < 0.55 and spread.mean() == pytest.approx(0.25, abs=0.08)
    assert seen(patches(1), places((128, 128)))[0, 0].std() < 0.15  # one patch is close too
