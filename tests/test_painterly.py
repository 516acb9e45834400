"""Pictures in strokes: broad ones first, finer ones where those left something out."""

from __future__ import annotations

import pytest
import torch

from clipguide.canvases.looks import LOOKS
from clipguide.canvases.painterly import painted
from clipguide.canvases.starts import Amount, along
from clipguide.ops.strokes import Paths, draw, glaze, over

WHITE = torch.ones(3)
STAR = (45, 18)  # x, y


def night() -> torch.Tensor:
    """A blue sky over black ground, a moon, and a star of 5 px."""
    y, x = torch.meshgrid(torch.arange(56.0), torch.arange(64.0), indexing="ij")
    sky = torch.tensor([0.1, 0.1, 0.5])[:, None, None] * (y < 40)
    light = ((x - 18).square() + (y - 16).square() < 64) | ((x - STAR[0]).square() + (y - STAR[1]).square() < 7)
    return torch.where(light, torch.tensor([1.0, 0.9, 0.5])[:, None, None], sky)[None]


def paint(amount: Amount, look: str = "paint", seed: int = 0, **how) -> Paths:
    return painted(night(), amount, LOOKS[look], torch.Generator().manual_seed(seed), paper=WHITE, **how)


def shown(paths: Paths, look: str = "paint") -> torch.Tensor:
    if LOOKS[look].multiply:
        return glaze(paths, (56, 64)) * WHITE[:, None, None]
    return over(draw(paths, (56, 64)), WHITE[:, None, None])


def error(paths: Paths, look: str = "paint") -> float:
    return float((shown(paths, look) - night()).square().mean())


def test_the_picture_is_seen_in_the_strokes():
    rng = torch.Generator().manual_seed(0)
    one_size = along(night(), Amount(120), LOOKS["paint"], rng, spread=1.0)
    assert error(paint(Amount(120))) < 0.02 < error(one_size)


def test_small_lights_are_kept():
    x, y = STAR
    light = shown(paint(Amount(120)))[0, 0, y - 1 : y + 2, x - 1 : x + 2]
    assert light.min() > 0.5  # the sky has 0.1


def test_broad_strokes_lie_below_fine_ones():
    widths = paint(Amount(100)).widths[0]
    assert widths[:10].min() > 2 * widths[-30:].max()


def test_strokes_go_where_the_paper_does_not_show_it_yet():
    page = torch.ones(1, 3, 56, 64)
    page[:, :, 20:36, 24:40] = 0  # a twelfth of the picture
    paths = painted(page, Amount(40), LOOKS["paint"], torch.Generator().manual_seed(0), paper=WHITE)
    off = (paths.points[0, :, 3] - torch.tensor([32.0, 28.0])).abs().amax(1)
    assert (off < 14).float().mean() > 0.7


def test_salient_places_get_the_strokes():
    left = torch.zeros(1, 1, 56, 64)
    left[..., :32] = 1
    middles = paint(Amount(30), saliency=left).points[0, :, 3, 0]
    assert (middles < 36).all()


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_brings_paper_nearer_to_the_picture(look):
    paths, kept = paint(Amount(60), look), LOOKS[look]
    assert error(paths, look) < 0.9 * float((1 - night()).square().mean())
    unit = 56 / 224
    assert (paths.widths >= kept.width[0] * unit - 1e-6).all() and (paths.widths <= kept.width[1] * unit + 1e-6).all()
    assert (paths.colours >= kept.darkest).all() and (paths.colours <= kept.lightest).all()
    assert (paths.opacity >= kept.opacity[0]).all() and (paths.opacity <= kept.opacity[1]).all()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_shapes(count):
    paths = paint(Amount(count, 1, filled=0.5))
    assert paths.points.shape == (1, count, 4, 2) and paths.filled.sum() == round(count / 2)
    assert paths.filled[0, : round(count / 2)].all()  # areas lie below


def test_a_picture_like_the_paper_still_gives_strokes():
    page = torch.ones(1, 3, 56, 64)
    paths = painted(page, Amount(9), LOOKS["paint"], torch.Generator().manual_seed(0), paper=WHITE)
    assert all(part.isfinite().all() for part in (paths.points, paths.widths, paths.colours, paths.opacity))


def test_dice_say_where_they_lie():
    one, two, other = paint(Amount(12)), paint(Amount(12)), paint(Amount(12), seed=1)
    assert torch.equal(one.points, two.points) and not torch.equal(one.points, other.points)
