"""Many windows on one picture in one batched warp."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


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


def window_grid(corners: Tensor, side: int) -> Tensor:
    """Where each pixel of each window lies.

    corners: (n, 4, 2), see `homographies`, in the picture's unit square.  -> (n, side, side, 2), (x, y) in [-1, 1].
    """
    ticks = (torch.arange(side, device=corners.device) + 0.5) / side
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).reshape(-1, 3)  # (S*S, 3)
    mapped = points @ homographies(corners).mT  # (n, S*S, 3)
    return (mapped[..., :2] / mapped[..., 2:] * 2 - 1).unflatten(1, (side, side))


def sample(image: Tensor, grid: Tensor, levels: Tensor, fill: Tensor | None = None) -> Tensor:
    """Looks at the picture through every window.

    image: (B, 3, H, W).  grid: (n, S, S, 2) in [-1, 1].  levels: (n,) how often each window wants the picture halved
    first, so that nothing aliases.  fill: (n, 3) what lies outside the picture, or None for its mirror image.
    -> (n * B, 3, S, S), window after window.
    """
    side, batch = grid.shape[1], image.shape[0]
    pieces, order = [], []
    for level in range(int(levels.max()) + 1):
        if level:
            image = _halved(image)
        index = torch.nonzero(levels == level)[:, 0]
        if len(index):
            tall = grid[index].reshape(1, -1, side, 2).expand(batch, -1, -1, -1)  # (B, m*S, S, 2)
            padding = "reflection" if fill is None else "border"
            seen = F.grid_sample(image, tall, padding_mode=padding, align_corners=False)  # (B, 3, m*S, S)
            pieces.append(seen.unflatten(2, (len(index), side)).movedim(2, 0))  # (m, B, 3, S, S)
            order.append(index)
    views = torch.cat(pieces)[torch.argsort(torch.cat(order))] if len(pieces) > 1 else pieces[0]
    if fill is not None:
        x, y = grid[:, None, None].unbind(-1)
        inside = (x.abs() <= 1) & (y.abs() <= 1)  # (n, 1, 1, S, S)
        views = views * inside + fill[:, None, :, None, None].to(views) * ~inside
    return views.flatten(0, 1)


def _halved(image: Tensor) -> Tensor:
    """Half as large; an odd side is halved upwards, and every pixel stays where it was in the unit square."""
    height, width = image.shape[-2:]
    if height % 2 == 0 and width % 2 == 0:
        return F.avg_pool2d(image, 2)
    return F.adaptive_avg_pool2d(image, (-(-height // 2), -(-width // 2)))
