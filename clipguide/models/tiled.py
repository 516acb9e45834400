"""Tiled: a VQGAN that reads and draws large pictures in tiles, so that memory follows the tile, not the picture."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from clipguide.models.vqgan import VQGAN
from clipguide.ops.patchwork import patchwork

OVERLAP, RIM = 8, 2  # codes: what neighbours share, and what of a tile's edge counts for nothing


class Tiled:
    """As the `VQGAN` that it is made of, whose codes stay the same.

    tile: px of a tile's side, rounded down to whole codes, and to twice `OVERLAP` at least.  Tiles fade into each
    other.  Backward each tile is drawn anew, so that the activations of one alone are in memory; that costs a third
    more time.  Each tile is normalised by its own statistics (the networks' group norms), so that a picture is not
    quite what the VQGAN would draw of it as a whole.
    """

    def __init__(self, vqgan: VQGAN, tile: int) -> None:
        self.vqgan, self.factor, self.codebook = vqgan, vqgan.factor, vqgan.codebook
        self.quantise = vqgan.quantise
        self.layout = {"tile": max(2 * OVERLAP, tile // vqgan.factor), "overlap": OVERLAP, "rim": RIM}

    def nearest(self, z: Tensor) -> Tensor:
        return self.vqgan.nearest(z)

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], H and W multiples of `factor` -> z (B, C, h, w)."""

        def read(places: Tensor, at: tuple[int, int]) -> Tensor:
            return self.vqgan.encode(F.pixel_shuffle(places, self.factor))

        return patchwork(read, F.pixel_unshuffle(image, self.factor), **self.layout)

    def decode(self, z: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 3, H, W) in [0, 1]."""

        def draw(codes: Tensor, at: tuple[int, int]) -> Tensor:
            return checkpoint(self.vqgan.decode, codes, use_reentrant=False)

        return patchwork(draw, z, scale=self.factor, **self.layout)
