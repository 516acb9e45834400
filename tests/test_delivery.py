"""Where a picture goes: copies and films, and a run that is stopped and resumed."""

from __future__ import annotations

import json

import pytest
from tiny_line import TINY, facts

from clipguide import images, runs, video
from clipguide.commands.progress import Watch
from clipguide.errors import UserError

pytestmark = [  # imageio-ffmpeg does not close the pipes of the processes that it starts
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LINE = ["generate", "a fox", *TINY, "--method", "pixels", "--steps", 4, "--json"]


@pytest.fixture
def stopped(call, monkeypatch):
    """As `call`, with a Ctrl-C at step 2."""
    show = Watch.show

    def show_and_stop(self, progress):
        show(self, progress)
        self.asked_to_stop = progress.step.index == 2

    def stopped(*words):
        with monkeypatch.context() as patch:
            patch.setattr(Watch, "show", show_and_stop)
            code, out, err = call(*words)
        assert (code, err) == (130, ""), err
        return json.loads(out)

    return stopped


def resumed(call, made, *flags):
    return facts(call("resume", made["run"], "--json", *flags))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_resume_finishes_the_copy_that_was_left_and_the_film(call, stopped, tmp_path):
    made = stopped(*LINE, "--out", "fox.png", "--video", "--video-kind", "gif", "--batch", 2)
    assert made["pictures"] == ["fox.png", "fox-2.png"] and made["video"] == "fox.gif"
    unfinished = (tmp_path / "fox.png").read_bytes()
    done = resumed(call, made)
    assert done["pictures"] == [str(tmp_path / name) for name in ("fox.png", "fox-2.png")]
    assert done["video"] == str(tmp_path / "fox.gif") and len(list(video.read(done["video"]))) == 5
    assert names(tmp_path) == ["fox-2.png", "fox.gif", "fox.png", "outputs"]
    whole = facts(call(*LINE, "--batch", 2))["pictures"][0]
    assert (tmp_path / "fox.png").read_bytes() == (tmp_path / whole).read_bytes() != unfinished
    assert "output.json" not in names(tmp_path / made["run"])


def test_resume_replaces_no_file_that_somebody_changed(call, stopped, tmp_path):
    made = stopped(*LINE, "--out", "fox.png")
    (tmp_path / "fox.png").write_text("mine")
    assert resumed(call, made)["pictures"] == [str(tmp_path / "fox-2.png")]
    assert (tmp_path / "fox.png").read_text() == "mine"


def test_a_second_stop_and_a_flag_of_resume(call, stopped, tmp_path):
    made = stopped(*LINE, "--out", "fox.png", "--save-every", 2)
    again = stopped("resume", made["run"], "--json")
    assert again["pictures"] == [str(tmp_path / "fox.png")]
    assert resumed(call, made, "--out", "other.png")["pictures"] == ["other.png"]
    assert names(tmp_path / made["run"] / "frames") == ["000000.png", "000002.png", "000004.png"]


def test_a_film_without_copies_is_replaced_too(call, stopped, tmp_path):
    made = stopped(*LINE, "--video")
    assert resumed(call, made)["video"] == made["video"] == "outputs/a-fox/video.mp4"
    assert len(list(video.read(tmp_path / made["video"]))) == 5


def test_a_plain_run_keeps_no_output(stopped, tmp_path):
    assert "output.json" not in names(tmp_path / stopped(*LINE)["run"])


def test_a_damaged_output_is_as_none(call, stopped, tmp_path):
    made = stopped(*LINE, "--out", "fox.png")
    (tmp_path / made["run"] / "output.json").write_text("[")
    assert resumed(call, made)["pictures"] == ["outputs/a-fox/picture.png"]


def test_resume_from_another_folder(call, stopped, tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    images.write(tmp_path / "one/photo.png", images.png(images.torch.rand(1, 3, 24, 32)))
    made = stopped(*LINE, "@one/photo.png", "--init", "one/photo.png", "--out", "fox.png")
    assert made["run"] == "outputs/a-fox-photo-png"
    recipe = runs.Run(tmp_path / made["run"]).recipe
    assert recipe["settings"]["init"] == str(tmp_path / "one/photo.png")
    assert recipe["prompts"] == ["a fox", f"@{tmp_path / 'one/photo.png'}"]
    monkeypatch.chdir(tmp_path / "one")
    done = facts(call("resume", tmp_path / made["run"], "--json"))
    assert done["pictures"] == [str(tmp_path / "fox.png")]
    assert facts(call("rerun", "../fox.png", "--json"))["finished"]


def test_a_run_that_is_being_made_is_not_resumed(call, stopped, tmp_path):
    made = stopped(*LINE)
    run = runs.Run(tmp_path / made["run"])
    with run.held():
        code, out, err = call("resume", made["run"])
    assert (code, out) == (2, "") and err.count("\n") == 1 and "still being made by another process" in err
    assert resumed(call, made)["finished"]


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_films_name_is_the_films(call, tmp_path, ending):
    made = facts(call(*LINE, "--video", "-o", f"film.{ending}"))
    assert made["pictures"] == ["film.png"] and made["video"] == f"film.{ending}"
    assert len(list(video.read(tmp_path / made["video"]))) == 5


def test_a_film_that_nobody_asked_for_is_refused(call, tmp_path):
    code, _, err = call(*LINE, "--out", "film.mp4")
    assert code == 2 and "add --video" in err and names(tmp_path) == []


def test_a_link_to_nowhere_is_taken_and_kept(call, tmp_path):
    (tmp_path / "outputs").mkdir()
    for name in ("outputs/a-fox", "fox.png"):
        (tmp_path / name).symlink_to("nowhere")
    made = facts(call(*LINE, "--out", "fox.png"))
    assert made["run"] == "outputs/a-fox-2" and made["pictures"] == ["fox-2.png"]


def test_a_first_step_that_fails_leaves_a_folder_of_before(call, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "new"):
        assert call("generate", "a fox", *TINY, "--clip", "nowhere", "--runs", folder)[0] == 2
    assert names(tmp_path) == ["empty"] and names(tmp_path / "empty") == []


def test_an_upscaled_picture_in_its_runs_folder_is_no_picture_of_the_batch(call, stopped, tmp_path):
    made = stopped(*LINE, "--batch", 11)
    for name in ("picture-x2.png", "picture-2-x2.png", "picture-old.png"):
        (tmp_path / made["run"] / name).write_text("another")
    last = [f"outputs/a-fox/picture{number}.png" for number in ("", *(f"-{n}" for n in range(2, 12)))]
    assert resumed(call, made)["pictures"] == last


def test_names_that_are_no_utf_8(call, tmp_path):
    name = "caf\udce9.png"
    images.write(tmp_path / name, images.png(images.torch.rand(1, 3, 24, 32)))
    made = facts(call(*LINE, "--init", name, "--out", "caf\udce8.png"))
    assert images.metadata(tmp_path / made["pictures"][0])["settings"]["init"] == str(tmp_path / name)
    assert runs.Run(tmp_path / made["run"]).recipe["settings"]["init"] == str(tmp_path / name)


def test_a_run_that_ended_where_its_copy_could_not_be_written_is_brought_there(call, monkeypatch, tmp_path):
    (tmp_path / "there").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Watch, "__exit__", lambda self, *given: (tmp_path / "there").rmdir() if self.newest else None)
        code, _, err = call(*LINE, "--out", "there/fox.png")
    assert code == 2 and "there" in err and err.count("\n") == 1
    (run,) = (tmp_path / "outputs").iterdir()
    assert runs.Run(run).finished
    code, _, err = call("resume", run, "--json")
    assert code == 2 and "is no folder that can be written" in err  # and says so again
    (tmp_path / "there").mkdir()
    done = facts(call("resume", run, "--json"))
    assert done["pictures"] == [str(tmp_path / "there/fox.png")] and (done["finished"], done["steps"]) == (True, 4)
    assert (tmp_path / "there/fox.png").read_bytes() == (run / "picture.png").read_bytes()
    code, _, err = call("resume", run)
    assert code == 2 and "is finished; clipguide rerun" in err


def test_what_was_written_before_a_failure_keeps_its_place(call, monkeypatch, tmp_path):
    def fails(*given, **more):
        raise UserError("no room for a film")

    with monkeypatch.context() as patch:
        patch.setattr(video, "write", fails)
        code, _, err = call(*LINE, "--out", "fox.png", "--video", "--video-kind", "gif", "--batch", 2)
    assert code == 2 and "no room" in err and names(tmp_path) == ["fox-2.png", "fox.png", "outputs"]
    (run,) = (tmp_path / "outputs").iterdir()
    (run / "log.jsonl").unlink()
    with runs.Run(run).held():
        code, _, err = call("resume", run)
        assert code == 2 and "still being made" in err
    done = facts(call("resume", run, "--json"))
    assert done["pictures"] == [str(tmp_path / name) for name in ("fox.png", "fox-2.png")]
    assert names(tmp_path) == ["fox-2.png", "fox.gif", "fox.png", "outputs"] and done["score"] is None
    assert "output.json" not in names(run)
