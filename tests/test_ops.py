"""Tensor maths: warps and colours, against plain formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide.ops.colour import correlate, decorrelate, jitter_matrices, luminance
from clipguide.ops.warp import homographies, outside, sample, window_points

SQUARE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def dice(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_a_homography_sends_the_corners_where_they_belong():
    corners = SQUARE + 0.4 * (dice(5, 4, 2) - 0.5)
    points = torch.cat([SQUARE, torch.ones(4, 1)], 1)
    mapped = points @ homographies(corners).mT
    torch.testing.assert_close(mapped[..., :2] / mapped[..., 2:], corners, rtol=1e-4, atol=1e-5)


def test_straight_lines_stay_straight():
    points = window_points(SQUARE + 0.4 * (dice(1, 4, 2) - 0.5), 8)[:, 0]
    a, b, c = points[:, 3, 0], points[:, 3, 4], points[:, 3, 7]
    (ux, uy), (vx, vy) = b - a, c - a
    assert abs(ux * vy - uy * vx) < 1e-5


def test_the_whole_window_is_the_picture_itself():
    image = dice(2, 3, 16, 16)
    seen = sample(image, window_points(SQUARE[None], 16), torch.zeros(1, dtype=torch.long))
    torch.testing.assert_close(seen[0], image, rtol=1e-4, atol=1e-5)


def test_windows_of_all_levels_come_back_in_order():
    image = dice(2, 3, 32, 32)
    corners = torch.stack([SQUARE * scale for scale in (1.0, 0.25, 0.5, 1.0)])
    levels = torch.tensor([2, 0, 1, 2])
    points = window_points(corners, 8)
    together = sample(image, points, levels)
    for i in range(4):
        alone = sample(image, points[:, i : i + 1], levels[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together[0], F.avg_pool2d(image, 4), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [37, 41, 63, 65])
def test_halving_moves_nothing(side):
    """A straight ramp stays the same ramp at every level, also where sides are odd."""
    ramp = ((torch.arange(side) + 0.5) / side).expand(1, 3, side, side)
    corners = (0.25 + 0.5 * SQUARE)[None].expand(4, 4, 2)
    seen = sample(ramp, window_points(corners, 4), torch.tensor([0, 1, 2, 3]))[:, 0]
    want = (0.25 + 0.5 * (torch.arange(4) + 0.5) / 4).expand(4, 3, 4, 4)
    assert (seen - want).abs().max() < 0.04  # a third of a pixel of the coarsest level


def test_outside_lies_the_nearest_edge_or_the_mirror_image():
    image = torch.stack([torch.linspace(0, 1, 8)] * 3)[None, :, None].expand(1, 3, 8, 8)
    left, level = SQUARE + torch.tensor([-1.0, 0.0]), torch.zeros(1, dtype=torch.long)  # one picture to the left
    points = window_points(left[None], 8)
    assert outside(points).all() and not outside(points + torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)).any()
    torch.testing.assert_close(sample(image, points, level)[0], image[..., :1].expand_as(image))
    torch.testing.assert_close(sample(image, points, level, mirror=1)[0], image.flip(-1), rtol=1e-4, atol=1e-5)


def test_copies_of_one_picture_never_run_into_each_other():
    """At the edge between two levels of the atlas stands each one's own colour."""
    image = torch.cat([torch.zeros(1, 3, 4, 8), torch.ones(1, 3, 4, 8)], 2)
    points = window_points(SQUARE.expand(3, 4, 2), 16)
    seen = sample(image, points, torch.tensor([0, 1, 2]))[:, 0, 0]
    assert seen[:, 0].abs().max() < 1e-5 and (seen[:, -1] - 1).abs().max() < 1e-5


def test_a_warp_passes_the_gradient():
    image = dice(1, 3, 5, 4).double().requires_grad_()
    corners = (SQUARE + 0.2 * (dice(3, 4, 2) - 0.5)).double()
    points, levels = window_points(corners.float(), 2).double(), torch.tensor([0, 1, 1])
    assert torch.autograd.gradcheck(lambda x: sample(x, points, levels), (image,))


def test_decorrelating_undoes_correlating():
    image = dice(2, 3, 5, 5) - 0.5
    torch.testing.assert_close(decorrelate(correlate(image)), image, rtol=1e-4, atol=1e-5)
    grey = correlate(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)).flatten()
    assert grey.min() > 0.9 * grey.max() > 0  # the first channel is brightness


def test_luminance_weighs_the_channels():
    assert luminance(torch.ones(1, 3, 2, 2)).shape == (1, 1, 2, 2)
    torch.testing.assert_close(luminance(torch.ones(1, 3, 2, 2)), torch.ones(1, 1, 2, 2))
    assert luminance(torch.eye(3).view(3, 3, 1, 1)).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])


def test_jitter_turns_hues_and_keeps_greys():
    third = torch.tensor([2 * math.pi / 3])
    one = torch.ones(1)
    red = torch.tensor([1.0, 0, 0])
    torch.testing.assert_close(jitter_matrices(third, one, one)[0] @ red, torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)
    turn = jitter_matrices(dice(6), 0.5 + dice(6), torch.ones(6))
    torch.testing.assert_close(turn @ torch.full((3,), 0.4), torch.full((6, 3), 0.4))
    torch.testing.assert_close(jitter_matrices(0 * one, one, one)[0], torch.eye(3))
    torch.testing.assert_close(jitter_matrices(0 * one, one, 2 * one)[0], 2 * torch.eye(3))
    faded = jitter_matrices(0 * one, 0 * one, one)[0] @ red
    torch.testing.assert_close(faded, torch.full((3,), 0.299))
