"""Many windows on one picture in one batched warp."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STRIPS = 4  # torch shares the lookup among its threads by pictures, so one picture is given to it in strips


def homographies(corners: Tensor) -> Tensor:
    """The projective maps that send the unit square's corners to `corners`.

    corners: (n, 4, 2) as (x, y), in the order top left, top right, bottom right, bottom left; the square's own corners
    are (0, 0), (1, 0), (1, 1), (0, 1).  -> (n, 3, 3).  Closed form of Heckbert's thesis (1989), section 2.2.3.
    """
    p0, p1, p2, p3 = corners.unbind(1)
    total, d1, d2 = p0 - p1 + p2 - p3, p1 - p2, p3 - p2
    det = d1[:, 0] * d2[:, 1] - d2[:, 0] * d1[:, 1]
    g = (total[:, 0] * d2[:, 1] - d2[:, 0] * total[:, 1]) / det
    h = (d1[:, 0] * total[:, 1] - total[:, 0] * d1[:, 1]) / det
    a, b = p1 - p0 + g[:, None] * p1, p3 - p0 + h[:, None] * p3
    rows = [a[:, 0], b[:, 0], p0[:, 0], a[:, 1], b[:, 1], p0[:, 1], g, h, torch.ones_like(g)]
    return torch.stack(rows, 1).unflatten(1, (3, 3))


def window_points(corners: Tensor, side: int) -> Tensor:
    """Where each pixel of each window lies.

    corners: (n, 4, 2), see `homographies`, in the picture's unit square.  -> (2, n, side, side), x and y, in the same
    square, in which the picture's pixels fill 0 to 1.
    """
    ticks = (torch.arange(side, device=corners.device) + 0.5) / side
    map_ = homographies(corners).permute(1, 2, 0)[..., None, None]  # (3, 3, n, 1, 1)
    x, y, w = torch.addcmul(map_[:, 1] * ticks[:, None] + map_[:, 2], map_[:, 0], ticks)
    return torch.stack([x, y]).div_(w)


def outside(points: Tensor) -> Tensor:
    """(2, n, S, S) of `window_points` -> (n, S, S) bool: which pixels see past the picture's edges."""
    x, y = (points - 0.5).abs_()
    return torch.maximum(x, y) > 0.5


def sample(image: Tensor, points: Tensor, levels: Tensor, *, mirror: bool = False) -> Tensor:
    """Looks at the picture through every window.

    image: (B, 3, H, W).  points: (2, n, S, S) of `window_points`.  levels: (n,) how often each window wants the picture
    halved first, so that nothing aliases.  Past the picture's edges lies its mirror image, or else the colour of the
    nearest edge.  -> (n, B, 3, S, S).
    """
    batch, (count, side) = image.shape[0], points.shape[1:3]
    atlas, tops, heights, widths = _atlas(image, int(levels.max()))
    x, y = _folded(points) if mirror else points
    x = _lookup(x, torch.zeros_like(levels), widths[levels], atlas.shape[-1])
    y = _lookup(y, tops[levels], heights[levels], atlas.shape[-2])
    strips = next(number for number in (STRIPS, 2, 1) if count * side % number == 0)
    grid = torch.stack([x, y]).view(2, strips, 1, -1, side).expand(-1, -1, batch, -1, -1)
    pictures = atlas.expand(strips, -1, -1, -1, -1).flatten(0, 1)  # (strips * B, 3, rows, W)
    grid = grid.flatten(1, 2).permute(1, 2, 3, 0)  # (strips * B, n * S / strips, S, 2)
    seen = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    return seen.unflatten(0, (strips, batch)).permute(1, 2, 0, 3, 4).reshape(batch, 3, count, side, side).movedim(2, 0)


def _atlas(image: Tensor, levels: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The picture and its halved copies, one above the other: windows of all levels look into one picture.

    -> the atlas, (B, 3, rows, W); the first row, the height and the width of each copy, (levels + 1,), in px.
    """
    copies = [image]
    for _ in range(levels):
        copies.append(_halved(copies[-1]))
    heights, widths = torch.tensor([copy.shape[-2:] for copy in copies], device=image.device).unbind(1)
    padded = [F.pad(copy, (0, image.shape[-1] - copy.shape[-1])) for copy in copies[1:]]
    return torch.cat([image, *padded], 2), heights.cumsum(0) - heights, heights, widths


def _lookup(points: Tensor, starts: Tensor, sides: Tensor, whole: int) -> Tensor:
    """(n, S, S) places from 0 to 1 on each window's own copy -> places from -1 to 1 on the atlas, along one axis.

    starts, sides: (n,) where the copy begins and how long it is, of `whole` px; half a px at its ends is never passed.
    """
    starts, sides = (pixels.to(points)[:, None, None] for pixels in (starts, sides))
    place = (points * (2 * sides / whole)).add_(2 * starts / whole - 1)
    return torch.minimum(torch.maximum(place, (2 * starts + 1) / whole - 1), (2 * (starts + sides) - 1) / whole - 1)


def _folded(points: Tensor) -> Tensor:
    """Coordinates past an edge of the unit square come back as in a mirror."""
    return 1 - ((points % 2) - 1).abs()


def _halved(image: Tensor) -> Tensor:
    """Half as large; an odd side is halved upwards, and every pixel stays where it was in the unit square."""
    height, width = image.shape[-2:]
    if height % 2 == 0 and width % 2 == 0:
        return F.interpolate(image, scale_factor=0.5, mode="bilinear")  # the mean of four, faster than a pool
    return F.adaptive_avg_pool2d(image, (-(-height // 2), -(-width // 2)))
