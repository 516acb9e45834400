"""Large batches in little memory: encode without gradients, take the loss, then encode again chunk by chunk.

The gradient is that of one large batch (Gao et al. 2021, arXiv 2101.06983). Random numbers that an encoder draws, for
dropout say, are drawn alike both times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Replay:
    """`output`: encode(chunk) of all chunks in one tensor. After its `.backward()`, call `backward` once.

    With a single chunk the graph is kept, and `backward` has nothing to do.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], chunks: Sequence[Tensor]) -> None:
        self._encode, self._chunks, self._states = encode, chunks, []
        if len(chunks) == 1:
            self.output = encode(chunks[0])
            return
        outputs = []
        with torch.no_grad():
            for chunk in chunks:
                self._states.append(_random_state(chunk.device))
                outputs.append(encode(chunk))
        self.output = torch.cat(outputs).requires_grad_()

    def backward(self) -> None:
        """Sends the gradient of `output` on into whatever `encode` is made of."""
        if not self._states:
            return
        after = _random_state(self.output.device)
        slopes = self.output.grad.split([len(chunk) for chunk in self._chunks])
        for chunk, slope, random in zip(self._chunks, slopes, self._states, strict=True):
            _set_random_state(random, self.output.device)
            self._encode(chunk).backward(slope)
        _set_random_state(after, self.output.device)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
