"""Videos in a style, and the command for photos and videos."""

from __future__ import annotations

import json

import pytest
import torch

from clipguide import commands, footage, images, inventory, video, weights
from clipguide.errors import UserError

pytestmark = [  # imageio-ffmpeg does not close the pipes of the processes that it starts
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FEW = {"size": (32, 32), "steps": 2, "cutouts": 4}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Ten frames of 48 x 32 px: a bright square that moves over a still ground."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    ground = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0)).repeat_interleave(4, 2)
    frames = []
    for number in range(10):
        frame = ground.repeat_interleave(4, 3).clone()
        frame[..., 8:20, 3 * number : 3 * number + 12] = 1
        frames.append(frame)
    video.write(path, frames, fps=8)
    return path


def styled(film, out, models, method="clipstyler", **values):
    seen = []
    footage.stylise(film, ["mosaic"], out, models, method, {**FEW, **values}, lambda *told: seen.append(told))
    return list(video.read(out)), seen


def test_every_frame_is_restyled_at_its_size_and_rate(film, models, tmp_path):
    frames, seen = styled(film, tmp_path / "out.mp4", models)
    assert len(frames) == 10 and frames[0].shape == (1, 3, 32, 48) and video.rate(tmp_path / "out.mp4") == 8
    assert seen[0] == ("training", 0, 2) and seen[-1] == ("frame", 10, 10)
    assert not torch.allclose(frames[4], list(video.read(film))[4], atol=0.05)


def test_strength_nought_leaves_the_film(film, models, tmp_path):
    frames, _ = styled(film, tmp_path / "out.mp4", models, strength=0.0)
    differences = [(a - b).abs().mean() for a, b in zip(frames, video.read(film), strict=True)]
    assert max(differences) < 0.03  # what the video's own compression costs


def test_the_change_rests_where_the_film_rests():
    film = [torch.full((1, 3, 16, 16), 0.5) for _ in range(6)]
    changes = [0.2 * torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    steady = torch.cat(list(footage._steady(zip(film, changes, strict=True))))
    shaky = torch.cat([f + c for f, c in zip(film, changes, strict=True)])
    assert steady.diff(dim=0).abs().mean() < 0.4 * shaky.diff(dim=0).abs().mean()
    moving = [torch.full((1, 3, 16, 16), 0.1 + 0.15 * i) for i in range(5)]
    free = torch.cat(list(footage._steady(zip(moving, changes, strict=False))))
    torch.testing.assert_close(free, torch.cat([f + c for f, c in zip(moving, changes, strict=False)]))


@pytest.mark.parametrize("method, values", [("textstyle", {}), ("clipstyler", {"mask_text": "the sky"})])
def test_what_would_flicker_is_refused(method, values, film, models, tmp_path):
    with pytest.raises(UserError, match="video"):
        styled(film, tmp_path / "out.mp4", models, method, **values)


def test_a_file_that_is_no_video_is_refused_and_nothing_is_left(models, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    with pytest.raises(UserError, match="no video"):
        styled(broken, tmp_path / "out.mp4", models)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


class Closed:
    """No network may be opened, and no frame decoded beyond the first."""

    device = torch.device("cpu")

    def __getattr__(self, name):
        raise AssertionError("a network was opened")


@pytest.mark.parametrize(
    "values, out, said",
    [
        ({"strength": 3.0}, "out.mp4", "--strength 3.0"),
        ({"name": "my mosaic"}, "out.mp4", "--name my mosaic: no name for a network"),
        ({"upscale": 2}, "out.mp4", "--upscale 2 does nothing for a video"),
        ({"batch": 2}, "out.mp4", "--batch 2 does nothing for a video; leave it out"),
        ({"patience": 9}, "out.mp4", "--patience 9 does nothing"),
        ({"mask": "none.png"}, "out.mp4", "none.png is not there"),
        ({}, "out.webm", "let it end in .mp4 or .gif"),
        ({}, "none/out.mp4", "none is no folder that can be written"),
    ],
)
def test_what_cannot_be_made_is_refused_before_the_training(film, tmp_path, monkeypatch, values, out, said):
    monkeypatch.setattr(footage, "_key_frames", Closed)
    with pytest.raises(UserError, match=said):
        footage.stylise(film, ["mosaic"], tmp_path / out, Closed(), "clipstyler", {**FEW, **values}, print)


@pytest.mark.parametrize("inverted", [False, True])
def test_the_mask_of_a_film_is_that_of_a_photo(film, models, tmp_path, inverted):
    left = torch.zeros(1, 3, 32, 48)
    left[..., :24] = 1
    images.write(tmp_path / "left.png", images.png(left))
    mask = {"mask": tmp_path / "left.png", "mask_invert": inverted, "feather": 0.0, "smooth": 0.0, "lr": 0.05}
    frames, _ = styled(film, tmp_path / "out.mp4", models, steps=6, detail=0.0, **mask)
    change = sum((a - b).abs() for a, b in zip(frames, video.read(film), strict=True)).mean((0, 1, 2)) / 10
    inside, outside = change[:20].mean(), change[28:].mean()
    assert (outside > 3 * inside) if inverted else (inside > 3 * outside)


def test_a_feathered_mask_of_a_film_is_soft(film, models, tmp_path, monkeypatch):
    images.write(tmp_path / "all.png", images.png(torch.ones(1, 3, 32, 48).tril()))
    seen = []
    monkeypatch.setattr(footage, "Photo", lambda *told: seen.append(told[2]) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        styled(film, tmp_path / "out.mp4", models, mask=tmp_path / "all.png", feather=0.2)
    assert seen[0].diff(dim=-1).abs().max() < 0.5


@pytest.fixture
def stylise(models, monkeypatch, capsys, tmp_path):
    from clipguide import cli
    from clipguide.commands import pictures
    from clipguide.commands import stylise as command

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "Models", lambda *_: models)
    monkeypatch.setattr(command, "Models", lambda *_: models)

    def call(*words):
        code = cli.main(["stylise", *map(str, words), "--size", "32x32", "--steps", "2", "--cutouts", "4", "--json"])
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


def test_the_command_gives_the_photo_back_at_its_size(stylise, tmp_path):
    images.write(tmp_path / "photo.png", images.png(torch.rand(1, 3, 40, 56)))
    code, out, _ = stylise("photo.png", "mosaic", "--out", "styled.png")
    assert code == 0 and json.loads(out)["finished"]
    assert images.read(tmp_path / "styled.png").shape == (1, 3, 40, 56)
    assert "stylise" in commands.COMMANDS


def test_the_command_trains_a_network_that_is_kept_and_used_again(stylise, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))
    images.write(tmp_path / "photo.png", images.png(torch.rand(1, 3, 40, 56)))
    fast = ("photo.png", "mosaic", "--method", "clipstyler-fast")
    assert stylise(*fast, "--photos", ".", "--name", "mine", "--out", "a.png")[0] == 0
    code, out, err = stylise(*fast[:1], *fast[2:], "--restyler", "mine", "--out", "b.png")
    assert code == 0, err
    assert weights.known()["mine"].kind == "restyler" and not inventory.faults(weights.known()["mine"])


def test_the_command_makes_a_video_of_a_video(stylise, film, tmp_path):
    code, out, err = stylise(film, "mosaic", "--out", tmp_path / "new.mp4")
    assert code == 0, err
    assert len(list(video.read(json.loads(out)["video"]))) == 10  # without --method: a film has a default of its own


@pytest.mark.parametrize("out, made", [("styled", "styled.mp4"), (".", "film-mosaic.mp4")])
def test_a_film_goes_where_it_is_sent(stylise, film, out, made):
    code, said, err = stylise(film, "mosaic", "--strength", 0.5, "-o", out)
    assert code == 0, err
    assert json.loads(said)["video"] == made and video.is_video(made)


@pytest.mark.parametrize("told", [("--save-every", 2), ("--video-kind", "gif"), ("--fps", 5), ("--out", "x.png")])
def test_what_a_film_has_no_use_for_is_refused(stylise, film, tmp_path, told):
    code, _, err = stylise(film, "mosaic", *told)
    assert code == 2 and err.count("\n") == 1 and ("does nothing for a video" in err or "let it end in .mp4" in err)
    assert not list(tmp_path.iterdir())


def test_a_gif_is_a_film_where_it_moves(stylise, film, tmp_path):
    video.write(tmp_path / "still.gif", [torch.rand(3, 32, 32)])
    video.write(tmp_path / "moving.gif", [torch.rand(3, 32, 32) for _ in range(3)])
    assert video.is_video("moving.gif") and not video.is_video("still.gif") and video.is_video("not-there.gif")
    code, out, err = stylise("still.gif", "mosaic", "--out", "still.png")
    assert code == 0, err
    assert json.loads(out)["pictures"] == ["still.png"]


def test_a_bad_name_is_refused_before_the_training(stylise, tmp_path):
    images.write(tmp_path / "photo.png", images.png(torch.rand(1, 3, 40, 56)))
    fast = ("photo.png", "mosaic", "--method", "clipstyler-fast", "--photos", ".")
    for name in ("my mosaic", "../mine", "clip-mini"):
        code, _, err = stylise(*fast, "--name", name)
        assert code == 2 and f"--name {name}: no name for a network" in err
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_a_method_that_restyles_no_photo_is_refused(stylise, tmp_path):
    code, _, err = stylise("photo.png", "mosaic", "--method", "fourier")
    assert code == 2 and "clipstyler" in err
