"""Padding inside the convolution changes nothing, whatever the kernel, the groups and the parity of the sides."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clipguide.models.same_padding import PadsInside, pad_inside
from clipguide.ops.vision_import import import_torchvision

import_torchvision()
from timm.layers import Conv2dSame  # noqa: E402  it imports torchvision


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("sides", [(12, 16), (13, 15), (12, 13)])
def test_it_is_the_same_function(size, groups, sides):
    conv = Conv2dSame(4, 8, size, stride=2, groups=groups)
    tower = nn.Sequential(conv)
    pad_inside(tower)
    x = torch.randn(2, 4, *sides, requires_grad=True)
    assert isinstance(tower[0], PadsInside)
    torch.testing.assert_close(tower(x), conv(x), atol=1e-6, rtol=1e-5)
    ours, theirs = (torch.autograd.grad(f(x).square().sum(), x)[0] for f in (tower, conv))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("conv", [Conv2dSame(4, 4, 3), Conv2dSame(4, 4, 4, stride=2), nn.Conv2d(4, 4, 3, stride=2)])
def test_other_convolutions_are_left_alone(conv):
    tower = nn.Sequential(conv)
    pad_inside(tower)
    assert tower[0] is conv
