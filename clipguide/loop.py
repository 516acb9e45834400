"""The loop as a method runs it: a brief says the seed and the time, its settings the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from clipguide import schedules
from clipguide.brief import Brief
from clipguide.core import Canvas, Step, Term, optimise
from clipguide.options import Guided
from clipguide.stages import Leg
from clipguide.weights import Models

Rate = Callable[[float], float]
COOLING = schedules.cosine(0.1, warm_up=0.05)  # a short warm-up, then down to a tenth


def follow(
    canvas: Canvas,
    terms: Sequence[Term],
    brief: Brief,
    settings: Guided,
    models: Models,
    *,
    lr_scale: Rate = COOLING,
) -> Iterator[Step]:
    """Yields the steps of `core.optimise`, on the models' device."""
    leg = Leg(None, settings.steps, brief.seconds, brief.seed, brief.resume, (0.0, 1.0))
    return run_leg(canvas, terms, leg, settings, models, lr_scale=lr_scale)


def run_leg(
    canvas: Canvas, terms: Sequence[Term], leg: Leg, settings: Guided, models: Models, *, lr_scale: Rate = COOLING
) -> Iterator[Step]:
    """As `follow`, for one stage of a run; the learning rate's schedule is gone through once in each."""
    return optimise(
        canvas.to(models.device),
        terms,
        steps=leg.steps,
        seconds=leg.seconds,
        seed=leg.seed,
        chunks=settings.chunks,
        lr_scale=schedules.within(leg.span, lr_scale),
        resume=leg.resume,
        span=leg.span,
    )
