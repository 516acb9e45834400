"""The strokes canvas: what it starts from, what it keeps to, and what it gives out."""

from __future__ import annotations

import io

import pytest
import torch
from doubles import make_tick

from clipguide import images
from clipguide.canvases import process, starts
from clipguide.canvases.looks import LOOKS
from clipguide.canvases.starts import Amount
from clipguide.canvases.strokes import Exports, Rates, Strokes
from clipguide.core import Term, optimise

SIZE = (48, 40)  # width, height


def canvas(look: str = "paint", *, batch: int = 1, count: int = 12, filled: float = 0.25, **options) -> Strokes:
    rng = torch.Generator().manual_seed(0)
    return Strokes(
        starts.random(Amount(count, 2, filled), SIZE, LOOKS[look], rng, batch=batch), SIZE, LOOKS[look], **options
    )


def picture(drawing: Strokes) -> torch.Tensor:
    return drawing.render(make_tick()).image.detach()


@pytest.mark.parametrize("look", LOOKS)
def test_draws_in_range_and_keeps_to_its_look(look):
    drawing = canvas(look, batch=2)
    frame = drawing.render(make_tick())
    assert frame.image.shape == (2, 3, 40, 48) and frame.extras["ink"].shape == (2, 1, 40, 48)
    assert 0 <= frame.image.min() and frame.image.max() <= 1 and frame.image.std() > 0.01
    with torch.no_grad():
        for parameter in drawing.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 30)
        drawing.project()
    kept, strokes = LOOKS[look], ~drawing.filled
    low, high = (width * drawing.unit for width in kept.width)
    assert low <= drawing.widths[strokes].min() and drawing.widths.max() <= high
    assert kept.opacity[0] <= drawing.opacity.min() and drawing.opacity.max() <= kept.opacity[1]
    assert kept.darkest <= drawing.colours.min() and drawing.colours.max() <= kept.lightest
    assert not kept.grey or drawing.colours.std(-1).max() < 1e-6


def test_three_learning_rates_in_px_of_the_pictures_size():
    drawing = canvas(rates=Rates(2.0, 0.5, 0.1))
    points, widths, colours = drawing.param_groups()
    assert points["lr"] == pytest.approx(2.0 * 40 / 224) and points["params"][0] is drawing.points
    assert widths["lr"] == pytest.approx(0.5 * 40 / 224) and colours["lr"] == 0.1
    assert sum(len(group["params"]) for group in drawing.param_groups()) == len(list(drawing.parameters()))


@pytest.mark.parametrize("look", ["paint", "watercolour"])
def test_fits_a_target(look):
    target = torch.full((1, 3, 40, 48), 0.5)
    target[..., :24] = torch.tensor([0.9, 0.3, 0.2])[:, None, None]
    term = Term("target", lambda scene: (scene.image() - target).square().mean())
    steps = list(optimise(canvas(look, count=24, rates=Rates(5.0, 3.0, 0.08)), [term], steps=20))
    first, last = ((step.image - target).square().mean().item() for step in (steps[0], steps[-1]))
    assert last < 0.5 * first


def test_a_lost_stroke_comes_back():
    drawing = canvas(filled=0)
    began = drawing.points.detach().clone()
    with torch.no_grad():
        drawing.points[0, 0, 1, 0] = torch.nan
        drawing.points[0, 1] = torch.inf
        drawing.points[0, 2] += 1000
        drawing.points[0, 3] -= 70
        drawing.points[0, 4] = 20.0  # all in one place
        drawing.widths[0, 5], drawing.colours[0, 6, 0], drawing.opacity[0, 7] = torch.nan, torch.inf, torch.nan
        drawing.project()
    assert torch.equal(drawing.points[0, :2], began[0, :2])  # goes back to where it began
    for stroke in drawing.points[0, 2:4]:  # is pushed back to the edge
        assert stroke.amax(0).min() >= 1.9 and (stroke.amin(0) <= torch.tensor(SIZE) - 1.9).all()
    opened = drawing.points[0, 4]
    assert (opened.amax(0) - opened.amin(0)).max() > 1
    torch.testing.assert_close(opened.mean(0), torch.tensor([20.0, 20.0]))
    torch.testing.assert_close(drawing.points[0, 8:], began[0, 8:])
    assert all(parameter.isfinite().all() for parameter in drawing.parameters())


def test_a_gradient_that_is_not_finite_stops_nothing():
    drawing = canvas()

    def loss(scene):
        return (scene.image() * scene.image().new_tensor(torch.nan if scene.tick.step == 1 else 1.0)).mean()

    steps = list(optimise(drawing, [Term("broken once", loss)], steps=4))
    assert all(parameter.isfinite().all() for parameter in drawing.parameters())
    assert not torch.equal(steps[2].image, steps[-1].image)  # it went on


@pytest.mark.parametrize("look", ["paint", "charcoal", "watercolour"])
def test_the_exported_svg_is_the_picture(look):
    import resvg_py
    from PIL import Image

    drawing = canvas(look, paper=torch.tensor([1.0, 1.0, 0.8]))
    data = drawing.export()["drawing.svg"]
    theirs = images.from_pil(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=data.decode())))))
    assert (theirs - picture(drawing)).abs().mean() < 0.02


def test_exports_a_large_png_and_the_process(monkeypatch):
    from PIL import Image

    monkeypatch.setattr("clipguide.canvases.strokes.PROCESS_SIDE", 60)

    drawing = canvas(batch=2, exports=Exports(scale=3, process="gif", seconds=0.3))
    files = drawing.export()
    assert set(files) == {
        f"{name}{n}.{kind}"
        for n in ("", "-2")
        for name, kind in (("drawing", "svg"), ("drawing", "png"), ("process", "gif"))
    }
    large = images.from_pil(Image.open(io.BytesIO(files["drawing-2.png"])))
    assert large.shape == (1, 3, 120, 144)
    small = torch.nn.functional.avg_pool2d(large, 3)
    assert (small - picture(drawing)[1:]).abs().mean() < 0.02
    film = Image.open(io.BytesIO(files["process.gif"]))
    assert film.n_frames > 3 and film.size == (72, 60)
    assert canvas().export().keys() == {"drawing.svg"}


@pytest.mark.parametrize("look", ["paint", "watercolour"])
def test_the_process_ends_with_the_drawing(look):
    drawing = canvas(look)
    with torch.no_grad():
        shown = list(process.frames(lambda paths, ground: drawing.draw_on(ground, paths, 1.0)[0], drawing.paths, 5))
    assert len(shown) == 5
    assert torch.equal(shown[0], torch.ones_like(shown[0]))
    apart = (shown[-1] - picture(drawing)).abs()  # few strokes are cut into other pieces than all are
    assert apart.mean() < 0.002 and apart.max() < 0.1


def photo() -> torch.Tensor:
    """A red disc on the right of a white page."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(48.0), indexing="ij")
    inside = ((x - 32).square() + (y - 20).square() < 100).float()
    return 1 - inside * torch.tensor([0.1, 0.9, 0.9])[:, None, None][None]


def test_strokes_from_a_photo_follow_its_contours_in_its_colours():
    rng = torch.Generator().manual_seed(0)
    paths = starts.along(photo(), Amount(16), LOOKS["paint"], rng, batch=2)
    assert paths.points.shape == (2, 16, 7, 2)
    radius = (paths.points - torch.tensor([32.5, 20.5])).norm(dim=-1)
    assert (radius[:, :, 3] - 10).abs().median() < 1.5  # the middles lie on the rim
    assert (radius - 10).abs().mean() < 4  # and so do the rest, in the main
    assert not torch.equal(paths.points[0], paths.points[1])


def test_saliency_says_which_contours():
    left = torch.zeros(1, 1, 40, 48)
    left[..., :30] = 1
    paths = starts.along(photo(), Amount(8), LOOKS["ink"], torch.Generator().manual_seed(0), saliency=left)
    assert (paths.points[0, :, 3, 0] <= 31).all()
    assert paths.colours.max() <= LOOKS["ink"].lightest


def test_a_photo_without_contours_still_gives_strokes():
    paths = starts.along(torch.full((1, 3, 40, 48), 0.5), Amount(5), LOOKS["paint"], torch.Generator().manual_seed(0))
    assert all(part.isfinite().all() for part in (paths.points, paths.widths, paths.colours, paths.opacity))


def test_its_state_makes_the_same_picture_again():
    drawing, other = canvas(), canvas(count=12, look="paint")
    list(optimise(drawing, [Term("dark", lambda scene: scene.image().mean())], steps=2))
    other.load_state_dict(drawing.state_dict())
    assert torch.equal(picture(other), picture(drawing))


@pytest.mark.parametrize("look", LOOKS)
def test_projecting_twice_is_projecting_once(look):
    drawing = canvas(look)
    once = [parameter.clone() for parameter in drawing.parameters()]
    with torch.no_grad():
        drawing.project()
    assert all(torch.equal(a, b) for a, b in zip(once, drawing.parameters(), strict=True))
