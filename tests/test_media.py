"""Media: each shows the photo at its start, and is chosen by its words."""

from __future__ import annotations

import pytest
import torch

from clipguide import api, images
from clipguide.brief import Brief
from clipguide.core import Tick
from clipguide.media import MEDIA, SOFT, chosen
from clipguide.styling import fitted

SMALL = {"method": "textstyle", "size": (32, 32), "steps": 2, "cutouts": 2}


def photo() -> torch.Tensor:
    """Left half red, right half blue."""
    page = torch.zeros(1, 3, 40, 48)
    page[:, 0, :, :24] = 1
    page[:, 2, :, 24:] = 1
    return page


@pytest.mark.parametrize("name", MEDIA)
def test_every_medium_begins_with_the_photo(name):
    canvas = MEDIA[name].make(photo(), Brief((), (48, 40), batch=2), 0.02)
    image = canvas.render(Tick(0, 10, torch.Generator())).image
    assert image.shape == (2, 3, 40, 48)
    left, right = image[..., :20].mean((0, 2, 3)), image[..., 28:].mean((0, 2, 3))
    if name in ("ink", "charcoal"):  # black on white: they have no colours
        assert image.std() > 0.05
    else:
        assert left[0] > left[2] + 0.1 and right[2] > right[0] + 0.1
    assert any(group["lr"] > 0 for group in canvas.param_groups())


@pytest.mark.parametrize(
    "words, medium",
    [
        ("a Mosaic", "mosaic"),
        ("a sketch with crayon", "crayon"),
        ("pixel art", "cells"),
        ("a pencil sketch", "charcoal"),
        ("an oil painting", "paint"),
        ("ghost", "pixels"),
        ("a pink drink on reptiles in Washington", "pixels"),
        ("cross-stitches", "stitches"),
    ],
)
def test_words_choose_a_medium(words, medium):
    assert chosen("auto", ["calm", words]) == medium and chosen("spectrum", [words]) == "spectrum"


def test_a_style_is_drawn_in_its_medium_twice_the_same(models, tmp_path):
    path = tmp_path / "photo.png"
    images.write(path, images.png(photo()))

    def styled(style: str, **settings) -> torch.Tensor:
        *_, step = api.stream(style, models=models, init=path, **(SMALL | settings))
        return step.image

    mosaic = styled("a mosaic")
    assert mosaic.shape == (1, 3, 40, 48) and torch.equal(mosaic, styled("a mosaic"))
    assert not torch.equal(mosaic, styled("a mosaic", medium="pixels"))
    shown = styled("a mosaic", strength=0.0)
    assert (shown - photo()).abs().max() < 0.01


def test_hard_media_take_no_detail_from_the_photo():
    assert set(SOFT) <= set(MEDIA) and "cells" not in SOFT
    assert fitted(photo(), (24, 24)).shape == (1, 3, 20, 24)
