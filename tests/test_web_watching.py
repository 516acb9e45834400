"""Watching a run: what is sent to the page when, and that it takes a share of the time at most."""

import asyncio
import threading
from itertools import pairwise

import pytest

pytest.importorskip("gradio")

import torch
from studios import SMALL, until

from apps import stage, web
from apps.runner import Work
from clipguide.errors import UserError


class Film(Work):
    """Work whose every look finds a new frame, over a clock of its own; `cost` seconds go by while one is sent."""

    def __init__(self, monkeypatch, cost: float, frames: int) -> None:
        super().__init__("film")
        self.cost, self.left, self.now = cost, frames, 0.0
        self.become("running")
        monkeypatch.setattr(stage.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(stage.asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now, self.left = self.now + seconds, self.left - 1
        self.version += 1
        if self.left == 0:
            self.become("done")

    async def watched(self) -> list[float]:
        """The times at which frames were asked for."""
        times = []
        async for _ in stage.changes(self, None):
            times.append(self.now)
            self.now += self.cost
        return times


@pytest.mark.parametrize("cost", [0.001, 0.05, 0.5])
def test_watching_costs_a_share_of_the_time_and_the_end_is_told_at_once(cost, monkeypatch):
    film = Film(monkeypatch, cost, frames=400)
    times = asyncio.run(film.watched())
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] == 0 and len(times) >= 3 and film.over
    assert all(gap >= max(stage.FRAME_SECONDS, cost / stage.SHARE) for gap in gaps[:-1]), "frames cost a share"
    often = cost + max(stage.FRAME_SECONDS, cost / stage.SHARE) + stage.LOOK_SECONDS
    assert max(gaps) <= often + 1e-9, "and come as often as that lets them"
    dear = asyncio.run(Film(monkeypatch, cost=100, frames=3).watched())
    assert dear[-1] <= 100 + 3 * stage.LOOK_SECONDS + 1e-9, "a result waits for no share"


def test_the_first_picture_is_news(place):
    job = place.start(["a fox"], "fourier", SMALL)
    until(lambda: job.over)
    before, job.image = job.news, torch.zeros(1, 3, 8, 8)
    assert job.news != before


def test_frames_send_plain_values_until_the_state_changes(place):
    async def told() -> list[tuple]:
        return [shown async for shown in stage.follow(job, place, stage.Place().take(job))]

    job = place.start(["a fox"], "fourier", SMALL | {"steps": 5000})
    until(lambda: job.step >= 1)
    threading.Timer(3 * stage.FRAME_SECONDS, place.runner.stop, [job]).start()
    first, *frames, last = asyncio.run(told())
    assert first[1] == job.name and not first[2]["interactive"] and first[3]["interactive"]
    plain = [frame[2:] for frame in frames if "Drawing" in frame[0]]
    assert plain and all(each == (stage.START, stage.STOP, None) for each in plain)
    assert last[1] == job.name and last[2]["interactive"] and not last[3]["interactive"] and last[4]["value"]


def test_an_end_that_shows_in_the_state_alone_is_told(monkeypatch):
    work = Work("ending")
    work.become("running")

    async def sleep(seconds: float) -> None:
        work.state = "done"  # the version is about to grow

    async def looks() -> list[str]:
        return [work.state async for _ in stage.changes(work, None)]

    monkeypatch.setattr(stage.asyncio, "sleep", sleep)
    assert asyncio.run(looks()) == ["running", "done"]


def test_who_takes_the_stage_ends_the_watching_of_what_was_there(place):
    async def told(here: stage.Place) -> list[tuple]:
        shown = []
        async for each in stage.follow(job, place, here.take(job)):
            shown.append(each)
            here.take()  # as opening another run does
        return shown

    job = place.start(["a fox"], "fourier", SMALL | {"steps": 5000})
    first, last = asyncio.run(told(stage.Place()))
    assert not job.over, "the work itself goes on"
    assert "<figure" in first[0] and last == stage.nothing(5), "nothing is left to be sent once more at the end"
    place.runner.stop(job)


def test_a_worker_is_warmed_up_in_its_own_thread(place, monkeypatch):
    seen = []

    def stream(*given, **told):
        seen.append(threading.current_thread())
        yield
        raise UserError("a network is missing")

    monkeypatch.setattr(web.api, "stream", stream)
    web.warm(place.runner)
    assert seen == place.runner._threads[:1]
