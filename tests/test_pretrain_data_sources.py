"""Sources: what each reads of its packages, here from small fakes, and of the user's own folders, tables and shards."""

from __future__ import annotations

import gzip
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipguide.errors import UserError
from pretrain.data.gather import collect, grounds_of, held_everywhere
from pretrain.data.shards import write_shard
from pretrain.data.sources import SOURCES, load


def picture(place: Path, colour: str = "red", mode: str = "RGB") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (12, 9), colour).save(place)
    return place


def test_every_source_has_fetch_and_pairs() -> None:
    for name in SOURCES:
        source = load(name)
        assert callable(source.fetch) and callable(source.pairs)
    with pytest.raises(UserError, match="unknown source 'laion'; known are emoji"):
        load("laion")
    with pytest.raises(UserError, match="write --sources folder:PATH"):
        load("folder")


def test_a_source_that_was_not_fetched_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pretrain.data.sources.avatars.STYLES", {})
    for name in SOURCES:
        if name != "avatars":
            with pytest.raises(UserError, match="python -m pretrain data fetch"):
                collect([name], tmp_path)
    assert grounds_of([], tmp_path).photos == () and isinstance(held_everywhere([], tmp_path), frozenset)


def test_stamps_by_language(tmp_path: Path) -> None:
    root = tmp_path / "debian/tuxpaint-stamps-default/usr/share/tuxpaint/stamps/animals"
    picture(root / "owl.png", mode="RGBA")
    (root / "owl.txt").write_text("An owl.\nja.utf8=フクロウ。\nde.utf8=Eine Eule.\n", encoding="utf-8")
    ((_, pair),) = collect(["stamps"], tmp_path)
    assert pair.concept == "owl" and pair.captions["de"] == ("Eine Eule",) and pair.captions["ja"] == ("フクロウ。",)


def test_portraits_are_named_by_race_and_trade(tmp_path: Path) -> None:
    root = tmp_path / "debian/wesnoth-1.16-data/usr/share/games/wesnoth/1.16/data/core/images/portraits"
    for name in ("elves/archer+female.png", "undead/ghost.png", "humans/mage-2.png", "trolls/troll-hero-alt.png"):
        picture(root / name)
    names = [pair.captions["en"][0] for _, pair in collect(["portraits"], tmp_path)]
    assert sorted(names) == ["female elf archer", "ghost", "mage", "troll hero"]


def catalogue_record(kind: int, form: str, ngc: int) -> bytes:
    text = form.encode("utf-16-be")
    numbers = [ngc] + [0] * 13
    return (
        struct.pack(">iddddi", 1, 0.0, 0.0, 9.0, 9.0, kind)
        + struct.pack(">i", len(text)) + text + bytes(68)
        + struct.pack(">14i", *numbers) + struct.pack(">i", -1) + bytes(8) + struct.pack(">7i", *[0] * 7) + bytes(20)
    )  # fmt: skip


def test_deep_sky_photographs_by_the_catalogue(tmp_path: Path) -> None:
    root = tmp_path / "debian/stellarium-data/usr/share/stellarium/nebulae/default"
    picture(root / "n224-x.png", mode="RGBA"), picture(root / "n7000.png"), picture(root / "n1.png")
    head = b"".join(struct.pack(">i", len(word) * 2) + word.encode("utf-16-be") for word in ("3.16", "standard"))
    records = catalogue_record(0, "SAb", 224) + catalogue_record(17, "", 7000) + catalogue_record(99, "", 1)
    (root / "catalog.dat").write_bytes(gzip.compress(head + records))
    (root / "names.dat").write_text('NGC  224   _("Andromeda Galaxy") # SG\n', encoding="utf-8")
    told = {pair.origin: pair.captions["en"] for _, pair in collect(["stellarium"], tmp_path)}
    assert told["n224-x"][:2] == ("a spiral galaxy in space", "the Andromeda Galaxy")
    assert told["n7000"][0] == "a glowing red nebula in space" and set(told) == {"n224-x", "n7000"}


def test_furniture_names_and_languages(tmp_path: Path) -> None:
    from pretrain.data.sources import furniture

    for library in furniture.LICENCES:
        folder = tmp_path / "sweethome3d" / library
        folder.mkdir(parents=True)
        (tmp_path / "debian/sweethome3d-furniture").mkdir(parents=True, exist_ok=True)
        if library == "Scopia":
            text = "name#7=Wall lamp\ntags#7=Light, Scopia x\ncategory#7=Lights\nmodel#7=/a/lamp.obj\n"
            (folder / "PluginFurnitureCatalog.properties").write_text(text)
            (folder / "PluginFurnitureCatalog_ja.properties").write_text("name#7=\\u58c1\\u706f\n")
    pairs = [pair for _, pair in collect(["furniture"], tmp_path)]
    assert len(pairs) == furniture.VIEWS and len({pair.origin for pair in pairs}) == len(pairs)
    assert pairs[0].captions == {"en": ("wall lamp",), "ja": ("壁灯",)} and "light" in pairs[0].tags


def test_icons_are_called_what_is_drawn_and_emoji_by_their_labels(tmp_path: Path) -> None:
    from pretrain.data.sources import emoji, icons

    def package(name: str, version: str) -> Path:
        folder = tmp_path / "npm" / f"{name.replace('/', '+')}@{version}"
        folder.mkdir(parents=True)
        return folder

    rows = [{"group": 4, "label": "red apple", "hexcode": "1F34E", "tags": ["fruit"]}]
    labels = package(*emoji.LABELS)
    for language in ("en", *emoji.LANGUAGES):
        (labels / language).mkdir()
        for file in ("data", "compact"):
            (labels / language / f"{file}.json").write_text(json.dumps(rows))
    drawn = '<circle cx="8" cy="8" r="6" fill="currentColor"/>'
    names = {"fxemoji": ["redapple", "nosuchthing"], "kameleon": ["water-mill-duo", "add-file-duo", "page-3-duo"]}
    for style, (name, version, _) in (icons.EMOJI | icons.ICONS).items():
        of_style = {icon: {"body": drawn} for icon in names.get(style, [f"oak-{len(style)}"])}
        (package(name, version) / "icons.json").write_text(json.dumps({"icons": of_style, "width": 16, "height": 16}))
    pairs = {pair.origin: pair for _, pair in collect(["icons"], tmp_path)}
    apple, mill = pairs["fxemoji/redapple"], pairs["kameleon/water-mill-duo"]
    assert (apple.concept, apple.medium, apple.captions["ja"]) == ("red apple", "emoji", ("red apple",))
    assert (mill.captions, mill.medium, mill.licence) == ({"en": ("water mill",)}, "icon", "CC-BY-4.0")
    assert mill.image(16).size == (12, 12) and {pair.style for pair in pairs.values()} > set(icons.ICONS)
    assert not {"fxemoji/nosuchthing", "kameleon/add-file-duo", "kameleon/page-3-duo"} & set(pairs)


def test_a_model_is_drawn_from_all_sides(tmp_path: Path) -> None:
    pytest.importorskip("vtk")
    from pretrain.data.render import render_views

    corners = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 3\nv 1 0 3\nv 1 1 3\nv 0 1 3\n"
    faces = "f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n"
    (tmp_path / "box.obj").write_text(f"mtllib box.mtl\n{corners}usemtl red\n{faces}")
    (tmp_path / "box.mtl").write_text("newmtl red\nKd 1 0 0\nKa 0 0 0\n")
    front, side = render_views(tmp_path / "box.obj", [0, 90], 10, 48)
    for view in (front, side):
        values = np.asarray(view)
        assert view.size == (48, 48) and values[0, 0, 3] == 0 and values[24, 24, 3] == 255
        assert values[24, 24, 0] > 80 and values[24, 24, 1:3].max() < 40
    assert np.asarray(side)[..., 3].astype(bool).sum() > 1.5 * np.asarray(front)[..., 3].astype(bool).sum()


def test_avatars_say_what_was_drawn() -> None:
    pytest.importorskip("dicebear")
    from pretrain.data.sources import avatars

    told = {"hairVariant": "long03", "hairColor": ["#b0321f"], "glassesVariant": "variant02", "mouthVariant": "happy01"}
    assert avatars.describe(told)[0] == "a smiling face with long red hair and glasses"
    assert avatars.describe({"hairVariant": "bald", "mouthVariant": "sad"})[0] == "a sad face with a bald head"
    first, again = (avatars.draw("lorelei", 3, 64) for _ in range(2))
    assert first.mode == "RGBA" and first.tobytes() == again.tobytes() != avatars.draw("lorelei", 4, 64).tobytes()


def test_a_folder_with_text_files_and_with_class_folders(tmp_path: Path) -> None:
    picture(tmp_path / "a.png"), picture(tmp_path / "red_boats/b.jpg")
    (tmp_path / "a.txt").write_text("A quiet harbour.\nboats\n")
    pairs = {pair.origin: pair for _, pair in collect([f"folder:{tmp_path}"], tmp_path)}
    assert pairs["a.png"].captions == {"en": ("A quiet harbour", "boats")} and pairs["a.png"].concept == "quiet harbour"
    assert pairs["red_boats/b.jpg"].captions == {"en": ("red boats",)} and pairs["a.png"].image(8).size == (8, 6)


def test_a_table_with_concepts_and_languages(tmp_path: Path) -> None:
    picture(tmp_path / "pics/a.png")
    rows = "image,caption,concept,licence,language\npics/a.png,a red boat,boat,CC0-1.0,\npics/a.png,ein Boot,,,de\n"
    (tmp_path / "mine.csv").write_text(rows)
    ((_, pair),) = collect([f"folder:{tmp_path / 'mine.csv'}"], tmp_path)
    assert (pair.captions, pair.concept) == ({"en": ("a red boat",), "de": ("ein Boot",)}, "boat")
    assert pair.licence == "CC0-1.0" and pair.image(12).size == (12, 9)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no picture"),
        ({"a.png": None}, "1 pictures without a caption, first a.png"),
        ({"captions.csv": "file,text\na.png,x\n"}, "no column image and no column caption"),
        ({"captions.csv": "image,caption\n"}, "holds no pair"),
        ({"captions.csv": "image,caption\na.png,\n"}, "1 pairs without an English caption, first a.png"),
    ],
)
def test_bad_folders_are_one_line(tmp_path: Path, files: dict[str, str | None], words: str) -> None:
    for name, text in files.items():
        picture(tmp_path / name) if text is None else (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words) as fault:
        collect([f"folder:{tmp_path}"], tmp_path)
    assert "\n" not in str(fault.value)


def test_shards_of_this_project_and_of_others(tmp_path: Path) -> None:
    told = {"captions": ["a boat"], "languages": {"de": ["ein Boot"]}, "concept": "boat", "medium": "drawing"}
    write_shard(tmp_path / "in/own.tar", [("k1", Image.new("RGB", (6, 4), "blue"), told)])
    with tarfile.open(tmp_path / "in/web.tar", "w") as tar:
        for name in ("k2.png", "k2.txt", "k3.json"):
            file = tmp_path / name
            picture(file) if name.endswith("png") else file.write_text("A cat!" if name[1] == "2" else json.dumps({}))
            tar.add(file, name)
    pairs = {pair.origin: pair for _, pair in collect([f"shards:{tmp_path / 'in'}"], tmp_path)}
    assert set(pairs) == {"own.tar/k1", "web.tar/k2"} and pairs["own.tar/k1"].concept == "boat"
    assert pairs["own.tar/k1"].captions["de"] == ("ein Boot",) and pairs["web.tar/k2"].captions == {"en": ("A cat!",)}
    assert pairs["web.tar/k2"].image(12).size == (12, 9) and pairs["own.tar/k1"].medium == "drawing"
    (tmp_path / "in/bad.tar").write_bytes(b"x" * 2000)
    with pytest.raises(UserError, match=r"bad\.tar is no webdataset shard"):
        collect([f"shards:{tmp_path / 'in'}"], tmp_path)
    with pytest.raises(UserError, match="holds no .tar shard"):
        collect([f"shards:{tmp_path / 'nowhere'}"], tmp_path)
