"""A plain forward for open_clip's vision transformer: the same weights and numbers, faster on a CPU.

open_clip's blocks hand their projections to `nn.MultiheadAttention`, which with gradients multiplies them view by view;
here each projection is one matrix product over all tokens of all views.  The patches are cut by a reshape, so that no
convolution has to be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainVit:
    """The forward of an open_clip `VisionTransformer`, which stays as it is and keeps the weights."""

    def __init__(self, visual: nn.Module) -> None:
        self.visual = visual

    def __call__(self, views: Tensor) -> Tensor:
        """(N, 3, S, S), normalised -> (N, D), as `visual(views)`."""
        visual = self.visual
        tokens = self._patches(views)  # (N, L - 1, width)
        first = visual.class_embedding.expand(len(tokens), 1, -1)
        tokens = visual.ln_pre(torch.cat([first, tokens], 1) + visual.positional_embedding)  # (N, L, width)
        for block in visual.transformer.resblocks:
            tokens = tokens + block.ls_1(_attention(block.attn, block.ln_1(tokens)))
            tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
        return visual._pool(tokens)[0] @ visual.proj

    def _patches(self, views: Tensor) -> Tensor:
        weight = self.visual.conv1.weight  # (width, 3, p, q)
        down, across = weight.shape[-2:]
        tiles = views.unflatten(3, (-1, across)).unflatten(2, (-1, down))  # (N, 3, rows, p, columns, q)
        tiles = tiles.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (N, rows * columns, 3 * p * q)
        return F.linear(tiles, weight.flatten(1))


def _attention(attention: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    projected = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)  # (N, L, 3 * width)
    parts = projected.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (3, N, heads, L, d)
    mixed = F.scaled_dot_product_attention(*parts)
    return attention.out_proj(mixed.transpose(1, 2).flatten(2))


def plain_tower(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The image tower of an open_clip model in eval mode: plain for a usual vision transformer, else its own."""
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    visual = model.visual
    usual = (
        type(visual) is VisionTransformer
        and visual.attn_pool is None
        and visual.pool_type in ("tok", "avg")
        and not visual.output_tokens
        and all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks)
    )
    return PlainVit(visual) if usual else model.encode_image
