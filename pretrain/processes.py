"""Several processes, one batch: every process holds a share of the pairs and sees the features of all.

Without torch.distributed's process group each function is what it is for one process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def count() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if count() > 1 else 0


def join(device: str) -> None:
    """Joins the processes that torchrun started; does nothing in a process that was started alone.

    device: where the run computes; "cuda" is another GPU in each process of a machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Its functions have the process group of the moment of this import as their default. Imported after that group
        # is made, as torch's optimisers do, it would keep the group and its threads alive past `leave`.
        import torch.distributed.nn

        if device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")


def leave() -> None:
    """Ends what `join` began.

    gloo's threads free the tensors of past transfers, and one that does so while Python ends aborts the process
    (https://github.com/pytorch/pytorch/pull/179291). Caches of sharded tensors keep these threads alive past the group,
    so they get a moment without the interpreter's lock.
    """
    if count() > 1:
        dist.destroy_process_group()
        time.sleep(0.2)


def agree(yes: bool) -> bool:
    """What the first process says, in all of them: they save together though their clocks differ."""
    if count() == 1:
        return yes
    said = [yes]
    dist.broadcast_object_list(said)
    return said[0]


def gather(features: Tensor) -> Tensor:
    """(N, D) of each process -> (count * N, D) in order of rank. Gradients flow back to the process they came from.

    Every process computes the whole loss, so the gradients of all add up here; `average_gradients` divides again.
    """
    return features if count() == 1 else _Gather.apply(features)


def gather_names(names: Sequence[str]) -> list[str]:
    """The strings of all processes, in order of rank."""
    if count() == 1:
        return list(names)
    every: list[Any] = [None] * count()
    dist.all_gather_object(every, list(names))
    return [name for part in every for name in part]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over the processes, in one transfer."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if count() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= count()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.rows = len(features)
        every = [torch.empty_like(features) for _ in range(count())]
        dist.all_gather(every, features.contiguous())
        return torch.cat(every)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        slope = slope.contiguous()
        dist.all_reduce(slope)
        return slope.narrow(0, rank() * ctx.rows, ctx.rows)
