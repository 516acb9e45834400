"""The canvases of VQGAN codes, and the network that draws them in tiles."""

from __future__ import annotations

import pytest
import torch
from doubles import Colours, make_tick, tiny_vqgan

from clipguide.canvases.vqgan import Choice, Latent
from clipguide.core import Term, optimise
from clipguide.losses.latent import near
from clipguide.models.tiled import Tiled


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [(32, 32), (40, 24), (33, 50), (17, 16)])
@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize("kind", [Latent, Choice])
def test_any_size_is_drawn_by_whole_codes(kind, size, shrink):
    canvas = kind(tiny_vqgan(), size, rng=rng(), batch=2, shrink=shrink)
    frame = canvas.render(make_tick())
    assert frame.image.shape == (2, 3, size[1], size[0])
    assert frame.extras["latent"].shape == (2, 4, -(-size[1] // (8 * shrink)), -(-size[0] // (8 * shrink)))
    canvas.load(torch.rand(1, 3, size[1], size[0]))
    assert canvas.render(make_tick()).image.shape == frame.image.shape


def test_it_starts_as_random_codes_and_is_drawn_by_codes():
    vqgan = tiny_vqgan()
    canvas = Latent(vqgan, (32, 32), rng=rng())
    z = canvas.render(make_tick()).extras["latent"]
    torch.testing.assert_close(vqgan.lookup(vqgan.nearest(z)), z)
    with torch.no_grad():
        canvas.z += 0.01 * torch.randn(canvas.z.shape, generator=rng())
    codes = vqgan.lookup(vqgan.nearest(canvas.render(make_tick()).extras["latent"]))
    torch.testing.assert_close(canvas.render(make_tick()).image, vqgan.decode(codes))


def test_projecting_keeps_every_channel_within_its_codes():
    vqgan = tiny_vqgan()
    canvas = Latent(vqgan, (32, 32), rng=rng())
    with torch.no_grad():
        canvas.z += 5 * torch.randn(canvas.z.shape, generator=rng())
        canvas.project()
    z = canvas.render(make_tick()).extras["latent"]
    torch.testing.assert_close(z.amax((0, 2, 3)), vqgan.codebook.amax(0))
    torch.testing.assert_close(z.amin((0, 2, 3)), vqgan.codebook.amin(0))


def test_the_network_is_no_part_of_what_is_saved_or_moved():
    assert Latent(tiny_vqgan(), (32, 32), rng=rng()).state_dict().keys() == {"z", "start"}
    assert Choice(tiny_vqgan(), (32, 32), rng=rng()).state_dict().keys() == {"logits", "start"}


def test_a_choice_begins_with_the_codes_of_its_start_and_draws_them_by_their_odds():
    vqgan, picture = tiny_vqgan(), torch.rand(1, 3, 32, 32, generator=rng(1))
    canvas = Choice(vqgan, (32, 32), rng=rng(), batch=2)
    canvas.load(picture)
    likeliest = canvas.render(make_tick(preview=True)).image
    want = vqgan.decode(vqgan.quantise(vqgan.encode(picture)))
    torch.testing.assert_close(likeliest, want.expand(2, -1, -1, -1), rtol=0, atol=1e-5)
    numbers = vqgan.nearest(canvas.start)
    drawn = [vqgan.nearest(canvas.codes(make_tick(seed=seed))[1]) == numbers for seed in range(40)]
    assert float(torch.stack(drawn).float().mean()) == pytest.approx(0.9, abs=0.03)


def test_a_choice_can_be_learned():
    vqgan = tiny_vqgan()
    canvas, want = Choice(vqgan, (32, 32), rng=rng(), lr=0.3), Latent(vqgan, (32, 32), rng=rng(5)).start
    apart = Term("apart", lambda scene: (scene.image("latent") - want).square().mean())
    *_, last = optimise(canvas, [apart], steps=60)
    assert torch.equal(vqgan.nearest(canvas.codes(make_tick(preview=True))[1]), vqgan.nearest(want))


def test_the_rate_is_in_units_of_each_channel_of_the_codebook():
    vqgan, wanted = tiny_vqgan(), torch.randn(1, 4, 4, 4, generator=rng(1))
    scale = torch.tensor([1.0, 10.0, 0.1, 3.0])
    with torch.no_grad():
        vqgan.codebook.mul_(scale)
    canvas = Latent(vqgan, (32, 32), rng=rng(), lr=0.1)
    apart = Term("apart", lambda scene: (scene.image("latent") * wanted).sum())
    before = canvas.render(make_tick()).extras["latent"].detach()
    list(optimise(canvas, [apart], steps=1))
    moved = (canvas.render(make_tick()).extras["latent"].detach() - before).abs().amax((0, 2, 3))
    torch.testing.assert_close(moved, 0.1 * vqgan.codebook.std(0), rtol=0.01, atol=1e-4)


def test_near_pulls_to_the_start_and_not_to_nought():
    def moved(weight: float) -> float:
        canvas = Latent(Colours(), (16, 16), rng=rng(), lr=0.1)
        canvas.load(torch.full((1, 3, 16, 16), 0.8))
        dark = Term("dark", lambda scene: scene.image().square().mean())
        *_, last = optimise(canvas, [dark, Term("near", near(), weight)], steps=30)
        return float((last.image - 0.8).abs().mean())

    free, held = moved(0.0), moved(10.0)
    assert held < 0.2 * free and free > 0.5


@pytest.mark.parametrize("size", [(200, 136), (128, 128), (72, 400)])
def test_tiles_draw_what_the_whole_network_draws_and_pass_its_gradient(size):
    """Its gradient too, where tiles agree: `Colours` sees one pixel at a time."""
    width, height = size
    picture = torch.rand(1, 3, height, width, generator=rng(1)).requires_grad_()
    whole, tiled = Colours(), Tiled(Colours(), 64)
    torch.testing.assert_close(tiled.encode(picture.detach()), whole.encode(picture.detach()))
    weight = torch.rand(1, 3, height, width, generator=rng(2))
    for network in (whole, tiled):
        (network.decode(picture) * weight).sum().backward()
        torch.testing.assert_close(picture.grad, weight)
        picture.grad = None


def test_a_tile_is_all_that_the_network_sees():
    seen = []

    class Noted(Colours):
        def decode(self, z):
            seen.append(tuple(z.shape[-2:]))
            return super().decode(z)

    Tiled(Noted(), 64).decode(torch.rand(1, 3, 100, 300))
    assert len(seen) == 2 * 6 and max(max(size) for size in seen) == 64


def test_a_real_network_draws_nearly_the_same_in_tiles_and_shows_no_seam():
    vqgan = tiny_vqgan()
    z = vqgan.codebook[torch.randint(32, (1, 24, 40), generator=rng())].movedim(-1, 1)
    whole, tiled = vqgan.decode(z), Tiled(vqgan, 128).decode(z)
    assert (whole - tiled).abs().mean() < 0.2 * whole.std()
    steps, rest = tiled.diff(dim=-1).abs().mean((0, 1, 2)), whole.diff(dim=-1).abs().mean((0, 1, 2))
    assert (steps - rest).abs().max() < 0.2 * rest.mean()
