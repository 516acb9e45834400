"""The methods that draw with strokes."""

from __future__ import annotations

import pytest
import torch

from clipguide import api, images
from clipguide.errors import UserError
from clipguide.loop import run_leg
from clipguide.methods import clipdraw

SMALL = {"size": (32, 32), "steps": 2, "strokes": 6, "cutouts": 2, "export_scale": 0, "process": "none"}
DRAWING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect x="4" y="4" width="9" height="9" fill="red"/>
<path d="M2 20 Q 16 30 30 20" fill="none" stroke="blue" stroke-width="2"/></svg>"""


def last(models, *texts, method="clipdraw", **settings):
    bare = {"underpainting": 0} if method == "clipdraw" else {}
    *_, step = api.stream(*texts, method=method, models=models, **(SMALL | bare | settings))
    return step


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    page = torch.ones(1, 3, 48, 48)
    page[:, 1:, 10:30, 14:40] = 0
    path.write_bytes(images.png(page))
    return path


@pytest.mark.parametrize("look", ["paint", "ink", "marker", "charcoal", "crayon", "watercolour"])
def test_draws_twice_the_same(models, look):
    one, two = (last(models, "a fox | text:-0.5", look=look, batch=2, filled=0.5).image for _ in range(2))
    assert one.shape == (2, 3, 32, 32) and torch.equal(one, two)
    assert not torch.equal(one[0], one[1])


def test_strokes_are_laid_on_an_underpainting(models):
    told = SMALL | {"steps": 8, "strokes": 24, "unframed": 0}
    steps = list(api.stream("a fox", models=models, method="clipdraw", **(told | {"underpainting": 0.5})))
    assert [step.index for step in steps] == list(range(9)) and {step.total for step in steps} == {8}
    assert "underpainting" not in steps[4].losses and steps[8].losses["underpainting"] > 0
    soft, laid = steps[4].image, steps[8].image
    bare = last(models, "a fox", steps=8, strokes=24, unframed=0).image
    assert (laid - soft).square().mean() < 0.3 * (bare - soft).square().mean()


def test_the_pull_to_the_underpainting_falls_to_half(models, monkeypatch):
    weights = []

    def watched(drawing, terms, leg, *rest, **more):
        weights.extend(term.weight_at(end) for term in terms if term.name == "underpainting" for end in leg.span)
        return run_leg(drawing, terms, leg, *rest, **more)

    monkeypatch.setattr(clipdraw, "run_leg", watched)
    last(models, "a fox", steps=4, underpainting=0.5, underpainting_weight=10)
    assert weights == pytest.approx([10, 5])


def test_an_underpainting_for_each_picture_of_a_batch(models):
    pictures = last(models, "a fox", batch=2, steps=4, underpainting=0.5).image
    assert len(pictures) == 2 and not torch.equal(pictures[0], pictures[1])


def test_starts_from_a_photo(models, photo):
    start = last(models, "a fox", init=photo, steps=0, strokes=40)
    assert start.image[0, 0].mean() > start.image[0, 1].mean()  # the thing in the photo is red


def test_starts_from_an_svg(models, tmp_path):
    path = tmp_path / "start.svg"
    path.write_bytes(DRAWING)
    start = last(models, "a fox", svg=path, steps=0)
    assert start.canvas.points.shape[1] == 2
    assert start.image[0, :, 8, 8].tolist() == pytest.approx([1, 0, 0], abs=0.01)
    assert start.image[0, :, 25, 16].tolist() == pytest.approx([0, 0, 1], abs=0.1)
    moved = last(models, "a fox", svg=path, steps=2)
    assert not torch.equal(moved.image, start.image)


def test_an_svg_that_cannot_be_read_is_refused(models, tmp_path):
    (tmp_path / "bad.svg").write_bytes(b"no svg")
    for name, said in (("bad.svg", "SVG"), (".", "is no file"), ("none.svg", "is not there")):
        with pytest.raises(UserError, match=said):
            last(models, "a fox", svg=tmp_path / name)


def test_negative_space_bares_the_paper(models):
    told = {"steps": 20, "strokes": 40, "lr_colour": 0.05, "lr_width": 1.0}
    full = last(models, "a fox", **told)
    bare = last(models, "a fox", negative_space=1.0, negative_space_weight=100.0, **told)
    assert bare.losses["bare paper"] < 0.6 * full.canvas.render(_tick()).extras["ink"].mean()
    enough = last(models, "a fox", negative_space=0.01, **told)
    assert enough.losses["bare paper"] == 0


def _tick():
    from doubles import make_tick

    return make_tick()


def test_a_rate_of_zero_keeps_what_it_is_for(models):
    begun, done = (last(models, "a fox", steps=steps, lr_width=0, lr_colour=0).canvas for steps in (0, 3))
    assert torch.equal(begun.widths, done.widths) and torch.equal(begun.colours, done.colours)
    assert not torch.equal(begun.points, done.points)


def test_sketches_a_photo_without_words(models, photo):
    steps = list(api.stream(method="sketch", models=models, **(SMALL | {"init": photo, "steps": 12})))
    assert steps[-1].image.shape == (1, 3, 32, 32)
    first, last = (sum(v for name, v in s.losses.items() if "straight" in name) for s in (steps[0], steps[-1]))
    assert last < first  # the straight view has no dice
    assert steps[-1].canvas.colours.max() < 0.1  # ink


def test_a_sketch_hears_words_and_sees_through_a_mask(models, photo, tmp_path):
    plain = last(models, method="sketch", init=photo)
    worded = last(models, "a fox", method="sketch", init=photo)
    assert "a fox" in worded.losses and "a fox" not in plain.losses
    assert not torch.equal(plain.image, worded.image)
    mask = torch.zeros(1, 3, 48, 48)
    mask[..., 24:] = 1
    (tmp_path / "mask.png").write_bytes(images.png(mask))
    masked = last(models, method="sketch", init=photo, mask=tmp_path / "mask.png", steps=0)
    assert masked.canvas.points[0, ..., 0].mean() > plain.canvas.points[0, ..., 0].mean()


def test_a_sketch_wants_a_photo(models):
    with pytest.raises(UserError, match="--init"):
        last(models, method="sketch")
