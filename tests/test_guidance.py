"""The losses that a picture's looks are asked for with, and their settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from doubles import TinyModels

from clipguide import api, images
from clipguide.brief import Brief, parse_prompts
from clipguide.core import Scene, Tick
from clipguide.cutouts import crops
from clipguide.losses.composition import composition, weight_centre
from clipguide.losses.edge import edge
from clipguide.losses.focus import focus
from clipguide.losses.guidance import Composed, guidance
from clipguide.losses.opacity import opacity
from clipguide.losses.palette import palette
from clipguide.losses.saturation import saturation
from clipguide.losses.spot import Spot, spot_terms
from clipguide.losses.symmetry import symmetry

COLOURS = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.9, 0.1, 0.2]])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*(shape or (2, 3, 16, 20)), generator=rng())


def value(loss, image: torch.Tensor, **extras: torch.Tensor) -> torch.Tensor:
    return loss(Scene({"image": image, **extras}, Tick(0, 1, rng()), {}))


def spot_at(x: int, y: int) -> torch.Tensor:
    image = torch.zeros(1, 3, 18, 18)
    image[..., y - 1 : y + 2, x - 1 : x + 2] = 1
    return image


def stripes() -> torch.Tensor:
    return COLOURS[torch.arange(20) % 3].mT.view(1, 3, 1, 20).expand(1, 3, 16, 20).clone()


def bordered() -> torch.Tensor:
    image = torch.ones(1, 3, 16, 20)
    image[..., 4:-4, 4:-4] = noise(1, 3, 8, 12)
    return image


LOSSES = {  # name -> (loss, a picture where it is 0)
    "palette": (palette(COLOURS), stripes()),
    "left-right": (symmetry("left-right"), (noise() + noise().flip(-1)) / 2),
    "top-bottom": (symmetry("top-bottom"), (noise() + noise().flip(-2)) / 2),
    "both": (symmetry("both"), noise(1, 3, 1, 1).expand(1, 3, 16, 20)),
    "turn": (symmetry("turn"), (noise() + noise().flip(-2, -1)) / 2),
    "edge": (edge(torch.ones(3), 0.2), bordered()),
    "centre": (composition("centre"), torch.zeros(1, 3, 16, 16)),
    "focus": (focus(None, 0.3), torch.full((1, 3, 16, 20), 0.4)),
    "focus on white": (focus(torch.ones(3), 0.3), torch.ones(1, 3, 16, 20)),
    "grey": (saturation(), torch.full((1, 3, 16, 20), 0.5)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_it_is_nought_at_its_optimum(name):
    loss, best = LOSSES[name]
    assert value(loss, best).abs() < 1e-6 < value(loss, noise()).abs()


def test_the_centre_of_weight_is_where_the_subject_is():
    torch.testing.assert_close(weight_centre(spot_at(13, 4))[0], torch.tensor([13.5, 4.5]) / 18, atol=0.03, rtol=0)
    assert value(composition("thirds"), spot_at(6, 12)) < 0.1 * value(composition("thirds"), spot_at(2, 2))
    assert value(composition("balance"), spot_at(9, 2)) < 0.1 * value(composition("balance"), spot_at(3, 9))


def test_focus_leaves_the_middle_alone():
    assert value(focus(torch.zeros(3), 0.3), spot_at(9, 9)) < 0.2 * value(focus(torch.zeros(3), 0.3), spot_at(2, 2))


def test_opacity_is_the_mean_of_alpha():
    assert value(opacity(), noise(), alpha=torch.full((1, 1, 4, 4), 0.25)) == 0.25


def test_a_spot_shows_its_box_alone():
    mask = torch.zeros(1, 1, 16, 20)
    mask[..., 2:6, 10:18] = 1
    seen = Spot(mask).show(noise())
    torch.testing.assert_close(seen, noise()[..., 2:6, 10:18])
    assert Spot(torch.zeros(1, 1, 16, 20)).show(noise()).shape == noise().shape


@pytest.mark.parametrize("inside", [True, False])
def test_a_spot_prompt_moves_its_part_and_no_other(inside):
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 4:20, 8:24] = 1
    part = mask if inside else 1 - mask
    judges = TinyModels().judges("clip-mini")
    terms = spot_terms(parse_prompts(["a rose | blurry:-0.5"]), part, judges, crops(3), name="s")
    leaf = noise(2, 3, 32, 32).requires_grad_()
    scene = Scene({"image": leaf}, Tick(0, 1, rng()), {})
    sum(term.weight * term.loss(scene) for term in terms).backward()
    assert [term.name for term in terms] == ["s: a rose", "s: blurry"]
    assert (leaf.grad * part).abs().max() > 0 and (leaf.grad * (1 - part)).abs().max() == 0


def terms_of(*prompts: str, init: Path | None = None, **settings) -> dict:
    judges = TinyModels().judges("clip-mini")
    brief = Brief(parse_prompts(prompts or ["a castle"]), size=(32, 24), init=init)
    return {term.name: term for term in guidance(brief, Composed(**settings), judges, crops(2))}


def test_what_is_switched_off_costs_nothing():
    assert list(terms_of(unframed=0)) == ["a castle"]


def test_a_picture_from_nothing_is_pushed_away_from_frames():
    terms = terms_of("a castle", "fog:-1", unframed=0.5)
    assert {name: term.weight for name, term in terms.items()} == {"a castle": 0.4, "fog": 0.4, "a picture frame": 0.2}
    story = terms_of("a seed ^ a tree", unframed=1)
    assert story["a picture frame"].weight_at(0.25) == story["a seed"].weight_at(0.25) == 0.5
    assert list(terms_of("an old frame")) == ["an old frame"]
    assert list(terms_of(init=Path("photo.png"))) == ["a castle"]


def test_every_setting_reaches_its_term(tmp_path):
    mask = torch.zeros(3, 24, 32)
    mask[:, :12] = 1
    images.write(tmp_path / "mask.png", images.png(mask))
    weights = {"smooth": 0.1, "saturation": -2, "mirror": 3, "border": 4, "compose": 5, "focus": 6}
    terms = terms_of(
        **weights,
        unframed=0,
        **{"tint": "gameboy", "tint_weight": 7, "focus_colour": "navy"},
        **{"spot": "a rose", "spot_off": "the sea", "spot_mask": tmp_path / "mask.png", "spot_weight": 8},
    )
    found = {name: term.weight for name, term in terms.items()}
    assert found == {"a castle": 1, "spot: a rose": 8, "spot_off: the sea": 8, "tint": 7, **weights}
    leaf = noise(1, 3, 24, 32).requires_grad_()
    scene = Scene({"image": leaf}, Tick(0, 1, rng()), {})
    sum(term.weight * term.loss(scene) for term in terms.values()).backward()
    assert leaf.grad.isfinite().all()


def test_a_border_is_drawn():
    values = {"steps": 40, "size": (32, 32), "cutouts": 2, "lr": 0.2, "palette": "any", "cell": 2}
    made = api.generate("a castle", method="pixelart", models=TinyModels(), border=50, border_colour="red", **values)
    assert (made.tensor[..., 0, :].mean((0, 2)) - torch.tensor([1.0, 0, 0])).abs().max() < 0.2
