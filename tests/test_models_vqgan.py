"""VQGAN: quantisation, the straight-through gradient, files and their refusal."""

from __future__ import annotations

import torch
from doubles import TinyModels, tiny_vqgan

from clipguide.models.vqgan import open_vqgan, write_vqgan
from clipguide.weights import Models


def test_shapes_and_range():
    vqgan = tiny_vqgan()
    z = vqgan.encode(torch.rand(2, 3, 32, 48))
    assert (vqgan.factor, z.shape) == (8, (2, 4, 4, 6))
    image = vqgan.decode(vqgan.quantise(z))
    assert image.shape == (2, 3, 32, 48)
    assert 0 <= image.min() and image.max() <= 1


def test_quantise_takes_the_nearest_code_and_passes_the_gradient():
    vqgan, z = tiny_vqgan(), torch.randn(2, 4, 3, 3, requires_grad=True)
    codes = vqgan.quantise(z)
    distance = (z[:, None] - vqgan.codebook[None, :, :, None, None]).square().sum(2)
    torch.testing.assert_close(codes, vqgan.lookup(distance.argmin(1)))
    slope = torch.randn_like(codes)
    codes.backward(slope)
    torch.testing.assert_close(z.grad, slope)


def test_decode_passes_only_gradients_that_lead_back_inside():
    vqgan = tiny_vqgan()
    z = torch.full((1, 4, 2, 2), 3.0, requires_grad=True)
    with torch.no_grad():
        vqgan.network.decoder.conv_out.bias += 50
    assert vqgan.decode(z).eq(1).all()
    (up,) = torch.autograd.grad(-vqgan.decode(z).sum(), z)
    (down,) = torch.autograd.grad(vqgan.decode(z).sum(), z)
    assert up.abs().max() == 0 and down.abs().max() > 0


def test_a_written_folder_opens_again(tmp_path):
    vqgan, z = tiny_vqgan(), torch.randn(1, 4, 2, 2)
    write_vqgan(tmp_path, vqgan, torch.float32)
    torch.testing.assert_close(open_vqgan(tmp_path).decode(z), vqgan.decode(z))


def test_models_opens_it_frozen_and_once():
    models = TinyModels()
    vqgan = models.vqgan("vqgan-mini")
    assert vqgan is models.vqgan("vqgan-mini") and not vqgan.training
    assert not any(parameter.requires_grad for parameter in vqgan.parameters())


@torch.no_grad()
def test_the_bundled_network_gives_a_picture_back_in_its_colours():
    vqgan = Models("cpu").vqgan("vqgan-mini")
    assert vqgan.factor == 8 and sum(parameter.numel() for parameter in vqgan.parameters()) < 20e6
    ramp = torch.linspace(0, 1, 96)
    image = torch.stack([ramp.expand(96, 96), ramp[:, None].expand(96, 96), torch.full((96, 96), 0.4)])[None]
    drawn = vqgan.decode(vqgan.quantise(vqgan.encode(image)))
    assert (drawn - image).square().mean() < 10**-2.2  # 22 dB
