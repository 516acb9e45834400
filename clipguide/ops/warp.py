"""Many windows on one picture in one batched warp."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

AWAY = 4.0  # moves a place off the picture, which reaches from -1 to 1
STRIPS = 4, 3, 2, 1  # torch shares the lookup among its threads by pictures: one is given to it in so many strips


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
    points = torch.addcmul(map_[:, 1] * ticks[:, None] + map_[:, 2], map_[:, 0], ticks)
    return points[:2].div_(points[2])


def outside(points: Tensor) -> Tensor:
    """(2, n, S, S) of `window_points` -> (n, S, S), 1 for the pixels that see past the picture's edges, else 0."""
    x, y = (points - 0.5).abs_()
    return (torch.maximum(x, y) > 0.5).to(points)


def sample(
    image: Tensor,
    points: Tensor,
    levels: Tensor,
    *,
    mirror: bool = False,
    hidden: Tensor | None = None,
    colour: Tensor | None = None,
    ground: Tensor | None = None,
) -> Tensor:
    """Looks at the picture through every window.

    image: (B, 3, H, W).  points: (2, n, S, S) of `window_points`.  levels: (n,) how often each window wants the picture
    halved first, so that nothing aliases.  Past the picture's edges lies its mirror image, or else the colour of the
    nearest edge.  hidden: (n, S, S), from 1 on for a pixel that shows no picture, else 0.  colour: (n, 3, 3), what
    multiplies the colours.  ground: (n, 3, S, S), what is added then; it may be written into.  -> (n, B, 3, S, S).
    """
    atlas, tops, heights, widths = _atlas(image, int(levels.max()))
    starts, sides = torch.stack([torch.zeros_like(levels), tops[levels]]), torch.stack([widths, heights])[:, levels]
    whole = torch.tensor([[atlas.shape[-1]], [atlas.shape[-2]]])
    places = _lookup(_folded(points) if mirror else points, starts, sides, whole)
    if hidden is not None:
        places[0].add_(hidden, alpha=AWAY)
    seen = _Seen.apply(atlas.transpose(0, 1), places.permute(1, 2, 3, 0), colour, ground)  # (n, 3, B, S, S)
    return seen.transpose(1, 2)


class _Seen(torch.autograd.Function):
    """Samples a picture, (3, B, rows, W), at places (n, S, S, 2), times `colour` plus `ground` -> (n, 3, B, S, S).

    By hand because torch's own backward of `grid_sample` gathers a gradient in a picture for each window, which is
    much memory for many windows; here it is for a few strips of all windows.
    """

    @staticmethod
    def forward(ctx: Any, picture: Tensor, places: Tensor, colour: Tensor | None, ground: Tensor | None) -> Tensor:
        ctx.save_for_backward(places, colour)
        ctx.shape = picture.shape
        count, side = places.shape[:2]
        pictures = picture.flatten(0, 1).expand(count, -1, -1, -1)
        seen = F.grid_sample(pictures, places, align_corners=False).view(count, 3, -1)
        shape = count, *picture.shape[:2], side, side
        if ground is None:
            return (seen if colour is None else colour @ seen).view(shape)
        ground = ground[:, :, None].expand(shape).reshape(count, 3, -1)
        return (ground.add_(seen) if colour is None else ground.baddbmm_(colour, seen)).view(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        places, colour = ctx.saved_tensors
        count, side = places.shape[:2]
        strips = next(number for number in STRIPS if count % number == 0)
        planes = _planes(gradient.flatten(3), colour, strips).view(strips, -1, count // strips * side, side)
        blank = gradient.new_zeros(()).expand(strips, planes.shape[1], *ctx.shape[2:])  # only for the places' gradient
        total, _ = torch.ops.aten.grid_sampler_2d_backward(
            planes, blank, places.reshape(strips, -1, side, 2), 0, 0, False, [True, False]
        )
        return total.sum(0).view(ctx.shape), None, None, None


def _planes(gradient: Tensor, colour: Tensor | None, strips: int) -> Tensor:
    """(n, 3, B, P) -> (strips, 3, B, n / strips, P), back through `colour` (n, 3, 3).

    One product a view: it reads channels wherever they lie and writes planes, so nothing is copied in between.
    """
    count, _, batch, pixels = gradient.shape
    planes = gradient.new_empty(strips, 3, batch, count // strips, pixels)
    if colour is None:
        return planes.copy_(gradient.unflatten(0, (strips, -1)).permute(0, 2, 3, 1, 4))
    for view in range(count):
        strip, row = divmod(view, count // strips)
        for one in range(batch):
            torch.mm(colour[view].mT, gradient[view, :, one], out=planes[strip, :, one, row])
    return planes


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


def _lookup(points: Tensor, starts: Tensor, sides: Tensor, whole: Tensor) -> Tensor:
    """(2, n, S, S) places from 0 to 1 on each window's own copy -> places from -1 to 1 on the atlas.

    starts, sides: (2, n) where the copy begins and how long it is, of `whole` (2, 1) px, along x and y; half a px at
    its ends is never passed.
    """
    starts, sides, whole = (pixels.to(points)[..., None, None] for pixels in (starts, sides, whole))
    least, most = (2 * starts + 1) / whole - 1, (2 * (starts + sides) - 1) / whole - 1
    return torch.addcmul(2 * starts / whole - 1, points, 2 * sides / whole).clamp_(least, most)


def _folded(points: Tensor) -> Tensor:
    """Coordinates past an edge of the unit square come back as in a mirror, from as far as a square away."""
    return (points.abs() - 1).abs_().neg_().add_(1)  # a remainder would serve any distance, at ten times the cost


def _halved(image: Tensor) -> Tensor:
    """Half as large; an odd side is halved upwards, and every pixel stays where it was in the unit square."""
    height, width = image.shape[-2:]
    if height % 2 == 0 and width % 2 == 0:
        return F.interpolate(image, scale_factor=0.5, mode="bilinear")  # the mean of four, faster than a pool
    return F.adaptive_avg_pool2d(image, (-(-height // 2), -(-width // 2)))
