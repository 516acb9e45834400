"""Cheap image filters that stand for styles, each with the words for it. All take and give an RGB picture of the
same size.

They teach an encoder what a style word looks like. They are filters, and no claim to be what a painter does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

Rng = np.random.Generator


def sketch(picture: Image.Image, rng: Rng) -> Image.Image:
    """Pencil: a grey picture divided by its blurred negative leaves lines on white."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    blurred = np.asarray(picture.convert("L").filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 4))), dtype=np.float32)
    lines = np.clip(grey / np.maximum(blurred, 1) * 255, 0, 255)
    lines = 255 - np.clip((255 - lines) * rng.uniform(2, 4), 0, 255)
    return to_image(np.repeat(lines[..., None], 3, axis=2))


def crayon(picture: Image.Image, rng: Rng) -> Image.Image:
    """Wax crayon: colours laid on paper through a grain of slanted strokes, with darker outlines."""
    width, height = picture.size
    colours = np.asarray(ImageOps.posterize(picture.filter(ImageFilter.ModeFilter(5)), 3), dtype=np.float32)
    grain = Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8))
    angle = rng.uniform(-60, 60)
    strokes = blur_along(np.asarray(grain, dtype=np.float32), angle, 7)
    cover = np.clip((strokes - 112) / 24 + 0.5, 0.05, 1)[..., None]
    lines = np.asarray(sketch(picture, rng), dtype=np.float32) / 255
    return to_image((255 - cover * (255 - colours)) * (0.35 + 0.65 * lines))


def mosaic(picture: Image.Image, rng: Rng) -> Image.Image:
    """Tiles of one colour each, of slightly varied shade, with grout between them."""
    tile = int(rng.integers(5, 11))
    width, height = picture.size
    small = picture.resize((-(-width // tile), -(-height // tile)), Image.Resampling.BOX)
    shades = np.asarray(small, dtype=np.float32)
    shades = shades + rng.normal(0, 12, shades.shape[:2])[..., None]
    tiles = np.kron(shades, np.ones((tile, tile, 1), dtype=np.float32))[:height, :width]
    rows, columns = np.mgrid[:height, :width]
    grout = ((rows % tile == 0) | (columns % tile == 0))[..., None]
    return to_image(np.where(grout, float(rng.choice([40, 90, 220])), tiles))


def pixel_art(picture: Image.Image, rng: Rng) -> Image.Image:
    """A grid of 20 to 40 large pixels in a small palette."""
    cells = int(rng.integers(20, 41))
    small = picture.resize((cells, cells), Image.Resampling.BOX).quantize(int(rng.integers(8, 25)))
    return small.convert("RGB").resize(picture.size, Image.Resampling.NEAREST)


def oil(picture: Image.Image, rng: Rng) -> Image.Image:
    """Flat dabs: the most frequent shade in each neighbourhood, then a relief as of thick paint."""
    dabs = picture.filter(ImageFilter.ModeFilter(int(rng.choice([5, 7])))).filter(ImageFilter.MedianFilter(3))
    noise = rng.normal(0, 40, (picture.height, picture.width))
    relief = blur_along(noise, rng.uniform(-90, 90), 5)
    return to_image(np.asarray(dabs, dtype=np.float32) + relief[..., None])


def watercolour(picture: Image.Image, rng: Rng) -> Image.Image:
    """Pale, soft washes that pool darker at their edges, on grainy paper."""
    soft = picture.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.GaussianBlur(1.2))
    wash = 255 - (255 - np.asarray(soft, dtype=np.float32)) * rng.uniform(0.55, 0.75)
    edges = np.asarray(soft.convert("L").filter(ImageFilter.FIND_EDGES), dtype=np.float32)[..., None]
    blotches = resize_noise(rng, picture.size, 8) * 18
    return to_image(wash - edges * 0.5 + blotches[..., None] + rng.normal(0, 5, wash.shape[:2])[..., None])


def poster(picture: Image.Image, rng: Rng) -> Image.Image:
    """A few flat tones, strong in colour."""
    vivid = ImageOps.autocontrast(picture.filter(ImageFilter.MedianFilter(3)), cutoff=2)
    return vivid.quantize(int(rng.integers(4, 9))).convert("RGB")


def swirls(picture: Image.Image, rng: Rng) -> Image.Image:
    """Curling strokes in a night's blue and yellow: noise smeared along a turning flow, coloured by the picture."""
    width, height = picture.size
    flow_x, flow_y = curl(rng, (width, height))
    strokes = smear(rng.normal(0, 1, (height, width)), flow_x, flow_y, 9)
    picture_smeared = [smear(np.asarray(band, dtype=np.float32), flow_x, flow_y, 9) for band in picture.split()]
    tinted = np.stack(picture_smeared, axis=-1)
    light = tinted.mean(axis=-1, keepdims=True) / 255
    night = np.array([22, 42, 110]) * (1 - light) + np.array([245, 215, 110]) * light
    mixed = tinted * 0.45 + night * 0.55
    return to_image(mixed + strokes[..., None] / (strokes.std() + 1e-6) * 22)


def woodcut(picture: Image.Image, rng: Rng) -> Image.Image:
    """Black ink on pale paper, with hatching for the middle tones."""
    grey = np.asarray(ImageOps.autocontrast(picture.convert("L")), dtype=np.float32)
    hatch = np.abs(np.sin((np.mgrid[: grey.shape[0], : grey.shape[1]][0]) * rng.uniform(0.9, 1.5))) * 120
    ink = (grey + hatch) > rng.uniform(120, 170)
    return to_image(np.where(ink[..., None], np.array([245, 238, 220]), 20.0))


Filter = Callable[[Image.Image, Rng], Image.Image]
STYLES: dict[str, tuple[Filter, tuple[str, ...]]] = {
    "sketch": (sketch, ("a sketch of {}", "a pencil sketch of {}", "a pencil drawing of {}")),
    "crayon": (crayon, ("a sketch with crayon of {}", "a crayon drawing of {}", "{} drawn with crayons")),
    "mosaic": (mosaic, ("a mosaic of {}", "{} made of mosaic tiles", "a tile mosaic of {}")),
    "pixel art": (pixel_art, ("pixel art of {}", "{} #pixelart", "a pixelated picture of {}")),
    "oil painting": (oil, ("an oil painting of {}", "a painting of {}")),
    "watercolour": (watercolour, ("a watercolour of {}", "a watercolor painting of {}", "a painting of {}")),
    "poster": (poster, ("a poster of {}", "a pop art poster of {}")),
    "starry night": (
        swirls,
        ("a painting of {} in the style of a starry night", "{} in the style of Van Gogh", "a swirling painting of {}"),
    ),
    "woodcut": (woodcut, ("a woodcut of {}", "a black and white print of {}")),
}


def stylise(picture: Image.Image, name: str, rng: Rng) -> tuple[Image.Image, str, str]:
    """(the picture in a drawn style, a caption for `name` in that style, the style's word)."""
    style = str(rng.choice(list(STYLES)))
    change, templates = STYLES[style]
    return change(picture, rng), str(rng.choice(templates)).format(name), style


def to_image(values: NDArray) -> Image.Image:
    """(H, W, 3) values in [0, 255], clipped, as an RGB picture."""
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def blur_along(values: NDArray, angle: float, length: int) -> NDArray:
    """(H, W) values averaged along a line of `length` pixels at `angle` degrees, wrapping at the border."""
    steps = np.arange(length) - length // 2
    across, down = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.mean([np.roll(values, (round(s * down), round(s * across)), (0, 1)) for s in steps], axis=0)


def resize_noise(rng: Rng, size: tuple[int, int], cells: int) -> NDArray:
    """Smooth noise (H, W) of about unit range, from a grid of `cells` by `cells` values."""
    grid = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(grid.resize(size, Image.Resampling.BICUBIC))


def curl(rng: Rng, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """A unit flow field without sources, (H, W) each: the turned gradient of smooth noise."""
    down, across = np.gradient(resize_noise(rng, size, int(rng.integers(4, 7))))
    norm = np.hypot(down, across) + 1e-6
    return down / norm, -across / norm


def smear(values: NDArray, flow_x: NDArray, flow_y: NDArray, length: int) -> NDArray:
    """(H, W) values averaged along the flow, `length` steps of 1.5 pixels: a short line integral convolution."""
    height, width = values.shape
    row, column = np.mgrid[:height, :width].astype(np.float32)
    total = np.zeros_like(row)
    for _ in range(length):
        y, x = np.clip(row, 0, height - 1).astype(np.intp), np.clip(column, 0, width - 1).astype(np.intp)
        total += values[y, x]
        row, column = row + 1.5 * flow_y[y, x], column + 1.5 * flow_x[y, x]
    return total / length
