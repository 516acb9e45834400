"""The engine for a Ray cluster; see `engines` for what an engine is."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from clipguide.engines import PATIENCE, Load, Outcomes, Stop
from clipguide.errors import UserError
from clipguide.manifest import Outcome
from clipguide.worker import Bench, Worker


def cluster(
    loads: Sequence[Load], bench: Bench, asked_to_stop: Stop, workers: int, address: str | None = None
) -> Outcomes:
    """On the Ray cluster of `address`, or of the variable RAY_ADDRESS, or on one of this machine alone.

    Its machines must see the photos and the batch's folder under the same paths.  A stop ends the workers at once: a
    job at hand goes on from its last saved state.
    """
    with _connected(address) as ray:
        waiting, busy = deque(enumerate(loads)), {}  # future -> (number of its load, actor)
        crew = [_hire(ray, bench, workers) for _ in range(min(workers, len(loads)))]
        for actor in crew:
            _give(actor, waiting, busy)
        while busy and not asked_to_stop():
            for future in ray.wait(list(busy), timeout=PATIENCE)[0]:
                number, actor = busy.pop(future)
                try:
                    outcomes = ray.get(future)
                except ray.exceptions.RayError as error:
                    died = Outcome("failed", error=f"its worker died ({type(error).__name__}); Ray's logs tell why")
                    outcomes = [died] * len(loads[number])
                    actor = _hire(ray, bench, workers)
                    crew.append(actor)
                yield number, outcomes
                _give(actor, waiting, busy)
        for actor in crew:
            ray.kill(actor)
        yield from ((number, [Outcome("stopped")] * len(loads[number])) for number, _ in busy.values())


def _give(actor: Any, waiting: deque[tuple[int, Load]], busy: dict[Any, tuple[int, Any]]) -> None:
    if waiting:
        number, load = waiting.popleft()
        busy[actor.make.remote(load)] = (number, actor)


def _hire(ray: ModuleType, bench: Bench, workers: int) -> Any:
    """An actor with its share of the cluster, so that all of them find a place in it."""
    there = ray.cluster_resources()
    cpus = min(bench.threads, _share(there.get("CPU", 1), workers))
    gpus = 0 if bench.device == "cpu" else min(1, _share(there.get("GPU", 0), workers))  # Ray hides GPUs not asked for
    return ray.remote(num_cpus=cpus, num_gpus=gpus)(Worker).remote(bench)


def _share(total: float, workers: int) -> float:
    """Whole ones, or a part of one in thousandths, as Ray wants it."""
    share = total / workers
    return int(share) if share >= 1 else int(share * 1000) / 1000


@contextmanager
def _connected(address: str | None) -> Iterator[ModuleType]:
    """Ray, connected; a connection that was there before stays.  UserError without Ray, or without its cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ray
    except ImportError:
        raise UserError("--engine ray needs Ray, which is not installed; pip install 'clipguide[batch]'") from None
    own = not ray.is_initialized()
    if own:
        _connect(ray, address)
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _connect(ray: ModuleType, address: str | None) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"--engine ray: no cluster answers ({reason}); start one, or leave --address out") from None
