"""Masks of a photo, from a file and from words."""

from __future__ import annotations

from itertools import permutations
from statistics import median

import pytest
import torch
import torch.nn.functional as F

from clipguide import images, masks
from clipguide.ops.spread import spread
from clipguide.weights import Models
from tests.test_judge import DRAWN, drawing


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
    mask = masks.from_text(Redness(), "red", photo)
    assert mask.shape == (1, 1, 64, 96) and mask.min() >= 0 and mask.max() <= 1
    assert mask[..., 20:44, 60:84].mean() > 0.8 and mask[..., :, :30].mean() < 0.2


def test_what_is_found_is_passed_on_to_places_of_like_colour(photo):
    guess = torch.zeros(1, 1, 64, 96)
    guess[..., 20:28, 60:68] = 1  # a corner of the red square
    heard = spread(guess, photo)
    assert heard.shape == guess.shape and heard.min() >= 0 and heard.max() <= 1
    inside = torch.zeros(64, 96, dtype=torch.bool)
    inside[18:46, 58:86] = True
    assert heard[0, 0][inside].min() > 20 * heard[0, 0][:, :50].max()


def test_heat_keeps_to_the_thing_where_relevance_reaches_around_it(photo):
    relevance, heat = masks.relevance(Redness(), "red", photo), masks.heat(Redness(), "red", photo)
    around = (slice(18, 46), slice(90, 96))  # blue, beside the square
    within = (slice(18, 46), slice(60, 84))

    def share(warmth):
        return warmth[0, 0][around].mean() / warmth[0, 0][within].mean()

    assert share(heat) < 0.2 and share(relevance) > 0.4


def test_a_guess_that_all_share_stays(photo):
    photo[..., 30:32, 20:22] = torch.tensor([0.1, 0.9, 0.1])[:, None, None]  # a place that is like no other
    torch.testing.assert_close(spread(torch.ones(1, 1, 64, 96), photo), torch.ones(1, 1, 64, 96))


def test_the_bundled_clip_finds_the_half_that_shows_the_thing():
    encoder, warmer = Models("cpu").encoder("clip-mini"), []
    for name, other in permutations(DRAWN, 2):
        halves = torch.cat([drawing(DRAWN[name]), drawing(DRAWN[other])], 3)
        mask = masks.from_text(encoder, name, halves)[0, 0]
        warmer.append(float(mask[:, :128].mean() / mask[:, 128:].mean()))
    assert min(warmer) > 2 and median(warmer) > 15


def test_a_flat_photo_gives_a_finite_mask():
    assert masks.from_text(Redness(), "red", torch.full((1, 3, 40, 40), 0.5)).isfinite().all()


def test_a_photo_of_one_pixel_gives_a_mask():
    assert masks.from_text(Redness(), "red", torch.full((1, 3, 1, 1), 0.5)).shape == (1, 1, 1, 1)


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
