"""Shapes: the canvas, its SVG, and the search that needs no gradient."""

from __future__ import annotations

import pytest
import torch
from doubles import TinyModels

from clipguide import api, images
from clipguide.canvases import svg
from clipguide.canvases.shapes import Rates, Shapes
from clipguide.core import Frame, Term, Tick, optimise
from clipguide.errors import UserError
from clipguide.evolution import Search, evolve
from clipguide.ops.strokes import draw, over

KINDS = ["triangle", "rectangle", "ellipse"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shown(canvas) -> torch.Tensor:
    return canvas.render(Tick(1, 1, rng(), preview=True)).image.detach()


def square() -> torch.Tensor:
    target = torch.ones(1, 3, 32, 40)
    target[:, 1:, 8:24, 12:28] = 0.1
    return target


def to(target: torch.Tensor) -> Term:
    return Term("fit", lambda scene: (scene.image() - target).square().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_fit_a_picture_by_gradient(kind):
    shapes = Shapes(kind, 6, (40, 32), rng=rng(), rates=Rates(0.03, 0.1, 0.1), learn_ground=True)
    steps = list(optimise(shapes, [to(square())], steps=30))
    assert steps[-1].losses["fit"] < 0.6 * steps[0].losses["fit"]
    assert 0 <= steps[-1].image.min() and steps[-1].image.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_svg_shows_the_picture(kind):
    import io

    import resvg_py
    from PIL import Image

    shapes = Shapes(kind, 8, (64, 48), rng=rng(3), ground=torch.tensor([0.2, 0.3, 0.9]))
    data = shapes.export()["drawing.svg"]
    drawn = images.from_pil(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=data.decode())))))
    assert (drawn - shown(shapes)).abs().mean() < 0.02
    again = over(draw(svg.read(data, (64, 48)), (48, 64)), torch.ones(3, 1, 1))
    assert (again - shown(shapes)).abs().mean() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_broken_numbers_come_back_into_the_legal_set(kind):
    shapes = Shapes(kind, 3, (32, 24), rng=rng())
    with torch.no_grad():
        shapes.place[0, 0], shapes.place[0, 1], shapes.place[0, 2] = torch.nan, 50.0, -50.0
        shapes.colour[0, 0], shapes.opacity[0, 1] = torch.nan, -3.0
        shapes.project()
    assert all(parameter.isfinite().all() for parameter in shapes.parameters())
    assert shapes.place.abs().max() < 1.5 + 32 / 24 or kind != "triangle"
    assert 0 <= shapes.colour.min() and 0 < shapes.opacity.min() and shapes.opacity.max() <= 1


def test_shapes_take_the_colours_of_a_picture():
    shapes = Shapes("ellipse", 20, (40, 32), rng=rng(), learn_ground=True)
    shapes.load(torch.tensor([0.2, 0.6, 0.4]).view(1, 3, 1, 1).expand(1, 3, 32, 40))
    torch.testing.assert_close(shown(shapes), torch.tensor([0.2, 0.6, 0.4]).view(1, 3, 1, 1).expand(1, 3, 32, 40))


class Steps(torch.nn.Module):
    """A canvas without any gradient: its colours are rounded."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = torch.nn.Parameter(torch.full((3,), 0.5))

    def param_groups(self):
        return [{"params": [self.colour], "lr": 0.02}]

    def render(self, tick: Tick) -> Frame:
        return Frame((20 * self.colour).round().div(20).view(1, 3, 1, 1).expand(1, 3, 4, 4))

    def project(self) -> None:
        self.colour.clamp_(0, 1)


def test_evolution_needs_no_gradient():
    target = torch.tensor([0.9, 0.1, 0.3]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    *_, last = evolve(Steps(), [to(target)], Search(population=16, speed=3.0), steps=60)
    assert last.last and (last.image - target).abs().max() < 0.08


def test_evolution_moves_shapes():
    shapes = Shapes("rectangle", 3, (40, 32), rng=rng())
    steps = list(evolve(shapes, [to(square())], Search(population=8, speed=4.0), steps=25))
    assert steps[-1].losses["fit"] < 0.6 * steps[0].losses["fit"]


def test_evolution_resumes_to_the_identical_picture():
    def run(resume=None):
        shapes = Shapes("triangle", 3, (24, 24), rng=rng())
        return evolve(shapes, [to(torch.zeros(1, 3, 24, 24))], Search(population=4), steps=6, seed=3, resume=resume)

    states, whole = [], []
    for step in run():
        states.append(step.state())
        whole.append(step.image)
    *_, last = run(states[3])
    assert torch.equal(last.image, whole[-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": "ellipse", "ground": "navy", "learn_ground": False, "batch": 2},
        {"shape": "triangle", "by": "evolution", "population": 4},
        {"shape": "rectangle", "smooth": 0.1},
    ],
    ids=str,
)
def test_shapes_run_alike_twice(settings):
    values = {"steps": 3, "size": (32, 24), "cutouts": 2, "count": 4, **settings}
    one, two = (api.generate("a castle", method="shapes", models=TinyModels(), **values) for _ in range(2))
    assert torch.equal(one.tensor, two.tensor)
    assert one.tensor.shape == (values.get("batch", 1), 3, 24, 32) and one.tensor.isfinite().all()


def test_evolution_makes_one_picture_at_a_time():
    with pytest.raises(UserError, match="batch 2"):
        api.generate("x", method="shapes", models=TinyModels(), by="evolution", batch=2)
