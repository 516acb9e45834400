"""Pixel art: cells, palettes, dither, and the grid that is optimised."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from doubles import TinyModels
from PIL import Image

from clipguide import api, images, palettes
from clipguide.canvases.grid import Grid
from clipguide.canvases.snap import Snap
from clipguide.core import Term, Tick, optimise
from clipguide.errors import UserError
from clipguide.ops.cells import cells, fold
from clipguide.ops.quantise import bayer, nearest, pick

SHAPES = ["square", "brick", "hexagon", "stitch", "tessera"]
SYMMETRIES = {"left-right": (-1,), "top-bottom": (-2,), "turn": (-2, -1)}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shown(grid: Grid) -> torch.Tensor:
    return grid.render(Tick(1, 1, rng(), preview=True)).image.detach()


def opened(data: bytes) -> torch.Tensor:
    """(C, H, W) of a PNG, alpha kept."""
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data)))).movedim(-1, 0) / 255


def distance_to(picture: torch.Tensor, palette: torch.Tensor) -> float:
    return torch.cdist(picture.movedim(1, -1).reshape(-1, 3), palette).amin(1).max().item()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pixel_has_a_cell_and_cells_have_their_size(shape):
    layout = cells(shape, (60, 48), 6)
    assert layout.index.shape == layout.thread.shape == (48, 60)
    assert 0 <= layout.index.min() and layout.index.max() < layout.rows * layout.columns
    inner = torch.bincount(layout.index.flatten())
    loose = 1.6 if shape == "tessera" else 1.2
    assert inner.max() <= 6 * 6 * loose and layout.across == 10
    assert layout.rows == (9 if shape == "hexagon" else 8)


def test_hexagons_have_six_neighbours():
    index = cells("hexagon", (120, 120), 20).index
    middle = index[60, 60]
    ring = torch.zeros_like(index, dtype=torch.bool)
    here = index == middle
    for axis in (0, 1):
        for shift in (-1, 1):
            ring |= here.roll(shift, axis)
    assert len(set(index[ring & ~here].tolist())) == 6


def test_bricks_are_staggered_by_half():
    index = cells("brick", (32, 8), 8, aspect=2.0).index
    edges = [(row[1:] != row[:-1]).nonzero()[:, 0].add(1).tolist() for row in (index[0], index[4])]
    assert edges == [[8, 16, 24], [4, 12, 20, 28]]


def test_cells_may_be_wide_and_need_not_divide_the_picture():
    layout = cells("square", (50, 34), 8, aspect=2.0)
    assert (layout.rows, layout.across) == (8, 6)
    assert torch.bincount(layout.index.flatten(), minlength=48).min() > 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("symmetry", [*SYMMETRIES, "both"])
def test_symmetry_is_exact(shape, symmetry):
    grid = Grid(cells(shape, (46, 36), 5, symmetry=symmetry), rng=rng(), contrast=1.0)
    plain = shape not in ("stitch", "tessera")
    picture = shown(grid) if plain else grid.cells.show(torch.rand(1, 3, grid.cells.rows, 9))
    flips = [(-1,), (-2,)] if symmetry == "both" else [SYMMETRIES[symmetry]]
    for axes in flips:
        torch.testing.assert_close(picture, picture.flip(axes))


def test_odd_sides_fold_about_their_middle():
    index = fold(torch.arange(15).view(3, 5), "both")
    assert torch.equal(index, index.flip(0)) and torch.equal(index, index.flip(1)) and index[1, 2] == 7


def test_the_picture_is_one_colour_a_cell_and_cells_png_has_a_pixel_each():
    grid = Grid(cells("square", (40, 24), 4), rng=rng(), contrast=1.0)
    small = opened(grid.export()["cells.png"])
    assert small.shape == (3, 6, 10)
    large = small.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert (shown(grid)[0] - large).abs().max() < 1 / 255


def test_every_named_palette_is_one():
    for name in palettes.PALETTES:
        colours = palettes.read(name, 16)
        assert colours.shape[1] == 3 and len(colours) == len(colours.unique(dim=0)) >= 2


def test_palettes_from_a_picture_and_from_a_list(tmp_path):
    flag = torch.zeros(3, 12, 12)
    flag[0, :, :6], flag[2, :, 6:] = 1, 1
    images.write(tmp_path / "flag.png", images.png(flag))
    found = palettes.read(f"@{tmp_path / 'flag.png'}", 8)
    assert sorted(found.tolist()) == [[0, 0, 1], [1, 0, 0]]
    assert palettes.read("white, #000 navy", 0).tolist()[:2] == [[1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize("text", ["gamegirl", "navy", "navy, nocolour", "@nothere.png"])
def test_an_unknown_palette_is_refused_in_one_line(text):
    with pytest.raises(UserError) as error:
        palettes.read(text, 4)
    assert "\n" not in str(error.value)


def test_the_nearest_colour_is_the_one_that_looks_alike():
    palette = torch.tensor([[[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]]])
    image = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.1, 0.6], [0.2, 0.2, 0.2], [0.9, 0.9, 0.8]]).mT.view(1, 3, 2, 2)
    assert nearest(image, palette).flatten().tolist() == [2, 3, 0, 1]
    assert torch.equal(pick(torch.tensor([[[2]]]), palette).flatten(), palette[0, 2])


def test_bayers_matrix():
    matrix = bayer(8, 4)
    assert matrix.mean().abs() < 1e-6 and len(matrix[:4].unique()) == 16
    assert torch.equal(matrix[:4], matrix[4:])


@pytest.mark.parametrize("dither", ["none", "bayer", "diffusion"])
def test_snapped_colours_are_of_the_palette_and_dither_keeps_the_mean(dither):
    snap = Snap(palettes.read("1bit", 2)[None], dither=dither)
    grey = torch.full((1, 3, 16, 16), 0.4, requires_grad=True)
    out = snap(grey, final=True)
    assert distance_to(out.detach(), snap.palette[0]) < 1e-6
    out.sum().backward()
    assert torch.equal(grey.grad, torch.ones_like(grey))
    if dither != "none":
        assert abs(out.mean().item() - 0.4) < 0.12


def test_a_learned_palette_finds_the_colours_there_are():
    wanted = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.2, 0.8], [0.9, 0.9, 0.2]])
    picture = wanted[torch.randint(0, 3, (400,), generator=rng())].mT.view(1, 3, 20, 20)
    snap = Snap(torch.rand(1, 3, 3, generator=rng(1)), learn=True)
    for _ in range(120):
        snap.update(picture)
    assert distance_to(wanted.mT.view(1, 3, 1, 3), snap.palette[0]) < 0.02


@pytest.mark.parametrize("palette", [None, "gameboy", "learned"])
def test_the_grid_fits_a_picture(palette):
    target = torch.zeros(1, 3, 32, 32)
    target[:, 1, 8:24, 8:24] = 0.6
    snap = None
    if palette == "gameboy":
        snap = Snap(palettes.read("gameboy", 4)[None])
        target = pick(nearest(target, snap.palette), snap.palette)
    elif palette == "learned":
        snap = Snap(torch.rand(1, 4, 3, generator=rng()), learn=True)
    grid = Grid(cells("square", (32, 32), 4), rng=rng(), lr=0.05, snap=snap)
    term = Term("fit", lambda scene: (scene.image() - target).square().mean())
    *_, last = optimise(grid, [term], steps=150)
    assert (last.image - target).abs().mean() < 0.03


def test_a_transparent_grid_clears_what_is_not_needed():
    grid = Grid(cells("square", (32, 32), 4), rng=rng(), lr=0.1, transparent=True)
    spot = torch.zeros(1, 1, 32, 32)
    spot[..., 8:24, 8:24] = 1

    def red_spot(scene):
        image = scene.image()
        return ((image - torch.tensor([1.0, 0, 0]).view(3, 1, 1)).square() * spot).mean()

    terms = [Term("spot", red_spot), Term("clear", lambda scene: scene.image("alpha").mean(), 0.1)]
    *_, last = optimise(grid, terms, steps=80)
    sprite = opened(grid.export()["sprite.png"])
    assert sprite.shape == (4, 32, 32) and opened(grid.export()["cells.png"]).shape == (4, 8, 8)
    assert torch.equal(sprite[3], spot[0, 0])
    assert (last.image[0, :, 0, 0] == 1).all() and last.image[0, 0, 16, 16] > 0.9


def test_an_image_is_taken_over_cell_by_cell():
    picture = torch.rand(1, 3, 6, 6, generator=rng()).repeat_interleave(4, 2).repeat_interleave(4, 3).clamp(0.05, 0.95)
    grid = Grid(cells("square", (24, 24), 4), rng=rng())
    grid.load(picture)
    assert (shown(grid) - picture).abs().max() < 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cells": "hexagon", "cell": 5, "palette": "any", "symmetry": "both"},
        {"cells": "stitch", "cell": 6, "fabric": "navy", "palette": "pico8", "dither": "bayer"},
        {"cells": "brick", "cell_aspect": 2.0, "palette": "red, white, navy", "dither": "diffusion"},
        {"transparent": True, "clear": 0.5, "colours": 3, "batch": 2},
    ],
    ids=str,
)
def test_pixelart_runs_alike_twice_and_in_its_palette(settings):
    values = {"steps": 3, "size": (32, 24), "cutouts": 2, **settings}
    one, two = (api.generate("a castle", method="pixelart", models=TinyModels(), **values) for _ in range(2))
    assert torch.equal(one.tensor, two.tensor)
    assert one.tensor.shape == (values.get("batch", 1), 3, 24, 32)
    assert len(one.tensor[0].flatten(1).unique(dim=1)) > 0 and one.tensor.isfinite().all()
    if "palette" in settings and settings["palette"].startswith("red"):
        assert distance_to(one.tensor, palettes.read(settings["palette"], 0)) < 1e-6


def test_pixelart_starts_from_a_picture_with_its_colours(tmp_path):
    images.write(tmp_path / "red.png", images.png(torch.tensor([0.8, 0.1, 0.1]).view(3, 1, 1).expand(3, 20, 20)))
    made = api.generate("x", method="pixelart", models=TinyModels(), steps=0, size=(16, 16), init=tmp_path / "red.png")
    assert (made.tensor - torch.tensor([0.8, 0.1, 0.1]).view(3, 1, 1)).abs().max() < 0.01
