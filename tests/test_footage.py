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


def test_a_method_that_restyles_no_photo_is_refused(stylise, tmp_path):
    code, _, err = stylise("photo.png", "mosaic", "--method", "fourier")
    assert code == 2 and "clipstyler" in err
