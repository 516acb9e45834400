"""What all methods that restyle a photo share: strength, mask, what is kept, size, and the settings behind them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from clipguide import images
from clipguide.errors import UserError
from clipguide.methods import METHODS
from clipguide.ops.colour import luminance
from clipguide.ops.confine import clamped, confine
from clipguide.plans import method, plan
from clipguide.restyling import Restyling
from clipguide.styling import Styling, fitted

STYLING = [name for name in METHODS if issubclass(method(name).Settings, Styling)]
every = pytest.mark.parametrize("name", STYLING)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """photo.png of 60 x 44 px, more.png, and mask.png, light on the left half."""
    root = tmp_path_factory.mktemp("styling")
    for seed, name in enumerate(("photo", "more")):
        image = torch.rand(1, 3, 44, 60, generator=torch.Generator().manual_seed(seed))
        images.write(root / f"{name}.png", images.png(image))
    mask = torch.zeros(1, 3, 44, 60)
    mask[..., :30] = 1
    images.write(root / "mask.png", images.png(mask))
    return root


def result(name: str, folder, models, *texts: str, **values) -> Tensor:
    needs = {"init": folder / "photo.png", "size": (32, 32), "steps": 4, "cutouts": 4}
    if name == "clipstyler-fast":
        needs["photos"] = folder
    if name == "styleimage":
        needs["style"] = folder / "more.png"
    for step in plan(texts or ["a mosaic"], name, {**needs, **values}).steps(models):
        last = step
    assert last.last
    return last.image


@every
def test_strength_goes_from_the_very_photo_to_the_style(name, folder, models):
    photo = images.read(folder / "photo.png")
    none, some, more, all_ = (result(name, folder, models, strength=s) for s in (0.0, 0.3, 0.6, 1.0))
    assert torch.equal(none, photo)
    distances = [float((image - photo).abs().mean()) for image in (some, more, all_)]
    assert 0 < distances[0] < distances[1] < distances[2]


@every
def test_the_mask_leaves_the_rest_untouched(name, folder, models):
    photo = images.read(folder / "photo.png")
    image = result(name, folder, models, mask=folder / "mask.png", feather=0.0)
    assert (image - photo)[..., 40:].abs().max() < 1e-6 < (image - photo)[..., :25].abs().mean()
    image = result(name, folder, models, mask=folder / "mask.png", feather=0.0, mask_invert=True)
    assert (image - photo)[..., :20].abs().max() < 1e-6 < (image - photo)[..., 35:].abs().mean()


@every
def test_keeps_colours_or_luminance(name, folder, models):
    photo = images.read(folder / "photo.png")
    change = result(name, folder, models, keep="luminance", strength=0.5) - photo
    assert change.abs().mean() > 1e-5
    inside = unclamped(photo, change)
    assert (luminance(change).abs() * inside).mean() < 0.1 * change.abs().mean()
    change = result(name, folder, models, keep="colours", strength=0.5) - photo
    inside = unclamped(photo, change)
    assert ((change - luminance(change)).abs() * inside).mean() < 0.1 * change.abs().mean()


def unclamped(photo: Tensor, half_change: Tensor) -> Tensor:
    """(1, 1, H, W): where the whole change did not meet the clamp to [0, 1], which breaks what is kept."""
    full = photo + 2 * half_change
    return ((full > 0.01) & (full < 0.99)).all(1, keepdim=True)


@every
def test_several_styles_a_negative_one_and_the_seed_are_heard(name, folder, models):
    plain = result(name, folder, models)
    assert not torch.equal(plain, result(name, folder, models, "a mosaic | fire:0.5 | blurry:-0.5"))
    assert not torch.equal(plain, result(name, folder, models, seed=1))


@pytest.mark.parametrize("name", [n for n in STYLING if n != "texture"])
def test_without_a_photo_it_says_so(name, folder, models):
    with pytest.raises(UserError, match="--init"):
        result(name, folder, models, init=None)


@every
def test_two_masks_are_refused(name, folder, models):
    with pytest.raises(UserError, match="--mask-text"):
        result(name, folder, models, mask=folder / "mask.png", mask_text="the sky")


def test_a_mask_in_words_changes_less_than_all(folder, models):
    photo = images.read(folder / "photo.png")
    masked = (result("clipstyler", folder, models, mask_text="the sky") - photo).abs().mean()
    assert 0 < masked < (result("clipstyler", folder, models) - photo).abs().mean()


def test_a_batch_holds_different_networks(folder, models):
    both = result("clipstyler", folder, models, batch=2)
    assert both.shape == (2, 3, 44, 60) and not torch.equal(both[0], both[1])


@pytest.mark.parametrize("name", [n for n in STYLING if issubclass(method(n).Settings, Restyling)])
def test_tiles_redraw_the_photo_at_its_own_size(name, folder, models):
    photo = images.read(folder / "photo.png")
    tiled, enlarged = result(name, folder, models, tile=48), result(name, folder, models)
    assert tiled.shape == photo.shape and not torch.equal(tiled, enlarged)
    assert torch.equal(result(name, folder, models, tile=48, strength=0.0), photo)


def test_resumes_to_the_identical_picture(folder, models):
    ready = plan(["a mosaic"], "clipstyler", {"init": folder / "photo.png", "size": (32, 32), "steps": 4, "cutouts": 4})
    states, pictures = [], []
    for step in ready.steps(models):
        states.append(step.state())
        pictures.append(step.image)
    from dataclasses import replace

    again = list(method("clipstyler").run(replace(ready.brief, resume=states[2]), ready.settings, models))
    assert torch.equal(again[-1].image, pictures[-1])


def test_fitted_keeps_the_aspect_and_never_enlarges():
    assert fitted(torch.rand(1, 3, 40, 80), (20, 20)).shape == (1, 3, 10, 20)
    assert fitted(torch.rand(1, 3, 8, 8), (20, 20)).shape == (1, 3, 8, 8)


def test_confine_is_linear_in_the_change():
    photo, mask = torch.full((1, 3, 8, 8), 0.5), torch.rand(1, 1, 8, 8)
    change = 0.2 * torch.rand(1, 3, 8, 8) - 0.1
    for keep in ("none", "colours", "luminance"):
        whole, half = (confine(photo + s * change, photo, mask, keep) - photo for s in (1.0, 0.5))
        torch.testing.assert_close(half, whole / 2, rtol=1e-4, atol=1e-6)


def test_the_clamp_lets_the_gradient_back_into_the_range():
    x = torch.tensor([-0.5, 0.5, 1.5], requires_grad=True)
    clamped(x).backward(torch.tensor([-1.0, 1.0, 1.0]))  # down a slope that leads back inside
    assert x.grad.tolist() == [-1.0, 1.0, 1.0]
    x.grad = None
    clamped(x).backward(torch.tensor([1.0, 1.0, -1.0]))
    assert x.grad.tolist() == [0.0, 1.0, 0.0]
