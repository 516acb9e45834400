"""The VQGAN trainer on noise and stripes: it learns, uses its codes, goes on alike; the figures are what they say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from clipguide.errors import UserError
from clipguide.models.vqgan import open_vqgan
from pretrain import stored
from pretrain.data.pair import Pair
from pretrain.vqgan import crops, evaluate, run, space
from pretrain.vqgan.codebook import MovingCodebook, perplexity
from pretrain.vqgan.config import VqganConfig
from pretrain.vqgan.train import batch, start, train

TINY = VqganConfig(
    steps=24, widths=(8, 8, 16), groups=4, codes=32, depth=4, batch=4, small=32, large=64, free=6, warmup=5, rate=2e-3
)
LEARNER = replace(
    TINY, steps=60, widths=(32, 32), groups=8, codes=64, batch=6, grow=1.0, free=40, adversary_from=0.9, depth=8
)


def gap(drawn, real):
    return (drawn - real).abs().mean()


def colours(count: int = 24) -> np.ndarray:
    """Pictures of large squares, each of one colour."""
    squares = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return squares.repeat(16, 1).repeat(16, 2)


@pytest.fixture
def folder(tmp_path):
    for side in ("train", "held"):
        np.save(tmp_path / f"{side}.npy", colours())
        (tmp_path / f"{side}.json").write_text(json.dumps(["left photos"] * 12 + ["right"] * 12))
    return tmp_path


def test_training_lowers_the_error_and_uses_the_codes():
    steps = list(train(start(LEARNER), colours(), LEARNER, gap))
    first, last = (np.mean([step.losses["absolute"] for step in part]) for part in (steps[:5], steps[-10:]))
    assert last < 0.75 * first
    assert steps[-1].perplexity > 32
    assert "adversary" in steps[-1].losses and "adversary" not in steps[20].losses
    assert steps[-1].index == LEARNER.steps


def test_a_resumed_run_is_the_same_run(tmp_path):
    config, pictures = TINY, colours()
    whole, state = start(config), start(config)
    for _ in train(whole, pictures, config, gap):
        pass
    for step in train(state, pictures, config, gap):
        if step.index == 18:  # the discriminator has begun
            break
    stored.save(tmp_path / "checkpoint.pt", config, state.step, run.parts(state))
    again = start(config)
    again.step = stored.load(tmp_path / "checkpoint.pt", config, run.parts(again))
    for _ in train(again, pictures, config, gap):
        pass
    for a, b in zip(whole.average.state_dict().values(), again.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_run_may_begin_with_trained_weights_and_codes():
    trained = start(TINY).vqgan
    trained.codebook.normal_()
    config = replace(TINY, free=0, seed=1)
    state = start(config, trained)
    assert torch.equal(state.average.codebook, trained.codebook)
    next(train(state, colours(), config, gap))
    moved = (state.vqgan.codebook - trained.codebook).norm(dim=1)
    assert 0 < moved.max() and (moved < 0.05).float().mean() > 0.5  # codes that nothing was coded by stay
    with pytest.raises(UserError, match="--start has widths .*codes 32.* give the same"):
        start(replace(TINY, codes=64), trained)


def test_resuming_with_another_network_is_refused_and_other_steps_are_not(tmp_path):
    stored.save(tmp_path / "checkpoint.pt", TINY, 0, run.parts(start(TINY)))
    longer, wider = replace(TINY, steps=90), replace(TINY, codes=64)
    stored.load(tmp_path / "checkpoint.pt", longer, run.parts(start(longer)))
    with pytest.raises(UserError, match="codes was 32, now 64"):
        stored.load(tmp_path / "checkpoint.pt", wider, run.parts(start(wider)))
    with pytest.raises(UserError, match="no checkpoint"):
        stored.load(tmp_path / "other.pt", TINY, run.parts(start(TINY)))


def test_a_run_leaves_checkpoint_sheet_log_and_a_folder_that_opens(folder, tmp_path):
    config, out = replace(TINY, steps=20), tmp_path / "run"
    out.mkdir()
    run.run(start(config), config, gap, out, folder, save_every=1e9)
    assert open_vqgan(out / run.EXPORT).factor == 8
    assert (out / "sheets" / "000020.png").is_file() and (out / run.CHECKPOINT).is_file()
    assert json.loads((out / "log.jsonl").read_text().splitlines()[-1])["step"] == 20


def test_batches_grow_in_side_and_keep_their_area():
    assert batch(colours(), TINY, 0, torch.Generator()).shape == (4, 3, 32, 32)
    assert batch(colours(), TINY, 23, torch.Generator()).shape == (1, 3, 64, 64)


def test_dead_codes_start_anew_at_what_is_coded():
    rng = torch.Generator().manual_seed(0)
    book = MovingCodebook(torch.zeros(8, 2))
    book.codes[0] = 1.0
    z = torch.tensor([[1.0, 1.0], [3.0, 3.0]]).repeat(16, 1)
    for step in range(40):
        book.follow(z, torch.cdist(z, book.codes).argmin(1), step, rng)
    assert torch.cdist(z, book.codes).amin(1).max() < 1e-3


def test_first_codes_cover_what_is_coded():
    z = torch.randn(512, 3, generator=torch.Generator().manual_seed(1))
    book = MovingCodebook(torch.zeros(32, 3))
    book.begin(z, torch.Generator().manual_seed(0))
    assert torch.cdist(z, book.codes).amin(1).square().sum() < 0.2 * z.square().sum()


def test_spread_is_least_for_directions_of_unit_variance_without_correlation():
    z = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    flat = z * torch.tensor([1, 1, 0.01])[None, :, None, None]
    assert space.spread(z) < 0.01 < 0.1 < space.spread(flat)
    assert space.spread(torch.cat([z[:, :2], z[:, :1]], 1)) > 0.2  # two directions say the same


def test_a_fold_turns_z_and_leaves_the_picture():
    vqgan, image = start(TINY).vqgan, torch.rand(1, 3, 16, 16)
    z, drawn = vqgan.encode(image), vqgan.draw(vqgan.encode(image))
    matrix = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(4)
    space.fold(vqgan, matrix)
    torch.testing.assert_close(vqgan.encode(image), torch.einsum("ij,bjhw->bihw", matrix, z), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(vqgan.draw(vqgan.encode(image)), drawn, atol=1e-4, rtol=1e-4)


def test_after_the_metric_is_folded_equal_steps_of_z_change_the_picture_equally():
    vqgan, rng = start(TINY).vqgan, torch.Generator().manual_seed(0)
    images = torch.from_numpy(colours(16)).movedim(-1, 1).float() / 255
    space.fold(vqgan, torch.diag(torch.tensor([1.0, 1, 1, 8])))  # now the last direction counts too little
    before = space.metric(vqgan, images, 0.0, rng)
    space.fold(vqgan, before)
    after = space.metric(vqgan, images, 0.0, rng)
    assert before.diag()[3] < 0.3 * before.diag()[:3].max()
    assert torch.linalg.cond(after) < 0.5 * torch.linalg.cond(before)


def test_a_refit_of_the_last_layer_lowers_the_squared_error():
    vqgan, images = start(TINY).vqgan, torch.from_numpy(colours(8)).movedim(-1, 1).float() / 255
    before = (vqgan.draw(vqgan.encode(images)) - images).square().mean()
    space.refit(vqgan, [images[:4], images[4:]], coded=False)
    assert (vqgan.draw(vqgan.encode(images)) - images).square().mean() < 0.7 * before


def test_perplexity_counts_codes_in_even_use():
    assert perplexity(torch.tensor([5.0, 5, 5, 5, 0])) == pytest.approx(4)


def test_psnr_and_ssim():
    real = torch.rand(2, 3, 32, 32)
    assert evaluate.psnr(real * 0 + 0.6, real * 0 + 0.5).tolist() == pytest.approx([20, 20])
    torch.testing.assert_close(evaluate.ssim(real, real), torch.ones(2))
    assert evaluate.ssim(real.flip(-1), real).max() < 0.5


def test_figures_by_source(folder):
    found = evaluate.measure(start(TINY).average, crops.Crops.read(folder, "held"), gap)
    assert [row["crops"] for row in found.values()] == [12, 12, 24] and list(found)[0] == "left photos"
    mean = (found["left photos"]["psnr"] + found["right"]["psnr"]) / 2
    assert found["all"]["psnr"] == pytest.approx(mean)
    assert "| right | 12 |" in evaluate.table(found)


def test_a_wallpaper_is_on_one_side_whatever_package_ships_it():
    def pair(origin: str, held: str | None = "train") -> Pair:
        return Pair(lambda side: Image.new("RGB", (8, 8)), {"en": ("x",)}, "x", "photo", "", origin, held=held)

    names = [f"Dune{number}" for number in range(200)]
    sides = [crops.side_of_picture("wallpapers", pair(f"gnome/{name}.jpg")) for name in names]
    assert sides == [crops.side_of_picture("wallpapers", pair(f"mate/x/{name.lower()}.webp")) for name in names]
    assert 10 < sides.count("held") < 60
    assert crops.side_of_picture("gcompris", pair("lion", "test")) == "held"


def test_windows_reach_from_128_px_to_the_whole():
    dice, picture = np.random.default_rng(0), Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (200, 1)))
    spans = [np.ptp(np.asarray(crops.window(picture, dice))) for _ in range(40)]
    assert min(spans) < 145 and max(spans) > 170


def test_crops_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds no train crops"):
        crops.Crops.read(tmp_path, "train")
