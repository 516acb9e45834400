"""Where to compute."""

from __future__ import annotations

import torch

from clipguide.errors import UserError


def pick_device(name: str = "auto") -> torch.device:
    """auto: CUDA, else Apple's GPU, else the CPU.  UserError when the machine lacks the one that is named."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there.get(name.partition(":")[0], False):
        raise UserError(f"--device {name} is not here; this machine has: {', '.join(k for k in there if there[k])}")
    return torch.device(name)
