"""Films by a camera that moves: the motion, the method, the command."""

from __future__ import annotations

import json

import pytest
import torch
from doubles import Colours, TinyModels

from clipguide import images, video
from clipguide.api import plan
from clipguide.methods.zoom import Settings, run
from clipguide.ops.contrast import contrasts, with_contrasts
from clipguide.ops.motion import moved

SMALL = {"size": (32, 32), "steps": 4, "between": 2, "frames": 3, "cutouts": 2}


class ColourModels(TinyModels):
    def vqgan(self, name: str) -> Colours:
        return Colours()


def spot(x: int, y: int, size: tuple[int, int] = (48, 32)) -> torch.Tensor:
    """A bright square of 4 px about (x, y)."""
    image = torch.zeros(1, 3, size[1], size[0])
    image[..., y - 2 : y + 2, x - 2 : x + 2] = 1
    return image


def centre(image: torch.Tensor) -> tuple[float, float]:
    weight = image.mean((0, 1))
    x, y = torch.arange(weight.shape[1]) + 0.5, torch.arange(weight.shape[0]) + 0.5
    return float((weight.sum(0) * x).sum() / weight.sum()), float((weight.sum(1) * y).sum() / weight.sum())


MOVES = {  # of a spot at (30, 16), 6 px right of the middle (24, 16)
    "nearer": ({"zoom": 2.0}, (36, 16)),
    "farther": ({"zoom": 0.75}, (28.5, 16)),
    "a quarter turn": ({"turn": 90.0}, (24, 22)),
    "the camera goes right": ({"right": 0.25}, (18, 16)),
    "the camera goes down": ({"down": 0.25}, (30, 8)),
}


@pytest.mark.parametrize("move", MOVES)
def test_the_camera_moves_as_it_is_told(move):
    how, where = MOVES[move]
    image = moved(spot(30, 16), **how)
    assert centre(image) == pytest.approx(where, abs=0.3) and image.min() >= 0 and image.max() <= 1


def test_without_motion_a_picture_stays_as_it_is():
    image = torch.rand(2, 3, 20, 30)
    assert moved(image) is image
    torch.testing.assert_close(moved(image, turn=360.0), image, rtol=0, atol=1e-4)


def test_a_turn_keeps_circles_round():
    image = moved(spot(30, 16), turn=45.0)
    assert float(image.sum()) == pytest.approx(float(spot(30, 16).sum()), rel=0.05)


def test_every_frame_goes_on_from_the_one_before_moved():
    ready = plan(["a fox"], "zoom", {**SMALL, "right": 0.25, "zoom": 1.0, "film_lr": 1e-6, "average": 0.0})
    steps = list(ready.steps(ColourModels()))
    assert len(steps) == 4 + 3 * 2 + 1
    first, *frames = [step.image for step in steps[4::2]]
    for before, after in zip([first, *frames], frames, strict=False):
        want = with_contrasts(moved(before, right=0.25), contrasts(first)).clamp(0.02, 0.98)
        torch.testing.assert_close(after, want, rtol=0, atol=1e-3)


def test_contrasts_are_told_octave_by_octave():
    board = torch.zeros(1, 3, 32, 48)
    board[..., ::2] = 1  # the finest there is
    fine, *coarser = contrasts(board)[0].tolist()
    assert fine == pytest.approx(0.5, abs=0.01) and max(coarser) < 0.01
    assert contrasts(torch.full((2, 3, 16, 17), 0.3)).abs().max() < 1e-6


@pytest.mark.parametrize("size", [(32, 48), (17, 16), (33, 50)])
def test_a_picture_gets_the_contrasts_that_are_wanted(size):
    image = 0.4 + 0.2 * torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    now = contrasts(image)
    torch.testing.assert_close(with_contrasts(image, now), image, rtol=0, atol=1e-5)
    calmer = with_contrasts(image, 0.8 * now)
    torch.testing.assert_close(calmer.mean((2, 3)), image.mean((2, 3)), rtol=0, atol=0.01)
    torch.testing.assert_close(contrasts(calmer)[:, :2], 0.8 * now[:, :2], rtol=0.05, atol=1e-4)
    assert contrasts(with_contrasts(image, 9 * now))[:, 0].lt(1.1 * now[:, 0]).all()  # noise is not drawn out


def test_a_film_resumes_to_the_identical_frames(models):
    steps, states = [], []
    ready = plan(["a fox ^ a car"], "zoom", {**SMALL, "lr": 5.0, "film_lr": 5.0})
    for step in ready.steps(models):
        steps.append(step)
        states.append(step.state())
    for at in (1, 4, 5, 8):
        brief = ready.brief.__class__(ready.brief.prompts, (32, 32), resume=states[at])
        rest = [step.image for step in run(brief, ready.settings, models)]
        assert all(torch.equal(a, b.image) for a, b in zip(rest, steps[at:], strict=True))


def test_it_starts_from_a_photo(tmp_path):
    images.write(tmp_path / "photo.png", images.png(spot(30, 16)))
    ready = plan(["a fox"], "zoom", {**SMALL, "size": (48, 32), "steps": 0, "init": tmp_path / "photo.png"})
    first, second = [step.image for step, _ in zip(ready.steps(ColourModels()), range(2), strict=False)]
    assert (first - spot(30, 16)).abs().max() < 0.03
    assert (second - moved(spot(30, 16), zoom=Settings().zoom)).abs().mean() < 0.03


def test_the_command_makes_a_film_that_plays(models, monkeypatch, capsys, tmp_path):
    from clipguide import cli
    from clipguide.commands import pictures

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "Models", lambda *_: models)
    flags = [f"--{name}={'32x32' if name == 'size' else value}" for name, value in SMALL.items()]
    assert cli.main(["generate", "a fox ^ a car", "--method", "zoom", *flags, "--json"]) == 0
    path = json.loads(capsys.readouterr().out)["video"]
    assert len(list(video.read(path))) == 6  # the first picture at its start, its middle and its end, then 3


pytestmark = [  # imageio-ffmpeg does not close the pipes of the processes that it starts
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
