"""Balancing by queries, overlap of splits, and the command line over them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from colours import ColourEncoder
from PIL import Image

from clipguide.errors import UserError
from pretrain.cli import main
from pretrain.data.balance import balance, balance_shards, queries_of, read_queries
from pretrain.data.index import carried
from pretrain.data.overlap import overlap
from pretrain.data.shards import read_shards, write_shard


def noise(seed: int, side: int = 48) -> Image.Image:
    cells = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)


def width_of(file: Path) -> int:
    with Image.open(file) as picture:
        return picture.width


def told(name: str, task: str = "composed") -> dict:
    keys = {
        "licence": "CC0-1.0",
        "source": "emoji",
        "style": "noto",
        "medium": "emoji",
        "languages": {"de": [name]},
        "origin": name,
    }
    return {"id": name, "captions": [f"a photo of {name}", name], "concept": name, "task": task, **keys}


def write_set(root: Path) -> None:
    """Eight training pictures; of three test pictures one is a brightened and one a mirrored copy."""
    write_shard(root / "train/composed-00000.tar", [(f"t{at}", noise(at), told(f"dog {at}")) for at in range(6)])
    write_shard(root / "train/composed-00001.tar", [(f"t{at}", noise(at), told(f"cat {at}")) for at in (6, 7)])
    mirrored = noise(5).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    tests = [noise(2).point(lambda value: value * 0.7 + 60), mirrored, noise(99)]
    samples = [(f"e{at}", picture, told(f"test {at}", "concepts")) for at, picture in enumerate(tests)]
    write_shard(root / "test/concepts-00000.tar", samples)


def test_no_query_brings_more_than_its_share_and_rare_ones_keep_all() -> None:
    captions = [["a dog"]] * 50 + [["a cat"]] * 3 + [["a dog with a cat"]] + [["nothing known"]]
    kept = balance(captions, ["dog", "Cat", "polar bear"], at_most=5)
    assert kept.found == {"dog": 51, "cat": 4} and kept.counted == {"dog": 5, "cat": 4}
    assert kept.kept == {"dog": 6, "cat": 4}  # one of the dogs is there for its cat
    assert sum(kept.chosen[:50]) == 5 and all(kept.chosen[50:54]) and not kept.chosen[54]
    assert kept == balance(captions, ["dog", "cat"], at_most=5) and kept != balance(captions, ["dog", "cat"], 5, seed=1)


def test_a_word_of_every_caption_neither_floods_nor_crowds_out() -> None:
    captions = [["a photo of a dog"]] * 40 + [["a photo"]] * 30 + [[f"a photo of thing {at}"] for at in range(20)]
    kept = balance(captions, ["photo", "dog", *(f"thing {at}" for at in range(20))], at_most=3)
    assert max(kept.counted.values()) == 3 and sum(kept.chosen) == sum(kept.counted.values()) == 3 + 3 + 20
    assert sum(kept.chosen[:40]) == sum(kept.chosen[40:70]) == 3 and all(kept.chosen[70:])


def test_queries_of_several_words_match_runs_alone() -> None:
    kept = balance([["the polar bear"], ["a bear, polar"], ["polar white bear"]], ["polar bear"], 9)
    assert kept.chosen == [True, False, False]


def test_queries_from_captions_are_frequent_words_and_surprising_pairs() -> None:
    captions = [["a polar bear"]] * 10 + [[f"a thing {at}"] for at in range(990)] + [["the big thing"]] * 10
    assert queries_of(captions, least=10) == ["bear", "big", "polar", "thing", "polar bear"]


def test_bad_queries_are_one_line(tmp_path: Path) -> None:
    for queries, at_most in (([], 3), (["dog"], 0)):
        with pytest.raises(UserError, match="balancing needs queries and at most 1 or more"):
            balance([["a dog"]], queries, at_most)
    with pytest.raises(UserError, match="is not there"):
        read_queries(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    with pytest.raises(UserError, match="holds no query"):
        read_queries(tmp_path / "empty.txt")


def test_balanced_shards_keep_samples_untouched_and_tests_whole(tmp_path: Path) -> None:
    write_set(tmp_path / "all")
    kept = balance_shards(tmp_path / "all", tmp_path / "few", ["dog", "cat"], 2, 1, 0)
    assert sum(kept.chosen) == 4 and kept.kept == {"dog": 2, "cat": 2}
    whole, few = (list(read_shards(tmp_path / name / "train")) for name in ("all", "few"))
    assert few == [sample for sample, stays in zip(whole, kept.chosen, strict=True) if stays]
    shard = "test/concepts-00000.tar"
    assert (tmp_path / "few" / shard).read_bytes() == (tmp_path / "all" / shard).read_bytes()
    index = json.loads((tmp_path / "few/index.json").read_text())
    assert index["samples"] == {"train": 4, "validation": 0, "test": 3} and index["tasks"]["test"] == {"concepts": 3}
    assert index["licences"] == {"emoji": {"CC0-1.0": 7}}
    with pytest.raises(UserError, match="holds one of the queries"):
        balance_shards(tmp_path / "all", tmp_path / "none", ["horse"], 2, 1, 0)
    with pytest.raises(UserError, match="holds shards already"):
        balance_shards(tmp_path / "all", tmp_path / "few", ["dog"], 2, 1, 0)


def test_a_balanced_build_keeps_the_licences_of_its_index(tmp_path: Path) -> None:
    write_set(tmp_path / "all")
    licences = {"emoji": {"MIT": 2, "CC-BY-4.0": 9}, "stamps": {"GPL-2.0-only": 5}}
    (tmp_path / "all/index.json").write_text(json.dumps({"size": 48, "licences": licences, "samples": {"train": 8}}))
    balance_shards(tmp_path / "all", tmp_path / "few", ["dog"], 2, 1, 0)
    index = json.loads((tmp_path / "few/index.json").read_text())
    assert index["licences"] == {"emoji": licences["emoji"]} and index["size"] == 48
    assert index["samples"]["train"] == 2 and index["sources"] == {"emoji test": 3, "emoji train": 2}
    balance_shards(tmp_path / "all/train", tmp_path / "part", ["dog"], 2, 1, 0)
    assert json.loads((tmp_path / "part/index.json").read_text())["licences"] == {"emoji": licences["emoji"]}


def test_samples_without_an_index_tell_their_licences_under_either_spelling(tmp_path: Path) -> None:
    given = [{"source": "mine", key: name} for key, name in (("licence", "MIT"), ("license", "CC0-1.0"), ("x", "y"))]
    index = carried(tmp_path, [("train", described) for described in given])
    assert index["licences"] == {"mine": {"MIT": 1, "CC0-1.0": 1, "unknown": 1}}


def test_overlap_by_a_clip_finds_what_a_thumbnail_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = {"red": (230, 20, 20), "green": (20, 200, 40), "blue": (30, 40, 220)}

    def spot(name: str, at: tuple[int, int]) -> Image.Image:
        picture = Image.new("RGB", (48, 48), "black")
        picture.paste(colours[name], (*at, at[0] + 24, at[1] + 24))
        return picture

    write_shard(tmp_path / "train/a.tar", [(name, spot(name, (0, 0)), told(name)) for name in ("red", "green")])
    moved = [(name, spot(name, (20, 20)), told(f"{name} test", "concepts")) for name in ("red", "blue")]
    write_shard(tmp_path / "test/a.tar", moved)
    asked = []
    monkeypatch.setattr("clipguide.weights.Models.encoder", lambda self, name: asked.append(name) or ColourEncoder())
    assert [row.overlapping for row in overlap(tmp_path, tmp_path / "plain")] == [0] and not asked
    assert main(["data", "overlap", str(tmp_path), "-o", str(tmp_path / "found"), "--clip", "mine"]) == 0
    report = json.loads((tmp_path / "found/overlap.json").read_text())
    assert asked == ["mine"] and (report["by"], report["threshold"]) == ("clip", 0.95)
    assert [pair["concepts"] for pair in report["pairs"]] == [["red test", "red"]]


def test_overlap_finds_the_copies_and_only_them(tmp_path: Path) -> None:
    write_set(tmp_path)
    (row,) = overlap(tmp_path, tmp_path / "found")
    assert (row.side, row.task, row.pictures, row.overlapping) == ("test", "concepts", 3, 2)
    assert row.share == 2 / 3 and row.most > 0.98
    report = json.loads((tmp_path / "found/overlap.json").read_text())
    assert {tuple(pair["concepts"]) for pair in report["pairs"]} == {("test 0", "dog 2"), ("test 1", "dog 5")}
    assert width_of(tmp_path / "found/overlap.png") > 200
    with pytest.raises(UserError):
        overlap(tmp_path / "nowhere", tmp_path / "other")


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path / "all")
    assert main(["data", "stats", str(tmp_path / "all")]) == 0 and "emoji 11" in capsys.readouterr().out
    assert main(["data", "show", str(tmp_path / "all"), "-o", str(tmp_path / "sheet.png"), "-n", "5"]) == 0
    assert width_of(tmp_path / "sheet.png") == 8 * 150
    out = str(tmp_path / "few")
    assert main(["data", "balance", str(tmp_path / "all"), "-o", out, "--at-most", "1", "--least", "2"]) == 0
    assert "kept 2 of 8 training pairs" in capsys.readouterr().out
    assert main(["data", "overlap", str(tmp_path / "all"), "-o", str(tmp_path / "found")]) == 0
    assert "test concepts: 2 of 3 pictures (66.7%)" in capsys.readouterr().out


def test_a_folder_to_shards_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pretrain.data.sources.avatars.STYLES", {})  # their names are held out as well: seconds
    for at in range(12):
        noise(at).save(tmp_path / f"{at}.png")
        (tmp_path / f"{at}.txt").write_text(f"a painting of number {at}")
    given = ["data", "build", "--sources", f"folder:{tmp_path}", "--cache", str(tmp_path / "cache"), "--size", "32"]
    assert main([*given, "-o", str(tmp_path / "out"), "--workers", "1"]) == 0
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert index["samples"]["train"] > 6 and index["licences"] == {
        f"folder:{tmp_path}": {"unknown (the user's own)": 12}
    }
    capsys.readouterr()
    for wrong, words in (("nothing", "unknown source 'nothing'"), ("folder:/no/such", "/no/such is not there")):
        assert main([*given[:3], wrong, "-o", str(tmp_path / "no")]) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1 and not (tmp_path / "no").exists()
