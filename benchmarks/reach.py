"""How long until VQGAN+CLIP's picture is as good as the public scripts' loop leaves it?

Both draw with the bundled networks at their own defaults, `benchmarks.classic` from random codes and ours from what a
network draws of the prompt.  The score is the cosine of picture and prompt by a CLIP that guided neither; looking at it
is left out of the times.
"""

from __future__ import annotations

import statistics
import time

import torch

import clipguide
from benchmarks.classic import Classic
from clipguide.losses.prompt import embed
from clipguide.models.clip import open_folder
from clipguide.scores import similarities
from clipguide.weights import Models

GUIDE, JUDGE = "clip-mini", "clip-mini-b"
PROMPTS = "a castle", "a sunset over the sea"
STEPS, VIEWS, SIDE = 200, 32, 256  # of the scripts' loop
EVERY = 3  # of our steps between two looks


def measure() -> dict[str, str]:
    models, figures, shares = Models("cpu"), {}, []
    for prompt in PROMPTS:
        theirs, score = _classic(prompt, models)
        ours, reached = _ours(prompt, models, score)
        shares.append(ours / theirs if reached else float("inf"))
        when = f"{ours:.1f} s" if reached else f"not in {ours:.1f} s"
        figures[prompt] = f"the scripts' {STEPS} steps {theirs:.0f} s, score {score:.3f}; as good: {when}"
    figures["time to the scripts' score, a share of theirs"] = f"{statistics.median(shares):.1%} (aim: at most a third)"
    return figures


def _classic(prompt: str, models: Models) -> tuple[float, float]:
    """Seconds and the final score."""
    torch.manual_seed(0)
    opened = open_folder(models.checkpoint(GUIDE, "clip"))
    opened.model.requires_grad_(False)
    aim = embed(models.encoder(GUIDE), prompt)
    loop = Classic(models.vqgan("vqgan-mini"), opened, aim, side=SIDE, views=VIEWS)
    began = time.perf_counter()
    for _ in range(STEPS):
        loop.step()
    return time.perf_counter() - began, _score(loop.draw(), prompt, models)


def _ours(prompt: str, models: Models, goal: float) -> tuple[float, bool]:
    """Seconds until the goal, or of the whole run, and whether it was reached."""
    began, spent = time.perf_counter(), 0.0
    for step in clipguide.stream(prompt, method="vqgan", models=models, seed=0):
        spent += time.perf_counter() - began
        if (step.last or step.index % EVERY == 0) and _score(step.image, prompt, models) >= goal:
            return spent, True
        began = time.perf_counter()
    return spent, False


def _score(picture: torch.Tensor, prompt: str, models: Models) -> float:
    return similarities(models.encoder(JUDGE), picture.detach(), [prompt]).item()
