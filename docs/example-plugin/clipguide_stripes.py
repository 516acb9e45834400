"""Stripes: a method of horizontal stripes, and a loss that likes the dark."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from clipguide.core import Frame, optimise
from clipguide.cutouts import crops
from clipguide.losses.guidance import Composed, guidance


class Stripes(nn.Module):  # a canvas
    def __init__(self, size, count, lr, batch, rng):
        super().__init__()
        self.size, self.lr = size, lr
        self.colours = nn.Parameter(torch.rand(batch, 3, count, 1, generator=rng))

    def param_groups(self):
        return [{"params": [self.colours], "lr": self.lr}]

    def render(self, tick):
        return Frame(nn.functional.interpolate(self.colours, self.size[::-1]))

    def project(self):
        self.colours.clamp_(0, 1)


class Settings(Composed):
    photo: ClassVar = "never"  # does it start from one?
    count: int = Field(12, ge=1, le=256, description="how many stripes")
    lr: float = Field(0.05, gt=0, le=1, description="learning rate of the colours")


def run(brief, settings, models):  # a method is a module with Settings and run
    canvas = Stripes(brief.size, settings.count, settings.lr, brief.batch, brief.rng()).to(models.device)
    terms = guidance(brief, settings, models.judges(settings.clip), crops(settings.cutouts))
    when = {"steps": settings.steps, "seconds": brief.seconds, "seed": brief.seed, "resume": brief.resume}
    yield from optimise(canvas, terms, **when)


def dark():  # a loss: what `--losses dark:0.5` multiplies and minimises
    return lambda scene: scene.image().mean()
