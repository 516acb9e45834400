"""Upscaling: the tiles, the networks of the extra `upscale`, and what commands make of it."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from clipguide import api, cli, images, runs
from clipguide.commands import pictures
from clipguide.errors import UserError
from clipguide.models import upscaler
from clipguide.ops.patchwork import patchwork, spans

SMALL = {"size": (32, 24), "steps": 2, "cutouts": 2}
needs_networks = pytest.mark.skipif(find_spec("ncnn") is None, reason="wants the extra 'upscale'")


def noise(height: int, width: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def larger(image: torch.Tensor, factor: int) -> torch.Tensor:
    return image.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


@pytest.fixture
def fake(monkeypatch):
    """Networks that repeat each pixel, and note the sizes that they see; gives the names asked for, and the sizes."""
    asked, seen = [], []

    def open_network(stem: str):
        asked.append(stem)

        def draw(tile: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(tile.shape[-2:]))
            return larger(tile, int(stem[-1]) if "-x" in stem and stem[-1].isdigit() else 4)

        return draw

    monkeypatch.setattr(upscaler, "open_network", open_network)
    monkeypatch.setattr(upscaler, "check_installed", lambda: None)
    return asked, seen


@pytest.mark.parametrize("length", [1, 31, 32, 33, 100, 257])
def test_tiles_cover_a_length_and_share_what_they_must(length):
    tiles = spans(length, 32, 12)
    assert tiles[0][0] == 0 and sum(tiles[-1]) == length and all(size <= 32 for _, size in tiles)
    assert all(a + size - b >= 12 for (a, size), (b, _) in zip(tiles, tiles[1:], strict=False))


@pytest.mark.parametrize("rim", [0, 3])
def test_a_patchwork_of_what_tiles_agree_on_is_the_whole(rim):
    image = noise(50, 75, batch=2)
    made = patchwork(lambda tile, at: larger(tile, 2) ** 2, image, tile=24, overlap=8, scale=2, rim=rim)
    torch.testing.assert_close(made, larger(image, 2) ** 2)


def test_a_tile_is_told_where_it_lies():
    image = noise(40, 60)
    made = patchwork(lambda tile, at: tile * 0 + at[0] + at[1], image, tile=24, overlap=8)
    assert made[..., 0, 0].eq(0).all() and made[..., -1, -1].isclose(torch.tensor(16.0 + 36.0)).all()


def test_what_a_tile_sees_badly_at_its_edges_does_not_show():
    """The network is wrong within 3 px of a tile's edge, and the rim is 3 px."""

    def draw(tile: torch.Tensor, at: tuple[int, int]) -> torch.Tensor:
        good = F.pad(torch.ones_like(tile[..., 3:-3, 3:-3]), (3, 3, 3, 3))
        return tile * good

    image = noise(60, 60)
    made = patchwork(draw, image, tile=30, overlap=10, rim=3)
    assert (made - image)[..., 3:-3, 3:-3].abs().max() < 0.01


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", upscaler.KINDS)
def test_every_factor_and_network_gives_its_size(fake, factor, kind):
    image = noise(20, 30, batch=2)
    made = upscaler.upscale(image, factor, kind)
    assert made.shape == (2, 3, 20 * factor, 30 * factor) and made.min() >= 0 and made.max() <= 1
    torch.testing.assert_close(F.avg_pool2d(made, factor), image, rtol=0, atol=0 if factor == 1 else 0.12)


def test_the_network_sees_no_more_than_a_tile(fake):
    image = noise(150, 310)
    made = upscaler.upscale(image, 2)
    torch.testing.assert_close(made, larger(image, 2))
    assert len(fake[1]) == 8 and max(max(size) for size in fake[1]) == upscaler.TILE


@needs_networks
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_real_network_draws_a_larger_picture_without_seams(monkeypatch, factor):
    photo = images.read(Path(__file__).parents[1] / "docs/pictures/sailing-boat.png")[..., 40:136, 60:200]
    small = F.avg_pool2d(photo, 2)
    whole = upscaler.upscale(small, factor)
    assert whole.shape == (1, 3, 48 * factor, 70 * factor)
    assert (F.avg_pool2d(whole, 8 * factor) - F.avg_pool2d(small, 8)).abs().mean() < 0.03  # the colours stay
    monkeypatch.setattr(upscaler, "TILE", 56)
    assert (upscaler.upscale(small, factor) - whole).abs().max() < 0.06


def run_command(capsys, *words: str) -> dict:
    assert cli.main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def place(fake, models, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "Models", lambda *_: models)
    return tmp_path


FLAGS = ("--size", "32x24", "--steps", "2", "--cutouts", "2")


@pytest.mark.parametrize("method", ["fourier", "vqgan", "pixels"])
def test_the_picture_is_written_larger_and_made_again_from_itself(place, capsys, method):
    plain = run_command(capsys, "generate", "a fox", "--method", method, *FLAGS)
    made = run_command(capsys, "generate", "a fox", "--method", method, *FLAGS, "--upscale", "2", "--save-every", "1")
    picture = images.read(made["pictures"][0])
    assert torch.equal(picture, larger(images.read(plain["pictures"][0]), 2))
    assert {images.read(frame).shape[-1] for frame in runs.Run(Path(made["run"])).frames()} == {32}  # a film's frames
    again = run_command(capsys, "rerun", made["pictures"][0])
    assert torch.equal(images.read(again["pictures"][0]), picture)


def test_a_notebook_gets_the_larger_picture(fake, models):
    made = api.generate("a fox", models=models, upscale=3, batch=2, **SMALL)
    assert made.tensor.shape == (2, 3, 72, 96) and fake[0] == ["realesr-animevideov3-x3"]


def test_who_stops_early_does_not_wait_for_it(fake, models, tmp_path):
    planned = api.plan(["a fox"], None, {**SMALL, "upscale": 2})
    run = runs.create(tmp_path, planned.recipe)
    steps = api.follow(planned, models, run)
    next(steps)
    steps.close()
    assert images.read(run.picture).shape[-1] == 32 and not fake[0]
    list(api.follow(planned, models, run))
    assert images.read(run.picture).shape[-1] == 64


def test_the_command_upscales_a_picture_and_keeps_its_recipe(place, capsys):
    plain = run_command(capsys, "generate", "a fox", *FLAGS, "--out", "fox.png")["pictures"][0]
    made = run_command(capsys, "upscale", plain, "--upscale", "4", "--upscaler", "photo")
    assert made == {"picture": "fox-x4.png", "size": [128, 96]}
    again = run_command(capsys, "rerun", "fox-x4.png")
    assert (images.read(again["pictures"][0]) - images.read("fox-x4.png")).abs().max() < 0.005
    twice = run_command(capsys, "upscale", "fox-x4.png", "--out", "huge.png")["picture"]
    with pytest.raises(UserError, match="does not say how"):
        images.metadata(twice)  # no recipe makes this one


def test_the_command_takes_any_picture(place, capsys):
    images.write(place / "photo.png", images.png(noise(20, 30)))
    (place / "folder").mkdir()
    assert run_command(capsys, "upscale", "photo.png", "--out", "folder")["picture"] == "folder/photo-x2.png"
    assert images.read("folder/photo-x2.png").shape == (1, 3, 40, 60)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("generate", "a fox", "--upscale", "5"), "less than or equal to 4"),
        (("generate", "a fox", "--upscale", "2", "--upscaler", "best"), "'fast', 'drawing' or 'photo'"),
        (("generate", "a fox", "--upscale", "4", "--size", "4096"), "16384 x 16384 px; at most 64 million"),
        (("stylise", "photo.png", "ink", "--upscale", "4"), "12000 x 8000 px; at most 64 million"),
        (("upscale", "photo.png", "--upscale", "4"), "12000 x 8000 px; at most 64 million"),
        (("upscale", "none.png"), "none.png is not there"),
        (("upscale", "photo.png", "--out", "nowhere/x.png"), "no folder that can be written"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(place, capsys, words, said):
    images.write(place / "photo.png", images.png(torch.zeros(1, 3, 2000, 3000)))
    assert cli.main(list(words)) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1
    assert sorted(path.name for path in place.iterdir()) == ["photo.png"]


@pytest.mark.parametrize("words", [("generate", "a fox", "--upscale", "2"), ("upscale", "photo.png")])
def test_without_the_extra_one_line_says_so(monkeypatch, capsys, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    images.write(tmp_path / "photo.png", images.png(noise(20, 30)))
    monkeypatch.setattr(upscaler, "find_spec", lambda name: None)
    assert cli.main(list(words)) == 2
    message = capsys.readouterr().err
    assert "pip install 'clipguide[upscale]'" in message and message.count("\n") == 1
