"""What a VQGAN run is: its config, and the architecture that the config says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clipguide.errors import UserError


@dataclass(frozen=True)
class VqganConfig:
    """Everything that decides what a run computes, beside its crops.  Stored in its checkpoints.

    Shares are of `steps`.  Rates are flat until `settle`, then fall in a line to nothing, so that a run can be given
    fewer or more steps on resuming without harm before that.
    """

    steps: int = 8000
    seed: int = 0
    widths: tuple[int, ...] = (32, 64, 128)  # channels at each side, largest side first
    blocks: int = 1  # residual blocks of the encoder at each side; the decoder has one more
    groups: int = 8  # of each normalisation
    patch: int = 2  # px of a patch that enters as channels
    codes: int = 4096
    depth: int = 8  # numbers in a code
    batch: int = 16  # small crops in a step; of large crops as many as have the same area
    small: int = 64  # px, side of the crops at first
    large: int = 128
    grow: float = 0.6  # share of the steps with small crops
    free: int = 2400  # steps without quantisation; the codebook is then drawn from what the encoder says
    rate: float = 2e-3
    warmup: int = 100
    settle: float = 0.6
    commit: float = 0.25  # weight of the pull of z to its code (van den Oord et al., arXiv 1711.00937)
    spread: float = 0.05  # weight, in the steps without quantisation, of z being whitened
    squared: float = 1.0  # weight of the squared error, beside the absolute one
    colour: float = 20.0  # weight of the squared error of means over 8 x 8 px: hues are learned late without it
    perceptual: float = 0.4
    adversary: float = 0.03
    adversary_from: float = 0.9  # share of the steps after which the discriminator counts; it learns a bit before
    average: float = 0.996  # of the exported weights

    def __post_init__(self) -> None:
        """UserError for a value that no run can have."""
        for name in ("steps", "batch", "codes", "depth"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)}: give 1 or more")
        for name in ("grow", "settle", "adversary_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: a share is from 0 to 1")
        if not 0 <= self.free < self.steps:
            raise UserError(f"--free {self.free}: steps without codes must be fewer than --steps {self.steps}")

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of diffusers' VQModel."""
        levels, channels = len(self.widths), 3 * self.patch**2
        return {
            "in_channels": channels,
            "out_channels": channels,
            "down_block_types": ("DownEncoderBlock2D",) * levels,
            "up_block_types": ("UpDecoderBlock2D",) * levels,
            "block_out_channels": self.widths,
            "layers_per_block": self.blocks,
            "latent_channels": self.depth,
            "num_vq_embeddings": self.codes,
            "vq_embed_dim": self.depth,
            "norm_num_groups": self.groups,
            "mid_block_add_attention": False,
        }
