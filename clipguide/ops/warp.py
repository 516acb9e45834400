"""Many windows on one picture in one batched warp."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

AWAY = 4.0  # moves a place off the picture, which reaches from -1 to 1
STRIPS = 4  # at most: torch shares the lookup among its threads by pictures, so one is given to it in strips


def homographies(corners: Tensor) -> Tensor:
    """The projective maps that send the unit square's corners to `corners`.

    corners: (n, 4, 2) as (x, y), in the order top left, top right, bottom right, bottom left; the square's own corners
    are (0, 0), (1, 0), (1, 1), (0, 1).  -> (n, 3, 3).  Closed form of Heckbert's thesis (1989), section 2.2.3.
    """
    first, sides = corners[:, :1], corners[:, 1::2]  # (n, 1, 2); the corners on either side of it, (n, 2, 2)
    bend = (corners[:, ::2] - sides).sum(1)  # none for a parallelogram
    gh = torch.linalg.solve((sides - corners[:, 2:3]).mT, bend)  # (n, 2)
    axes = sides - first + gh[..., None] * sides
    above = torch.cat([axes, first], 1).mT  # (n, 2, 3)
    return torch.cat([above, F.pad(gh, (0, 1), value=1.0)[:, None]], 1)


def window_points(corners: Tensor, side: int) -> Tensor:
    """Where each pixel of each window lies.

    corners: (n, 4, 2), see `homographies`, in the picture's unit square.  -> (2, n, side, side), x and y, in the same
    square, in which the picture's pixels fill 0 to 1.
    """
    ticks = (torch.arange(side, device=corners.device) + 0.5) / side
    x, y, one = homographies(corners).permute(1, 2, 0).contiguous()[..., None, None].unbind(1)  # each (3, n, 1, 1)
    points = x * ticks + (y * ticks[:, None] + one)
    return points[:2].div_(points[2])


def outside(points: Tensor) -> Tensor:
    """(2, n, S, S) of `window_points` -> (n, S, S), 1 for the pixels that see past the picture's edges, else 0."""
    x, y = (points - 0.5).abs_()
    return torch.maximum(x, y, out=x).gt_(0.5)


def sample(
    image: Tensor,
    points: Tensor,
    levels: Tensor,
    *,
    mirror: int = 0,
    hidden: Tensor | None = None,
    colour: Tensor | None = None,
    ground: Tensor | None = None,
) -> Tensor:
    """Looks at the picture through every window.

    image: (B, 3, H, W).  points: (2, n, S, S) of `window_points`; they may be written into.  levels: (n,) how often
    each window wants the picture halved first, so that nothing aliases.  Past the picture's edges lies its mirror image
    for `mirror` windows, the first, and the colour of the nearest edge for the others.  hidden: (n, S, S), from 1 on
    for a pixel that shows no picture, else 0.  colour: (n, 3, 3), what multiplies the colours.  ground: (n, 3, S, S),
    what is added then; it may be written into.  -> (n, B, 3, S, S).
    """
    atlas, layout = _atlas(image, int(levels.max()))
    places = _lookup(points, mirror, layout.to(points)[:, :, levels])
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
        most = min(STRIPS, torch.get_num_threads())
        strips = next(number for number in range(most, 0, -1) if count % number == 0)
        planes = _planes(gradient.flatten(3), colour, strips).view(strips, -1, count // strips * side, side)
        blank = gradient.new_zeros(()).expand(strips, planes.shape[1], *ctx.shape[2:])  # only for the places' gradient
        total, _ = torch.ops.aten.grid_sampler_2d_backward(
            planes, blank, places.reshape(strips, -1, side, 2), 0, 0, False, [True, False]
        )
        return total.sum(0).view(ctx.shape), None, None, None


def _planes(gradient: Tensor, colour: Tensor | None, strips: int) -> Tensor:
    """(n, 3, B, P) -> (strips, 3, B, n / strips, P), back through `colour` (n, 3, 3)."""
    mixed = gradient if colour is None else (colour.mT @ gradient.flatten(2)).view_as(gradient)
    return mixed.unflatten(0, (strips, -1)).permute(0, 2, 3, 1, 4).contiguous()


def _atlas(image: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """The picture and its halved copies, one above the other: windows of all levels look into one picture.

    -> the atlas, (B, 3, rows, W); and for x and y of each copy, (4, 2, levels + 1): by what a place from 0 to 1 on the
    copy is multiplied and what is added to have its place from -1 to 1 on the atlas; the least and the greatest of
    these, half a pixel from the copy's ends.
    """
    copies = [image]
    for _ in range(levels):
        copies.append(_halved(copies[-1]))
    padded = [F.pad(copy, (0, image.shape[-1] - copy.shape[-1])) for copy in copies[1:]]
    rows, width = sum(copy.shape[-2] for copy in copies), image.shape[-1]
    top, layout = 0, []
    for copy in copies:
        layout.append([_placed(0, copy.shape[-1], width), _placed(top, copy.shape[-2], rows)])
        top += copy.shape[-2]
    return torch.cat([image, *padded], 2), torch.tensor(layout).permute(2, 1, 0)


def _placed(start: int, length: int, whole: int) -> list[float]:
    """Where `length` px from `start` on lie among `whole` px: factor, addend, least and greatest place."""
    end = start + length
    return [2 * length / whole, 2 * start / whole - 1, (2 * start + 1) / whole - 1, (2 * end - 1) / whole - 1]


def _lookup(points: Tensor, mirror: int, layout: Tensor) -> Tensor:
    """(2, n, S, S) places on each window's own copy -> places on the atlas.  layout: (4, 2, n), see `_atlas`."""
    factor, start, least, most = layout[..., None, None]
    past = points[:, :mirror]  # these come back past an edge as in a mirror, from as far as a square away:
    torch.lerp(past.clamp(0, 1), past, -1, out=past)  # twice the nearest edge, less the point
    places = (points * factor).add_(start)  # addcmul and clamp take a number for each window three times as slowly
    return torch.minimum(torch.maximum(places, least, out=places), most, out=places)


def _halved(image: Tensor) -> Tensor:
    """Half as large; an odd side is halved upwards, and every pixel stays where it was in the unit square."""
    height, width = image.shape[-2:]
    if height % 2 == 0 and width % 2 == 0:
        return F.interpolate(image, scale_factor=0.5, mode="bilinear")  # the mean of four, faster than a pool
    return F.adaptive_avg_pool2d(image, (-(-height // 2), -(-width // 2)))
