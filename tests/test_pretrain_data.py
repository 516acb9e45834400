"""Building shards: deterministic, split by concept, whole or not there, and one clear line for bad input."""

from __future__ import annotations

import io
import os
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipguide.errors import UserError
from pretrain.data import build as building
from pretrain.data import packages
from pretrain.data.build import Plan, build
from pretrain.data.captions import without
from pretrain.data.compose import Grounds
from pretrain.data.pair import Pair
from pretrain.data.shards import read_shards, write_shard
from pretrain.data.split import SIDES, held_names, side_of_concept, task_of

NAMES = [f"thing {number}" for number in range(60)]


def disc(hue: int, side: int) -> Image.Image:
    picture = Image.new("RGBA", (side, side))
    inside = np.hypot(*(np.mgrid[:side, :side] - side / 2)) < side / 2.5
    picture.paste(Image.new("HSV", (side, side), (hue, 200, 200)).convert("RGB"), mask=Image.fromarray(inside))
    return picture


def broken(side: int) -> Image.Image:
    raise OSError("a damaged file")


def make_pairs() -> list[tuple[str, Pair]]:
    return [
        ("emoji", Pair(partial(disc, at * 4), {"en": (name,), "de": (f"Ding {at}",)}, name, "emoji", "CC0-1.0", name))
        for at, name in enumerate(NAMES)
    ]


def make_plan(out: Path, cache: Path, pairs: list[tuple[str, Pair]] | None = None, seed: int = 0) -> Plan:
    ground = np.full((40, 40, 3), 90, np.uint8)
    return Plan(pairs or make_pairs(), out, cache, size=32, seed=seed, grounds=Grounds([ground], [ground]))


def shard_bytes(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.tar"))}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed, workers in (("a", 0, 1), ("b", 0, 2), ("c", 1, 1)):
        build(make_plan(tmp_path / name, tmp_path / f"cache-{name}", seed=seed), workers=workers)
    first, second, third = (shard_bytes(tmp_path / name) for name in "abc")
    assert first == second and (tmp_path / "a/index.json").read_bytes() == (tmp_path / "b/index.json").read_bytes()
    assert first.keys() == third.keys() and first["train/composed-00000.tar"] != third["train/composed-00000.tar"]


def test_no_concept_is_on_two_sides_and_captions_fit(tmp_path: Path) -> None:
    index = build(make_plan(tmp_path, tmp_path / "cache"))
    concepts = {side: {told["concept"] for _, told in read_shards(tmp_path / side)} for side in SIDES}
    assert set.union(*concepts.values()) == set(NAMES) and all(concepts.values())
    assert sum(map(len, concepts.values())) == len(NAMES)
    for side in SIDES:
        for data, told in read_shards(tmp_path / side):
            assert side_of_concept(told["concept"]) == side and told["languages"]["de"]
            assert Image.open(io.BytesIO(data)).size == (32, 32)
            assert all(told["concept"] in text for text in told["captions"])
    assert index["samples"]["train"] == len(list(read_shards(tmp_path / "train"))) > len(concepts["train"])
    assert index["licences"] == {"emoji": {"CC0-1.0": len(NAMES)}}


def test_a_damaged_picture_is_left_out_and_named_and_changes_no_other(tmp_path: Path) -> None:
    pairs = make_pairs()
    train = [at for at, (_, pair) in enumerate(pairs) if side_of_concept(pair.concept) == "train"]
    build(make_plan(tmp_path / "whole", tmp_path / "one"))
    source, pair = pairs[train[3]]
    pairs[train[3]] = source, Pair(broken, pair.captions, pair.concept, "emoji", pair.licence, pair.origin)
    index = build(make_plan(tmp_path / "less", tmp_path / "two", pairs))
    assert list(index["left out"]) == [f"emoji/{pair.origin}: OSError"]
    whole, less = (list(read_shards(tmp_path / name / "train")) for name in ("whole", "less"))
    assert less == [sample for sample in whole if sample[1]["origin"] != pair.origin]


def kill(side: int) -> Image.Image:
    os._exit(1)


def test_a_worker_that_dies_ends_the_build_with_a_line(tmp_path: Path) -> None:
    pairs = make_pairs()
    source, pair = pairs[5]
    pairs[5] = source, Pair(kill, pair.captions, pair.concept, "emoji", pair.licence, pair.origin)
    with pytest.raises(UserError, match="a worker died") as caught:
        build(make_plan(tmp_path / "out", tmp_path / "cache", pairs), workers=2)
    assert "\n" not in str(caught.value)


def test_names_held_out_elsewhere_are_no_training_caption(tmp_path: Path) -> None:
    pairs = [pair for _, pair in make_pairs()]
    held = held_names(pairs)
    assert held and all(side_of_concept(name) != "train" for name in held)
    assert without(["a red apple", "an apple", "a pie, apple"], frozenset({"apple"})) == ["a red apple"]
    plan = make_plan(tmp_path, tmp_path / "cache")
    forbidden = frozenset(name for name in NAMES if side_of_concept(name) == "train")
    building.keep(Plan(**{**vars(plan), "held": forbidden}))
    assert forbidden <= building.HELD


def test_a_style_kept_out_whole_is_a_test_of_its_own() -> None:
    trained = next(name for name in NAMES if side_of_concept(name) == "train")
    unseen = next(name for name in NAMES if side_of_concept(name) == "test")
    for concept, task in ((trained, "style"), (unseen, "style-concepts")):
        assert task_of(Pair(broken, {"en": (concept,)}, concept, "emoji", "", "", held="test")) == task


def test_a_build_beside_other_shards_is_refused_and_leaves_them(tmp_path: Path) -> None:
    write_shard(tmp_path / "train/old-00000.tar", [("a", disc(0, 8), {})])
    before = shard_bytes(tmp_path)
    with pytest.raises(UserError, match="1 shards of another build, first train/old-00000.tar"):
        build(make_plan(tmp_path, tmp_path / "cache"))
    assert shard_bytes(tmp_path) == before


def test_an_interrupted_shard_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    write_shard(tmp_path / "one.tar", [("a", disc(0, 8), {})])
    before = shard_bytes(tmp_path)

    def samples():
        yield "b", disc(9, 8), {}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "one.tar", samples())
    assert shard_bytes(tmp_path) == before and [file.name for file in tmp_path.iterdir()] == ["one.tar"]


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no .tar shard"):
        list(read_shards(tmp_path))
    (tmp_path / "x.tar").write_bytes(b"no tar at all" * 99)
    with pytest.raises(UserError, match=r"x\.tar is no webdataset shard"):
        list(read_shards(tmp_path))
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a.json"), io.BytesIO())
    with pytest.raises(UserError, match=r"x\.tar is no webdataset shard"):
        list(read_shards(tmp_path))


def test_a_missing_client_and_missing_lists_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="`no-such-client` is not installed") as fault:
        packages.call("no-such-client", "download", "thing", cwd=tmp_path)
    assert "\n" not in str(fault.value)
    with pytest.raises(UserError, match="failed: gone"):
        packages.call("sh", "-c", "echo gone >&2; exit 3", cwd=tmp_path)
    monkeypatch.setattr(packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(UserError, match="run `apt-get update` once"):
        packages.require_lists("tuxpaint-stamps-default", tmp_path)
    (tmp_path / "deb.example_Packages.lz4").touch()
    packages.require_lists("tuxpaint-stamps-default", tmp_path)


def test_an_interrupted_fetch_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "tree").mkdir()
        raise UserError("the registry is away")

    with pytest.raises(UserError, match="away"):
        packages.unpack(tmp_path / "kept/thing", fill)
    assert list((tmp_path / "kept").iterdir()) == []
    with pytest.raises(UserError, match="python -m pretrain data fetch"):
        packages.fetched_debian(tmp_path, "thing")
