"""Masks of a photo: from a file, or from words by CLIP's relevance, patch by patch."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide import images
from clipguide.core import Encoder
from clipguide.ops.colour import luminance
from clipguide.ops.spread import spread
from clipguide.ops.warp import sample, window_points

CONTRAST = ("a background", "scenery", "the ground", "a wall", "something else", "a photo")  # what the text is not
SIDES = (0.22, 0.34, 0.5)  # of the windows, as shares of the shorter side
STRIDE = 0.5  # of a window's side


def from_file(path: Path, photo: Tensor) -> Tensor:
    """(1, 1, H, W) in [0, 1] of the photo's size: the file's opacity, or its luminance where it is opaque."""
    return images.read_alpha(path, (photo.shape[-1], photo.shape[-2])).to(photo)


@torch.no_grad()
def from_text(encoder: Encoder, text: str, photo: Tensor) -> Tensor:
    """(1, 1, H, W) in [0, 1]: near 1 where CLIP finds what the text says.

    A map of relevance, not a segmentation: it always finds something, be the thing in the photo or not.
    """
    return from_heat(heat(encoder, text, photo), photo)


@torch.no_grad()
def heat(encoder: Encoder, text: str, photo: Tensor) -> Tensor:
    """(1, 1, H, W): the text's `relevance`, passed on to places of like colour (`spread`)."""
    return spread(relevance(encoder, text, photo), photo)


@torch.no_grad()
def from_heat(heat: Tensor, photo: Tensor) -> Tensor:
    """(1, 1, H, W) in [0, 1]: heat of that shape, parted into warm and cold, and fitted to the photo's edges."""
    heat = (heat - heat.amin()) / (heat.amax() - heat.amin()).clamp(min=1e-6)
    mask = torch.sigmoid((heat - _otsu(heat)) / 0.08)
    radius = max(2, round(0.02 * min(photo.shape[-2:])))
    return guided(mask, luminance(photo), radius).clamp(0, 1)


@torch.no_grad()
def relevance(encoder: Encoder, text: str, photo: Tensor, at_once: int = 64) -> Tensor:
    """(1, 1, H, W): how much more the windows over each place look like the text than like anything else.

    Overlapping windows of three sizes are each compared with the text and with what it is not; the heat of a place is
    the mean over the windows that show it, of which those below the average count as cold.
    """
    height, width = photo.shape[-2:]
    boxes = _windows(width, height)  # (n, 4) x0, y0, x1, y1 in [0, 1]
    x0, y0, x1, y1 = boxes.unbind(1)
    corners = torch.stack([torch.stack(p, 1) for p in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], 1)
    points = window_points(corners.to(photo), encoder.size)
    pixels = (x1 - x0) * width / encoder.size
    levels = pixels.clamp(min=1).log2().round().long()
    parts = zip(points.split(at_once, 1), levels.split(at_once), strict=True)
    seen = torch.cat([encoder.encode_image(sample(photo, p, part)[:, 0]) for p, part in parts])  # (n, D)
    wanted, other = encoder.encode_text([text]), encoder.encode_text(CONTRAST)
    scores = (seen @ wanted.T)[:, 0] - (seen @ other.T).mean(1)
    scores = ((scores - scores.mean()) / scores.std().clamp(min=1e-6)).clamp(min=0)
    heat, count = torch.zeros(height, width).to(photo), torch.zeros(height, width).to(photo)
    for score, box in zip(scores.tolist(), boxes.tolist(), strict=True):  # less like it than most: not at all
        place = (slice(int(box[1] * height), -int(-box[3] * height)), slice(int(box[0] * width), -int(-box[2] * width)))
        heat[place] += score
        count[place] += 1
    return (heat / count.clamp(min=1))[None, None]


def _windows(width: int, height: int) -> Tensor:
    """(n, 4): square windows of every size in a grid that reaches the photo's edges."""
    boxes = []
    for share in SIDES:
        side = share * min(width, height)
        columns = 1 + max(1, round((width - side) / (side * STRIDE)))
        rows = 1 + max(1, round((height - side) / (side * STRIDE)))
        for y in torch.linspace(0, 1 - side / height, rows).tolist():
            for x in torch.linspace(0, 1 - side / width, columns).tolist():
                boxes.append((x, y, x + side / width, y + side / height))
    return torch.tensor(boxes)


def _otsu(heat: Tensor) -> Tensor:
    """The level that parts the values into two groups of the least inner variance (Otsu, 1979)."""
    values = heat.flatten().sort().values
    if len(values) == 1:
        return values[0]
    count = torch.arange(1, len(values), device=heat.device)
    total = values.cumsum(0)
    low, high = total[:-1] / count, (total[-1] - total[:-1]) / (len(values) - count)
    between = count * (len(values) - count) * (high - low).square()
    return values[between.argmax()]


def guided(mask: Tensor, guide: Tensor, radius: int, sharpness: float = 1e-3) -> Tensor:
    """The mask, (1, 1, H, W), moved to the edges of the guide, of the same shape (guided filter; He et al., 2010)."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2 * radius + 1, 1, radius, count_include_pad=False)

    m, g = mean(mask), mean(guide)
    slope = (mean(guide * mask) - g * m) / (mean(guide * guide) - g * g + sharpness)
    return mean(slope) * guide + mean(m - slope * g)


def feathered(mask: Tensor, softness: float) -> Tensor:
    """(1, 1, H, W) blurred over `softness` times the longer side, by three box filters; 0 leaves it as it is."""
    radius = round(softness * max(mask.shape[-2:]) / 2)
    for _ in range(3 if radius else 0):
        mask = F.avg_pool2d(mask, 2 * radius + 1, 1, radius, count_include_pad=False)
    return mask.clamp(0, 1)
