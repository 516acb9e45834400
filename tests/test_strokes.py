"""The renderer of strokes and shapes: its pictures, its gradients, and what it makes of broken input."""

from __future__ import annotations

import pytest
import torch

from clipguide.ops import curves
from clipguide.ops.strokes import Paths, draw, over

WHITE = torch.ones(3, 1, 1, dtype=torch.float64)


def dice(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def some_paths(count: int = 6, side: float = 32.0, *, seed: int = 0) -> Paths:
    points = dice(count, 7, 2, seed=seed) * side
    filled = torch.arange(count) % 3 == 2
    return Paths(points, 1 + 5 * dice(count, seed=1), dice(count, 3, seed=2), 0.3 + 0.6 * dice(count, seed=3), filled)


def picture(paths: Paths, size: tuple[int, int] = (32, 32), **options) -> torch.Tensor:
    return over(draw(paths, size, **options), WHITE)


def one(points: list, *, width: float = 4.0, filled: bool = False) -> Paths:
    chain = torch.tensor([points], dtype=torch.float64)
    colour = torch.zeros(1, 3, dtype=torch.float64)
    width_ = torch.tensor([width], dtype=torch.float64)
    return Paths(chain, width_, colour, torch.ones(1, dtype=torch.float64), torch.tensor([filled]))


def supersampled(paths: Paths, size: int, factor: int = 16) -> torch.Tensor:
    """The same drawing, every pixel the mean of factor x factor pixels."""
    large = over(draw(paths.scaled(factor), (size * factor, size * factor)), WHITE)
    return torch.nn.functional.avg_pool2d(large, factor)


@pytest.mark.parametrize("name", ["points", "widths", "colours", "opacity"])
def test_gradients_agree_with_finite_differences(name):
    paths = some_paths()
    parameter = getattr(paths, name).clone().requires_grad_()
    fields = {f: getattr(paths, f) for f in ("points", "widths", "colours", "opacity", "filled")}
    target = dice(1, 3, 32, 32, seed=5)

    def error(value: torch.Tensor) -> torch.Tensor:  # fixed pieces: how finely curves are cut is not differentiated
        return ((picture(Paths(**{**fields, name: value}), tolerance=1e-9) - target) ** 2).sum()

    (slope,) = torch.autograd.grad(error(parameter), parameter)
    flat, step = parameter.detach().flatten(), 1e-5
    measured = torch.empty_like(flat)
    for i in range(len(flat)):
        change = torch.zeros_like(flat)
        change[i] = step
        up, down = (error((flat + sign * change).view_as(parameter)) for sign in (1, -1))
        measured[i] = (up - down) / (2 * step)
    wrong = (slope.flatten() - measured).abs() / measured.abs().max()
    assert wrong.median() < 1e-6
    assert torch.cosine_similarity(slope.flatten(), measured, 0) > 0.9999


def test_a_straight_stroke_covers_its_area():
    paths = one([[8, 16], [13, 16], [19, 16], [24, 16]], width=6)
    ink = (1 - picture(paths)[0, 0]).sum().item()
    assert ink == pytest.approx(16 * 6 + torch.pi * 9, rel=0.01)  # body and two round ends


@pytest.mark.parametrize("width", [0.1, 0.5, 1.0])
def test_hairlines_fade_in_proportion(width):
    ink = (1 - picture(one([[8, 16.3], [13, 16.3], [19, 16.3], [24, 16.3]], width=width))[0, 0]).sum().item()
    assert ink == pytest.approx(16 * width, rel=0.1)


def test_lines_polygons_and_ellipses_are_chains_of_curves():
    corners = torch.tensor([[[4, 4], [28, 4], [28, 20], [4, 20]]], dtype=torch.float64)
    box = Paths(curves.polygons(corners), *vars_of(one([[0, 0]] * 4, width=0, filled=True)))
    assert (1 - picture(box)[0, 0]).sum().item() == pytest.approx(24 * 16, rel=0.005)
    assert picture(box)[0, 0, 10, 10] < 1e-5
    disc = curves.ellipses(*(torch.tensor([v], dtype=torch.float64) for v in ([16, 16], [10, 5], 0.7)))
    ink = (1 - picture(Paths(disc, *vars_of(box)))[0, 0]).sum().item()
    assert ink == pytest.approx(torch.pi * 50, rel=0.01)
    line = curves.lines(corners[:, 0], corners[:, 2])
    torch.testing.assert_close(curves.flatten(line, 3)[0, 1], corners[0, 0] + (corners[0, 2] - corners[0, 0]) / 3)


def vars_of(paths: Paths) -> tuple[torch.Tensor, ...]:
    return paths.widths, paths.colours, paths.opacity, paths.filled


def test_a_crossing_outline_is_filled_by_the_even_odd_rule():
    twice = torch.tensor([[[6, 6], [26, 6], [26, 26], [6, 26]]], dtype=torch.float64)
    inner = torch.tensor([[[11, 11], [21, 11], [21, 21], [11, 21]]], dtype=torch.float64)
    chain = torch.cat([curves.polygons(twice), curves.lines(twice[:, 0], inner[:, 0])[:, 1:]], 1)
    chain = torch.cat([chain, curves.polygons(inner)[:, 1:]], 1)
    seen = picture(Paths(chain, *vars_of(one([[0, 0]] * 4, width=0, filled=True))))[0, 0]
    assert seen[8, 14] < 0.01 and seen[15, 17] > 0.99


def test_matches_a_supersampled_picture():
    paths = some_paths(12, 48, seed=7)
    error = (picture(paths, (48, 48)) - supersampled(paths, 48)).square().mean()
    assert -10 * error.log10() > 34  # dB


def test_the_picture_scales_with_the_parameters():
    paths = some_paths()
    small = picture(paths)
    large = over(draw(paths.scaled(4), (128, 128)), WHITE)
    assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().mean() < 0.01


def test_a_batch_is_its_pictures_one_by_one():
    paths = [some_paths(seed=seed) for seed in (3, 4)]
    names = ("points", "widths", "colours", "opacity", "filled")
    together = Paths(*(torch.stack([getattr(p, name) for p in paths]) for name in names))
    apart = torch.cat([draw(p, (24, 40), tolerance=1e-9) for p in paths])
    torch.testing.assert_close(draw(together, (24, 40), tolerance=1e-9), apart)


def test_later_shapes_lie_over_earlier_ones():
    paths = one([[4, 16], [12, 16], [20, 16], [28, 16]], width=8)
    red, blue = torch.tensor([[1.0, 0, 0]]).double(), torch.tensor([[0, 0, 1.0]]).double()
    both = (torch.cat([paths.points] * 2), torch.cat([paths.widths] * 2))
    rest = (torch.ones(2).double(), torch.tensor([False, False]))
    assert picture(Paths(*both, torch.cat([red, blue]), *rest))[0, 2, 16, 16] > 0.999
    assert picture(Paths(*both, torch.cat([blue, red]), *rest))[0, 0, 16, 16] > 0.999


BROKEN = {
    "nan point": {"points": torch.nan},
    "endless point": {"points": torch.inf},
    "far away": {"points": 1e30},
    "off the canvas": {"points": -500.0},
    "nan width": {"widths": torch.nan},
    "no width": {"widths": 0.0},
    "negative width": {"widths": -3.0},
    "nan colour": {"colours": torch.nan},
    "nan opacity": {"opacity": torch.nan},
}


@pytest.mark.parametrize(
    "broken, filled", [(n, f) for n in BROKEN for f in (False, True) if (n, f) != ("no width", True)]
)
def test_a_broken_shape_adds_nothing_and_keeps_gradients_finite(broken, filled):
    paths = some_paths(5)
    filled_ = paths.filled.clone()
    filled_[2] = filled
    leaves = {}
    for name in ("points", "widths", "colours", "opacity"):
        value = getattr(paths, name).clone()
        value[2] = BROKEN[broken].get(name, value[2])
        leaves[name] = value.requires_grad_()
    seen = picture(Paths(**leaves, filled=filled_), tolerance=1e-9)
    without = [getattr(paths, name)[[0, 1, 3, 4]] for name in ("points", "widths", "colours", "opacity", "filled")]
    torch.testing.assert_close(seen, picture(Paths(*without), tolerance=1e-9))
    seen.square().sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves.values())
    assert leaves["points"].grad[[0, 1, 3, 4]].abs().sum() > 0


@pytest.mark.parametrize("filled", [False, True], ids=["a dot", "nothing"])
def test_a_shape_that_collapsed_to_a_point(filled):
    paths = one([[16, 16]] * 4, width=0 if filled else 6, filled=filled)
    points = paths.points.requires_grad_()
    ink = (1 - picture(Paths(points, *vars_of(paths)))[0, 0]).sum()
    ink.backward()
    assert points.grad.isfinite().all()
    assert ink.item() == pytest.approx(0 if filled else torch.pi * 9, rel=0.02, abs=1e-6)


def test_an_area_that_collapsed_to_a_line_is_gone():
    line = one([[4, 16], [12, 16], [20, 16], [28, 16]], width=0, filled=True)
    assert (1 - picture(line)).abs().max() < 1e-4


def test_no_shapes_and_tiny_pictures():
    empty = Paths(*(getattr(some_paths(), n)[:0] for n in ("points", "widths", "colours", "opacity", "filled")))
    assert torch.equal(draw(empty, (5, 9)), torch.zeros(1, 4, 5, 9, dtype=torch.float64))
    assert draw(some_paths(), (1, 1)).shape == (1, 4, 1, 1)


def test_opaque_strokes_pass_the_gradient_of_what_they_hide():
    paths = one([[4, 16], [12, 16], [20, 16], [28, 16]], width=8)
    background = torch.full((3, 1, 1), 0.5, dtype=torch.float64)
    opacity = torch.ones(1, dtype=torch.float64, requires_grad=True)
    layer = draw(Paths(paths.points, paths.widths, paths.colours, opacity, paths.filled), (32, 32))
    over(layer, background)[0, 0, 16, 16].backward()
    assert opacity.grad.item() == pytest.approx(-0.5, abs=1e-3)  # black instead of grey
