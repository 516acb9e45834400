"""What every canvas must do.  A new canvas is one line in `CANVASES`."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from doubles import Colours, make_tick
from torch import Tensor, nn

from clipguide.canvases.averaged import Averaged
from clipguide.canvases.fourier import Fourier
from clipguide.canvases.grid import Grid
from clipguide.canvases.pixels import Pixels
from clipguide.canvases.pyramid import Pyramid
from clipguide.canvases.vqgan import Latent
from clipguide.core import Exportable, Frame, Loadable, Scene, Term, Tick, optimise
from clipguide.ops.cells import cells
from clipguide.ops.colour import decorrelate

# name -> (size, rng, batch) -> canvas
CANVASES = {
    "pixels": lambda size, rng, batch=1: Pixels(size, rng=rng, batch=batch, lr=0.05),
    "fourier": lambda size, rng, batch=1: Fourier(size, rng=rng, batch=batch, lr=0.1),
    "coarse to fine": lambda size, rng, batch=1: Fourier(size, rng=rng, batch=batch, detail=(0.1, 0.5), lr=0.1),
    "with a margin": lambda size, rng, batch=1: Fourier(size, rng=rng, batch=batch, margin=0.125, lr=0.1),
    "averaged pixels": lambda size, rng, batch=1: Averaged(Pixels(size, rng=rng, batch=batch, lr=0.05), 0.8),
    "averaged fourier": lambda size, rng, batch=1: Averaged(Fourier(size, rng=rng, batch=batch, lr=0.1), 0.8),
    "grid": lambda size, rng, batch=1: Grid(cells("square", size, 1), rng=rng, batch=batch, lr=0.1),
    "vqgan": lambda size, rng, batch=1: Latent(Colours(), size, rng=rng, batch=batch),
    "averaged vqgan": lambda size, rng, batch=1: Averaged(Latent(Colours(), size, rng=rng, batch=batch), 0.8),
    "pyramid": lambda size, rng, batch=1: Pyramid(size, rng=rng, batch=batch, lr=0.02),
}
every = pytest.mark.parametrize("make", CANVASES.values(), ids=CANVASES)
SIZES = [(24, 24), (33, 17), (16, 40)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scenery(size: tuple[int, int]) -> Tensor:
    """A smooth coloured picture with an edge in it."""
    width, height = size
    coarse = 0.15 + 0.7 * torch.rand(1, 3, 4, 4, generator=rng(7))
    image = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0.05, 0.95)
    image[..., width // 2 :] *= 0.6
    return image


def towards(target: Tensor) -> Term:
    return Term("apart", lambda scene: (scene.image() - target).square().mean())


@every
@pytest.mark.parametrize("size", SIZES)
def test_shows_pictures_of_its_size_in_range(make, size):
    canvas = make(size, rng(), batch=2)
    for tick in (make_tick(), make_tick(5), make_tick(10, preview=True)):
        image = canvas.render(tick).image
        assert image.shape == (2, 3, size[1], size[0]) and image.dtype == torch.float32
        assert image.min() >= 0 and image.max() <= 1
    assert not torch.equal(image[0], image[1])


@every
def test_fits_a_picture(make):
    target = scenery((24, 24))
    steps = list(optimise(make((24, 24), rng()), [towards(target)], steps=200))
    assert (steps[-1].image - target).abs().mean() < 0.03 < (steps[0].image - target).abs().mean()
    for step in steps[::20]:
        assert step.image.min() >= 0 and step.image.max() <= 1


@every
def test_projecting_twice_is_projecting_once(make):
    canvas = make((24, 24), rng())
    with torch.no_grad():
        for parameter in canvas.param_groups()[0]["params"]:
            parameter.add_(torch.randn(parameter.shape, generator=rng(1)))
        canvas.project()
        once = canvas.render(make_tick()).image.clone()
        canvas.project()
    torch.testing.assert_close(canvas.render(make_tick()).image, once, rtol=0, atol=1e-6)
    assert once.min() >= -1e-6 and once.max() <= 1 + 1e-6


@every
def test_the_same_seed_draws_the_same_start(make):
    first, again, other = (make((24, 24), rng(seed)).render(make_tick()).image for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@every
def test_its_state_makes_the_same_picture_again(make):
    canvas = make((24, 24), rng())
    list(optimise(canvas, [towards(scenery((24, 24)))], steps=3))
    other = make((24, 24), rng(9))
    other.load_state_dict(copy.deepcopy(canvas.state_dict()))
    for tick in (make_tick(10, preview=True), make_tick(4)):
        assert torch.equal(other.render(tick).image, canvas.render(tick).image)


@every
@pytest.mark.parametrize("size", SIZES)
def test_starts_from_a_picture(make, size):
    canvas = make(size, rng(), batch=2)
    assert isinstance(canvas, Loadable)
    canvas.load(scenery(size))
    image = canvas.render(make_tick(10)).image
    assert (image - scenery(size)).abs().max() < 0.02
    both = torch.cat([scenery(size), scenery(size).flip(-1)])
    canvas.load(both)
    assert (canvas.render(make_tick(10)).image - both).abs().max() < 0.02


@every
def test_one_of_a_batch_moves_as_one_alone(make):
    apart = Term("apart", lambda scene: (scene.image() - scenery((16, 16))).square().sum())
    both = [step.image for step in optimise(make((16, 16), rng(), batch=2), [apart], steps=2)]
    alone = make((16, 16), rng())
    with torch.no_grad():  # the same start
        parameters = zip(alone.parameters(), make((16, 16), rng(), batch=2).parameters(), strict=True)
        for one, two in parameters:
            one.copy_(two[:1])
    single = [step.image for step in optimise(alone, [apart], steps=2)]
    torch.testing.assert_close(single[-1], both[-1][:1], rtol=0, atol=1e-3)


def test_the_spectrum_falls_with_the_frequency_and_has_natural_colours():
    image = Fourier((128, 128), rng=rng(), batch=4, contrast=0.2).render(make_tick()).image
    waves = torch.fft.rfft2(decorrelate(torch.logit(image.detach()) / 4)).abs()
    frequency = torch.sqrt(torch.fft.fftfreq(128)[:, None] ** 2 + torch.fft.rfftfreq(128)[None] ** 2)
    power = [waves[..., (frequency > low) & (frequency < 1.5 * low)].mean() for low in (0.02, 0.04, 0.08, 0.16, 0.32)]
    for coarse, fine in zip(power, power[1:], strict=False):
        assert coarse / fine == pytest.approx(2, rel=0.25)
    grey, red_green, _ = decorrelate(image.detach() - 0.5).std((0, 2, 3))
    assert grey == pytest.approx(float(red_green), rel=0.3)  # alike where colours are decorrelated ...
    assert image.mean(1).std() > 2 * (image - image.mean(1, keepdim=True)).std()  # ... so brightness varies most


@pytest.mark.parametrize("size", [(64, 64), (96, 31), (17, 80), (256, 256)])
@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_the_contrast_of_the_start_is_what_was_asked_for(size, decay):
    waves = Fourier(size, rng=rng(), batch=8, contrast=0.3, decay=decay)._waves(1.0).detach()
    assert float(waves.std()) == pytest.approx(0.3, rel=0.25)


def test_coarse_waves_come_first_and_a_preview_shows_what_was_reached():
    canvas = Fourier((64, 64), rng=rng(), detail=(0.1, 0.5))

    def roughness(step: int, preview: bool = False) -> float:
        image = canvas.render(make_tick(step, preview=preview)).image.detach()
        return float(image.diff(dim=-1).abs().mean())

    early, later, full = roughness(0), roughness(3), roughness(5)
    assert early < 0.8 * later < 0.9 * full and full == pytest.approx(roughness(9))
    roughness(2)
    assert roughness(10, preview=True) == pytest.approx(roughness(2))


@pytest.mark.parametrize("margin", [0.0, 0.125])
def test_with_a_margin_the_bottom_does_not_show_at_the_top(margin):
    canvas = Fourier((64, 64), rng=rng(), detail=(0.1, 0.5), margin=margin)
    ramp = torch.linspace(0.1, 0.9, 64)[:, None].expand(1, 3, 64, 64)
    canvas.load(ramp)
    top = float(canvas.render(make_tick(0)).image.detach()[..., 0, :].mean())
    assert top < 0.15 if margin else top > 0.3


def test_a_margin_is_never_as_large_as_the_picture():
    canvas = Fourier((256, 8), rng=rng(), margin=0.125)
    canvas.load(torch.rand(1, 3, 8, 256))
    assert canvas.render(make_tick()).image.shape == (1, 3, 8, 256)


def test_a_fourier_step_moves_coarse_and_fine_alike():
    """Adam's steps are of one size: through the stored 1/f they move a picture as natural pictures vary."""
    canvas = Fourier((64, 64), rng=rng(), contrast=0.0, lr=0.1)
    noise = torch.rand(1, 3, 64, 64, generator=rng(2))
    *_, last = optimise(canvas, [towards(noise)], steps=1)
    change = torch.fft.rfft2(last.image - 0.5).abs().mean((0, 1))
    assert change[1:3, 1:3].mean() > 5 * change[20:40, 10:30].mean()


def test_the_average_is_the_mean_of_the_past_corrected_for_its_start():
    canvas = Averaged(Pixels((8, 8), rng=rng(), lr=0.1), 0.5)
    values = []
    for _step in optimise(canvas, [towards(torch.ones(1, 3, 8, 8))], steps=3):
        values.append(canvas.canvas.pixels.detach().clone())
    weights = [0.25, 0.5, 1.0]  # of what the three steps left
    want = sum(w * v for w, v in zip(weights, values[1:], strict=True)) / sum(weights)
    torch.testing.assert_close(_step.image, want)
    assert torch.equal(canvas.render(make_tick(1)).image, values[-1])  # only previews show it


class Drawing(nn.Module):
    """A canvas that cannot load, with a frozen generator and something to export."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Parameter(torch.zeros(1, 3, 4, 4))
        self.generator = nn.Linear(50, 50).requires_grad_(False)

    def param_groups(self):
        return [{"params": [self.line], "lr": 0.1}]

    def render(self, tick: Tick) -> Frame:
        return Frame(self.line + 0)

    def project(self) -> None:
        self.line.clamp_(0, 1)

    def export(self) -> dict[str, bytes]:
        return {"line.txt": f"{float(self.line.mean().detach()):.4f}".encode()}


def test_an_average_can_what_its_canvas_can_and_exports_what_it_shows():
    pixels, drawing = Averaged(Pixels((4, 4), rng=rng())), Averaged(Drawing(), 0.9)
    assert isinstance(pixels, Loadable) and not isinstance(pixels, Exportable)
    assert isinstance(drawing, Exportable) and not isinstance(drawing, Loadable)
    *_, last = optimise(drawing, [towards(torch.ones(1, 3, 4, 4))], steps=4)
    assert float(drawing.export()["line.txt"]) == pytest.approx(float(last.image.mean()), abs=1e-4)
    assert float(drawing.canvas.export()["line.txt"]) > float(last.image.mean()) + 0.02


def test_an_average_holds_only_what_is_optimised():
    assert [average.shape for average in Averaged(Drawing()).average] == [(1, 3, 4, 4)]


def test_gradients_reach_a_canvas_only_through_what_is_asked(models):
    canvas = Averaged(Drawing())

    def loss(scene: Scene) -> Tensor:
        return scene.image().mean()

    list(optimise(canvas, [Term("x", loss)], steps=2))
    assert canvas.canvas.generator.weight.grad is None
