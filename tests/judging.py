"""What tests of the losses share."""

import torch
from doubles import make_tick
from torch import Tensor

from clipguide.core import Scene
from clipguide.cutouts import crops

VIEWS = crops(4, erase=0, noise=0)
PHOTO = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def picture(batch: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def judged(loss, image: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The loss of a picture, and its gradient there."""
    leaf = image.clone().requires_grad_()
    value = loss(Scene({"image": leaf}, make_tick(seed=seed), {}))
    assert value.shape == ()
    value.backward()
    return value.detach(), leaf.grad
