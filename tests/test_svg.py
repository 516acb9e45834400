"""SVG out and in: another program sees what the renderer sees, and drawings come back."""

from __future__ import annotations

import io

import pytest
import torch

from clipguide import images
from clipguide.canvases import svg
from clipguide.errors import UserError
from clipguide.ops.strokes import Paths, draw, glaze, over

SIZE = (96, 72)  # width, height
PAPER = torch.tensor([1.0, 0.98, 0.9])


def drawing(count: int = 48, seed: int = 0) -> Paths:
    rng = torch.Generator().manual_seed(seed)
    start = torch.rand(count, 1, 2, generator=rng) * torch.tensor([96.0, 72.0])
    steps = 20 * (torch.rand(count, 6, 2, generator=rng) - 0.5)
    points = torch.cat([start, start + steps.cumsum(1)], 1)
    rest = torch.rand(count, 5, generator=rng)
    return Paths(points, 0.5 + 5 * rest[:, 0], rest[:, 1:4], rest[:, 4], torch.arange(count) % 4 == 3)


def rasterise(data: bytes) -> torch.Tensor:
    """By resvg: (1, 3, H, W)."""
    import resvg_py
    from PIL import Image

    return images.from_pil(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=data.decode())))))


@pytest.mark.parametrize("soft", [0.75, 2.0])
@pytest.mark.parametrize("multiply", [False, True])
def test_another_program_draws_the_same_picture(multiply, soft):
    paths, paper = drawing(), PAPER[:, None, None]
    ours = glaze(paths, SIZE[::-1], soft=soft) * paper if multiply else over(draw(paths, SIZE[::-1], soft=soft), paper)
    theirs = rasterise(svg.write(paths, SIZE, background=PAPER, multiply=multiply, soft=soft))
    assert theirs.shape == ours.shape
    assert (ours - theirs).abs().mean() < 0.02
    assert (ours - paper).abs().mean() > 0.1  # and it is no empty sheet


def test_written_strokes_come_back():
    paths = drawing()
    names = ("points", "widths", "colours", "opacity", "filled")
    strokes = Paths(*(getattr(paths, name)[~paths.filled] for name in names))
    again = svg.read(svg.write(strokes, SIZE), SIZE)
    torch.testing.assert_close(again.points, strokes.points, atol=0.006, rtol=0)
    torch.testing.assert_close(again.widths, strokes.widths, atol=0.001, rtol=0)
    torch.testing.assert_close(again.colours, strokes.colours, atol=0.5 / 255 + 1e-6, rtol=0)
    torch.testing.assert_close(again.opacity, strokes.opacity, atol=1e-4, rtol=0)


def test_an_area_with_an_edge_comes_back_as_an_area_and_a_stroke():
    paths = drawing(8)
    again = svg.read(svg.write(paths, SIZE), SIZE)
    assert int(again.filled.sum()) == int(paths.filled.sum()) == 2
    assert len(again.points) == 8 + 2


FOREIGN = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100">
<rect x="20" y="20" width="60" height="60" fill="#ff0000"/>
<g transform="translate(100 0)"><circle cx="50" cy="50" r="30" fill="blue" opacity="0.5"/></g>
<polyline points="10,90 100,95 190,90" fill="none" stroke="green" stroke-width="4"/>
<path d="M10 10 Q 100 40 190 10" fill="none" stroke="black" stroke-width="3"/>
<text x="5" y="5">not read</text></svg>"""


def test_foreign_drawings_are_read_as_another_program_shows_them():
    paths = svg.read(FOREIGN.encode(), (200, 100))
    ours = over(draw(paths, (100, 200)), torch.ones(3, 1, 1))
    shown = FOREIGN.split("<text")[0] + "</svg>"  # their text depends on the fonts that are installed
    theirs = rasterise(shown.replace("<rect", '<rect width="200" height="100" fill="white"/><rect', 1).encode())
    assert (ours - theirs).abs().mean() < 0.01
    assert paths.filled.tolist() == [True, True, False, False]


def test_a_drawing_is_fitted_into_the_middle():
    square = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>'
    box = svg.read(square, (100, 40)).points[0]
    torch.testing.assert_close(box.amin(0), torch.tensor([30.0, 0.0]))
    torch.testing.assert_close(box.amax(0), torch.tensor([70.0, 40.0]))


def test_a_shape_that_is_not_finite_is_left_out():
    paths = drawing(4)
    paths.points[1, 2, 0] = torch.nan
    assert svg.write(paths, SIZE).count(b"<path") == 3


MANY = "<svg xmlns='http://www.w3.org/2000/svg'><path fill='red' d='M0 0" + "L1 2L2 1" * 200 + "'/></svg>"


@pytest.mark.parametrize(
    "data, says",
    [
        (b"", "no SVG"),
        (b"\x89PNG\r\n", "no SVG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "0 shapes"),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", "entities"),
        (MANY.encode(), "at most 256"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(data, says):
    with pytest.raises(UserError, match=says) as error:
        svg.read(data, SIZE)
    assert "\n" not in str(error.value)
