"""Masks of a photo, from a file and from words."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clipguide import images, masks
from clipguide.encoders import Judge
from clipguide.ops.spread import spread


class Redness:
    """A judge that knows "red" alone: its embedding of a view is how red the view is."""

    size = 16

    def encode_image(self, views):
        red = (views[:, 0] - views[:, 1:].mean(1)).mean((1, 2))
        return F.normalize(torch.stack([red, torch.full_like(red, 0.5)], 1), dim=1)

    def encode_text(self, texts):
        return torch.tensor([[1.0, 0.0] if "red" in text else [0.0, 1.0] for text in texts])


@pytest.fixture
def photo():
    """Blue, with a red square on the right."""
    image = torch.zeros(1, 3, 64, 96)
    image[:, 2] = 0.8
    image[:, :, 16:48, 56:88] = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    return image


def test_words_find_their_place(photo):
    mask = masks.from_text([Judge(Redness())], "red", photo)
    assert mask.shape == (1, 1, 64, 96) and mask.min() >= 0 and mask.max() <= 1
    assert mask[..., 20:44, 60:84].mean() > 0.8 and mask[..., :, :30].mean() < 0.2


class Contrary(Redness):
    """Another judge, that takes green for red."""

    def encode_image(self, views):
        return super().encode_image(views[:, [1, 0, 2]])


def test_judges_agree_by_their_weights(photo):
    photo[:, :, 16:48, 8:40] = torch.tensor([0.1, 0.9, 0.1])[:, None, None]
    for one, other, warmer in ((3.0, 1.0, "right"), (1.0, 3.0, "left")):
        heat = masks.relevance([Judge(Redness(), one), Judge(Contrary(), other)], "red", photo)[0, 0]
        assert (heat[:, 56:88].mean() > heat[:, 8:40].mean()) == (warmer == "right")


def test_what_is_found_is_told_on_to_places_of_like_colour(photo):
    guess = torch.zeros(1, 1, 64, 96)
    guess[..., 20:28, 60:68] = 1  # a corner of the red square
    told = spread(guess, photo)
    assert told.shape == guess.shape and told.min() >= 0 and told.max() <= 1
    inside = torch.zeros(64, 96, dtype=torch.bool)
    inside[18:46, 58:86] = True
    assert told[0, 0][inside].min() > 20 * told[0, 0][:, :50].max()


def test_a_flat_photo_gives_a_finite_mask():
    assert masks.from_text([Judge(Redness())], "red", torch.full((1, 3, 40, 40), 0.5)).isfinite().all()


def test_windows_lie_inside_and_cover_everything():
    for width, height in ((64, 64), (100, 30), (31, 90)):
        boxes = masks._windows(width, height)
        assert boxes.min() >= 0 and boxes.max() <= 1 + 1e-5
        covered = torch.zeros(height, width)
        for x0, y0, x1, y1 in boxes.tolist():
            covered[int(y0 * height) : -int(-y1 * height), int(x0 * width) : -int(-x1 * width)] = 1
        assert covered.all()


def test_a_file_is_fitted_to_the_photo(tmp_path, photo):
    images.write(tmp_path / "m.png", images.png(torch.ones(1, 3, 8, 8)))
    assert torch.equal(masks.from_file(tmp_path / "m.png", photo), torch.ones(1, 1, 64, 96))


def test_feathering_softens_and_keeps_the_amount():
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., 10:30, 10:30] = 1
    soft = masks.feathered(mask, 0.1)
    assert torch.equal(masks.feathered(mask, 0.0), mask)
    assert float(soft.mean()) == pytest.approx(float(mask.mean()), rel=0.05) and 0 < soft[0, 0, 20, 9] < 1
