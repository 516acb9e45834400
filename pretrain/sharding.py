"""FSDP2: towers too large for one device, their blocks spread over the processes.

Each process keeps a slice of the parameters, gradients and moments of every block and gathers a block only while it
computes. Embeddings, heads and the temperature stay whole in each process. A model that is not sharded passes through
every function of this file as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from clipguide.errors import UserError
from pretrain import processes
from pretrain.towers import blocks, stacks


def shard(model: nn.Module, *, text: bool) -> None:
    """Spreads the blocks over all processes, in place, before the optimiser is made.

    text: the text tower too; not where its vectors are cached, for each process then asks it for other texts.
    Errors: UserError in a process that was started alone.
    """
    if processes.count() == 1:
        raise UserError(
            "--shard spreads a model over processes; start them: torchrun --nproc-per-node N -m -- pretrain"
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(model.parameters()).device.type, (processes.count(),))
    for stack in stacks(model, text=text):
        stack.to(memory_format=torch.contiguous_format)  # the only one that FSDP2 takes
        for block in blocks(stack):
            fully_shard(block, mesh=mesh)
        fully_shard(stack, mesh=mesh)


def is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")  # a DTensor, asked without importing its package


def whole(stored: Any) -> Any:
    """Dictionaries and lists with every sharded tensor in full, on the CPU. All processes call it together."""
    return tree_map(lambda leaf: leaf.full_tensor().cpu() if is_sharded(leaf) else leaf, stored)


def spread(tensor: Tensor, like: Tensor | None) -> Tensor:
    """A whole tensor on the device of `like`, and sharded where that is; as it is without one."""
    if like is None:
        return tensor
    tensor = tensor.to(like.device)
    if not is_sharded(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, like.device_mesh, like.placements)


def clip_gradients(parameters: Iterable[nn.Parameter], most: float) -> Tensor:
    """Shortens all gradients to a common length of at most `most`; returns the length before, a scalar."""
    parameters = list(parameters)
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not any(map(is_sharded, gradients)):
        return nn.utils.clip_grad_norm_(parameters, most)
    local = [gradient.to_local() for gradient in gradients if is_sharded(gradient)]
    alike = [gradient for gradient in gradients if not is_sharded(gradient)]
    square = nn.utils.get_total_norm(local).square()
    dist.all_reduce(square)
    norm = (square + nn.utils.get_total_norm(alike).square()).sqrt()
    factor = (most / (norm + 1e-6)).clamp(max=1.0)
    for gradient in (*local, *alike):
        gradient.mul_(factor)
    return norm
