"""The restyler network, and the features that guide it."""

from __future__ import annotations

import pytest
import torch

from clipguide.errors import UserError
from clipguide.models.perceptual import vgg_features
from clipguide.models.restyler import Restyler, open_restyler, redraw, to_bytes
from clipguide.models.surfaces import surfaces


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(**values) -> Restyler:
    """A restyler that does something: its last convolution is no longer zero."""
    restyler = Restyler(4, 1, rng=rng(), **values)
    torch.nn.init.normal_(restyler.last.weight, std=0.1, generator=rng(1))
    return restyler


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (33, 9)])
def test_starts_as_the_identity_at_any_size(size):
    photo = torch.rand(2, 3, *size, generator=rng())
    assert torch.equal(Restyler(4, 1, rng=rng())(photo), photo)


def test_it_can_paint_a_texture_where_the_photo_is_flat():
    flat = torch.full((1, 3, 32, 32), 0.5)
    assert (stirred()(flat) - flat).std() > 1e-2


def test_its_patterns_are_always_the_same_and_have_no_seam():
    patterns = surfaces()
    assert torch.equal(patterns, surfaces()) and -0.5 <= patterns.min() < -0.45 and 0.45 < patterns.max() <= 0.5
    for dim in (1, 2):
        steps = (patterns - patterns.roll(1, dim)).abs().mean(3 - dim)  # (3, PERIOD)
        assert (steps[:, 0] <= 1.2 * steps[:, 1:].amax(1)).all()
    stones = patterns[1]
    assert 0.05 < (stones < 0).float().mean() < 0.4  # joints are narrow
    along, across = ((patterns[2] - patterns[2].roll(way, (0, 1))).square().mean() for way in ((-3, 3), (3, 3)))
    assert along < 0.6 * across  # strokes run along one diagonal


def test_copies_are_networks_side_by_side():
    two, photo = stirred(copies=2), torch.rand(2, 3, 24, 24, generator=rng())
    both = two(photo)
    assert not torch.allclose(both[0] - photo[0], both[1] - photo[1], atol=1e-3)
    other = torch.cat([photo[:1], torch.rand(1, 3, 24, 24, generator=rng(3))])
    torch.testing.assert_close(two(other)[0], both[0])  # the second picture tells the first nothing


def test_the_same_dice_make_the_same_network():
    first, again = (Restyler(4, 1, rng=rng(5)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_remembered_statistics_make_eval_mode_agree_with_training_mode():
    restyler, photo = stirred(), torch.rand(1, 3, 96, 96, generator=rng())
    restyler.remember(photo)
    torch.testing.assert_close(restyler.eval()(photo), restyler.train()(photo), rtol=0, atol=2e-2)


def test_tiles_agree_with_the_whole_away_from_their_edges():
    restyler, photo = stirred(), torch.rand(1, 3, 96, 128, generator=rng())
    restyler.remember(photo)
    restyler.eval()
    with torch.no_grad():
        whole = restyler(photo)
    tiled = redraw(restyler, photo, 80)
    assert (tiled - whole).abs().mean() < 0.02 * (whole - photo).abs().mean()
    torch.testing.assert_close(redraw(restyler, photo, 4096), whole, rtol=1e-5, atol=1e-5)


def test_a_file_opens_as_the_same_network_and_says_what_it_is(tmp_path):
    restyler, photo = stirred().eval(), torch.rand(1, 3, 16, 16)
    path = tmp_path / "x.safetensors"
    path.write_bytes(to_bytes(restyler, {"style": "mosaïc"}))
    assert torch.equal(open_restyler(path)(photo), restyler(photo))


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_file_that_is_none_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no restyler") as error:
        open_restyler(path)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError):
        open_restyler(tmp_path / "absent.safetensors")


def test_features_are_maps_from_fine_to_coarse_for_towers_with_and_without_tokens(models):
    for name in ("clip-mini", "tiny-resnet"):
        features = models.features(name)
        maps = features(torch.rand(2, 3, 40, 56))
        assert all(m.ndim == 4 and len(m) == 2 and m.isfinite().all() for m in maps)
        assert max(*features.texture, *features.content) < len(maps)


def test_vgg_is_never_fetched(tmp_path):
    with pytest.raises(UserError, match="vgg19"):
        vgg_features(torch.device("cpu"), tmp_path)


def test_vgg_reads_its_layers_from_a_local_file(tmp_path):
    from clipguide.models.perceptual import VGG_FILE
    from clipguide.ops.vision_import import import_torchvision

    import_torchvision()
    from torchvision.models import vgg19

    with torch.device("meta"):
        shapes = vgg19(weights=None).state_dict()
    small = {name: torch.zeros(()).expand(value.shape) for name, value in shapes.items()}
    torch.save(small, tmp_path / VGG_FILE)
    maps = vgg_features(torch.device("cpu"), tmp_path)(torch.rand(1, 3, 32, 32))
    assert [m.shape[1] for m in maps] == [64, 128, 256, 512, 512, 512] and [m.shape[-1] for m in maps][0] == 32
