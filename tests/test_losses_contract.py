"""What every loss must do.  A new loss is one line in `LOSSES`."""

from __future__ import annotations

import pytest
import torch
from doubles import make_tick
from judging import PHOTO, VIEWS, judged, picture
from torch import Tensor

from clipguide.brief import parse_prompts
from clipguide.canvases.pixels import Pixels
from clipguide.core import Scene, Term, optimise
from clipguide.cutouts import whole
from clipguide.encoders import Judge
from clipguide.losses.composition import composition
from clipguide.losses.content import content
from clipguide.losses.direction import direction
from clipguide.losses.edge import edge
from clipguide.losses.focus import focus
from clipguide.losses.latent import near
from clipguide.losses.palette import palette
from clipguide.losses.prompt import avoid, embed, prompt, seen_alike
from clipguide.losses.saturation import saturation
from clipguide.losses.smooth import smooth
from clipguide.losses.source import kept
from clipguide.losses.spot import spot_terms
from clipguide.losses.symmetry import symmetry
from clipguide.losses.texture import texture

GREY = torch.full((1, 3, 32, 32), 0.3)


def from_photo(loss):
    """The loss of a change of PHOTO."""

    def changed(scene: Scene) -> Tensor:
        image = scene.image()
        return loss(Scene({"image": image, "source": PHOTO.expand_as(image)}, scene.tick, {}))

    return changed


def lopsided(loss):
    """The loss of the picture with its left side fading to black: noise alone is balanced already."""
    fade = torch.linspace(0, 1, 32)

    def of_the_faded(scene: Scene) -> Tensor:
        return loss(Scene({"image": scene.image() * fade}, scene.tick, {}))

    return of_the_faded


def of_codes(loss):
    """The loss of a latent that is the picture itself, and began as PHOTO."""

    def moved(scene: Scene) -> Tensor:
        image = scene.image()
        return loss(Scene({"latent": image, "start": PHOTO.expand_as(image)}, scene.tick, {}))

    return moved


def spot(encoder, text: str):
    """The loss of a text for the left half."""
    mask = (torch.arange(32) < 16).float().expand(1, 1, 32, 32)
    (term,) = spot_terms(parse_prompts([text]), mask, [Judge(encoder)], VIEWS, name="spot", margin=-1.0)
    return term.loss


# name -> (encoder) -> (loss, a picture (1, 3, 32, 32) that is an optimum)
LOSSES = {
    "prompt": lambda encoder: (prompt(encoder, embed(encoder, "a fox"), VIEWS), None),
    "prompt, one view": lambda encoder: (prompt(encoder, embed(encoder, "a fox"), whole()), None),
    "image prompt": lambda encoder: (prompt(encoder, seen_alike(encoder, PHOTO, VIEWS), VIEWS), PHOTO),
    "avoid": lambda encoder: (avoid(encoder, seen_alike(encoder, PHOTO, VIEWS), VIEWS, margin=-1.0), PHOTO),
    "direction": lambda encoder: (from_photo(direction(encoder, embed(encoder, "a fox"), VIEWS)), PHOTO),
    "patches": lambda encoder: (
        from_photo(direction(encoder, embed(encoder, "a fox"), VIEWS, threshold=0.1)),
        PHOTO,
    ),
    "content": lambda encoder: (from_photo(content(encoder.perceptual())), PHOTO),
    "texture": lambda encoder: (texture(encoder.perceptual(), [PHOTO], [1.0]), PHOTO),
    "near": lambda encoder: (of_codes(near(0.5)), PHOTO),
    "smooth": lambda encoder: (smooth(), GREY),
    "palette": lambda encoder: (palette(torch.eye(3)), torch.eye(3)[0].view(1, 3, 1, 1).expand(1, 3, 32, 32)),
    "saturation": lambda encoder: (saturation(), torch.eye(3)[0].view(1, 3, 1, 1).expand(1, 3, 32, 32)),
    "symmetry": lambda encoder: (symmetry("both"), GREY),
    "turned symmetry": lambda encoder: (symmetry("turn"), GREY),
    "edge": lambda encoder: (edge(torch.full((3,), 0.3), 0.1), GREY),
    "centre": lambda encoder: (lopsided(composition("centre")), GREY),
    "thirds": lambda encoder: (composition("thirds"), None),
    "balance": lambda encoder: (lopsided(composition("balance")), GREY),
    "focus": lambda encoder: (focus(), GREY),
    "spot": lambda encoder: (spot(encoder, "a fox"), None),
    "spot, pushed away": lambda encoder: (spot(encoder, "a fox:-1"), None),
}
every = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES)


@every
def test_value_and_gradient_are_finite_at_the_start_and_at_the_optimum(make, encoder):
    loss, optimum = make(encoder)
    extremes = [torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.5)]
    for image in [picture(), *extremes, *([] if optimum is None else [optimum])]:
        value, gradient = judged(loss, image)
        assert value.isfinite() and gradient.isfinite().all()
    assert judged(loss, picture())[1].abs().sum() > 0


@every
def test_falls_under_fixed_dice(make, encoder):
    loss, _ = make(encoder)
    start = Pixels((32, 32), rng=torch.Generator().manual_seed(0), lr=0.01)
    before, _ = judged(loss, start.pixels.detach())
    *_, last = optimise(start, [Term("x", loss)], steps=25)
    after, _ = judged(loss, last.image)
    assert after < before


@every
def test_a_batch_is_judged_as_its_pictures_one_by_one(make, encoder):
    loss, _ = make(encoder)
    both, gradient = judged(loss, picture(2))
    alone = [judged(loss, picture(2)[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(both, (alone[0][0] + alone[1][0]) / 2, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradient * 2, torch.cat([alone[0][1], alone[1][1]]), rtol=1e-3, atol=1e-7)


@every
def test_the_same_dice_give_the_same_value(make, encoder):
    loss, _ = make(encoder)
    first, again = judged(loss, picture()), judged(loss, picture())
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_smoothness_measures_steps_of_colour():
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[..., ::2] = 1
    value, _ = judged(smooth(), stripes)
    assert float(value) == pytest.approx(3**0.5 - 0.01, abs=1e-3)
    assert float(judged(smooth(), torch.full((1, 3, 8, 8), 0.7))[0]) == pytest.approx(0, abs=1e-6)


def test_the_slope_of_smoothness_is_that_of_its_value():
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda image: 3 * smooth()(Scene({"image": image}, make_tick(), {})), image)


def test_what_is_known_of_a_source_is_kept_until_the_source_changes():
    seen = []
    known = kept(lambda source: seen.append(source) or source.mean() * torch.ones((), requires_grad=True))
    assert known(PHOTO) is known(PHOTO.clone()) and len(seen) == 1 and not known(PHOTO).requires_grad
    photo = PHOTO.clone()
    known(photo)
    photo.mul_(0.5)  # the same tensor, another picture
    assert known(photo) < known(PHOTO) and len(seen) == 3
