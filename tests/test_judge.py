"""The bundled judge itself: it is small, of another family than the CLIP that guides, and knows what drawings show."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw
from torch import nn

from clipguide import images
from clipguide.scores import similarities
from clipguide.weights import Models, checkpoints_folder

DRAWN = {
    "a smiling face": (
        ("ellipse", (14, 14, 114, 114), "gold"),
        ("ellipse", (40, 40, 52, 58), "black"),
        ("ellipse", (76, 40, 88, 58), "black"),
        ("pieslice", (36, 50, 92, 98, 10, 170), "black"),
    ),
    "a house": (
        ("rectangle", (28, 60, 100, 116), "tan"),
        ("polygon", (16, 60, 64, 16, 112, 60), "firebrick"),
        ("rectangle", (56, 84, 74, 116), "saddlebrown"),
        ("rectangle", (36, 70, 52, 84), "skyblue"),
    ),
    "a red heart": (
        ("ellipse", (16, 24, 66, 74), "red"),
        ("ellipse", (62, 24, 112, 74), "red"),
        ("polygon", (20, 62, 108, 62, 64, 114), "red"),
    ),
}
OTHERS = ["a bicycle", "a fish", "a car", "cheese cake", "sunset over the sea", "an astronaut"]


@pytest.fixture(scope="module")
def judge():
    return Models("cpu").encoder("clip-mini-b")


def drawing(shapes):
    """(1, 3, 128, 128): the shapes on white."""
    page = Image.new("RGB", (128, 128), "white")
    pen = ImageDraw.Draw(page)
    for kind, (*where,), colour in shapes:
        if kind == "pieslice":
            pen.pieslice(where[:4], *where[4:], fill=colour)
        else:
            getattr(pen, kind)(where, fill=colour)
    return images.from_pil(page)


def test_its_folder_is_small():
    assert sum(file.stat().st_size for file in (checkpoints_folder() / "clip-mini-b").iterdir()) <= 30e6


def test_its_image_network_is_not_that_of_clip_mini(judge):
    def convolves_by_channel(encoder):
        return any(m.groups > 1 for m in encoder.model.visual.modules() if isinstance(m, nn.Conv2d))

    assert not convolves_by_channel(judge) and convolves_by_channel(Models("cpu").encoder("clip-mini"))


@pytest.mark.parametrize("name", DRAWN)
def test_it_tells_what_a_drawing_shows(judge, name):
    texts = [*DRAWN, *OTHERS]
    found = similarities(judge, drawing(DRAWN[name]), texts)[0]
    assert texts[found.argmax()] == name
