"""Sources read from packages, here from small fakes with their layout: what names a picture, in which words, by whose
licence."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pretrain.data.gather import collect, grounds_of
from pretrain.data.pair import Pair
from pretrain.data.sources import gcompris, snapshots, wallpapers
from pretrain.data.split import side_of, side_of_concept, task_of

SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/" viewBox="0 0 8 8">
 <metadata><rdf:RDF><cc:Work><dc:title>{}</dc:title><dc:subject><rdf:Bag>{}</rdf:Bag></dc:subject></cc:Work></rdf:RDF>
 </metadata><rect width="8" height="4" fill="red"/></svg>"""


def picture(place: Path, size: tuple[int, int] = (12, 9)) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(place)
    return place


def found(source: str, cache: Path) -> dict[str, Pair]:
    return {pair.origin: pair for _, pair in collect([source], cache)}


def test_clip_art_is_called_by_its_title(tmp_path: Path) -> None:
    pytest.importorskip("lxml")
    root = tmp_path / "debian/openclipart-svg/usr/share/openclipart/svg"
    drawings = {
        "animals/cat_01": SVG.format("Black_Cat 01", "<rdf:li>Pet</rdf:li><rdf:li>clipart</rdf:li>"),
        "signs_and_symbols/flags/chad": SVG.format("Chad", ""),
        "animals/untitled": SVG.format("untitled drawing", ""),
        "patterns/dots": SVG.format("red dots", ""),
        "food/empty": "<svg/>",
        "food/broken": "no drawing",
    }
    for name, text in drawings.items():
        file = root / f"{name}.svg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for at in range(7):  # so often that it names the set
        (root / f"food/{at}.svg").write_text(SVG.format("dinner", ""))
    pairs = found("clipart", tmp_path)
    assert set(pairs) == {"animals/cat_01", "signs_and_symbols/flags/chad"}
    cat, chad = pairs["animals/cat_01"], pairs["signs_and_symbols/flags/chad"]
    assert (cat.captions, cat.concept, cat.tags) == ({"en": ("black cat",)}, "black cat", ("pet",))
    assert (cat.licence, cat.medium) == ("public domain", "clip art") and cat.image(16).size == (16, 8)
    assert chad.captions == {"en": ("flag of chad",)}


def test_everyday_words_in_other_languages(tmp_path: Path) -> None:
    root = tmp_path / "debian/pysiogame/usr/share/games/pysiogame"
    picture(root / "res/images/art4apps/animals/polar_bear.jpg"), picture(root / "res/images/art4apps/actions/run.jpg")
    for name, text in {"de": "Eisbär", "en_GB": "polar bear", "fr": ""}.items():
        file = root / f"i18n/custom/a4a_po/{name}.po"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'msgid "polar bear"\nmsgstr "{text}"\n', encoding="utf-8")
    pairs = found("art4apps", tmp_path)
    bear, run = pairs["animals/polar_bear"], pairs["actions/run"]
    assert bear.captions == {"en": ("polar bear",), "de": ("Eisbär",)} and bear.tags == ()
    assert (bear.licence, bear.medium, bear.image(12).size) == ("CC-BY-SA-3.0", "drawing", (12, 9))
    assert run.captions == {"en": ("run",)} and run.tags == ("action",)


def resources(files: dict[str, bytes]) -> bytes:
    """A Qt resource file: a root, one folder, and the files in it; the first is compressed."""
    names, pieces, nodes = b"", b"", []
    for at, (name, data) in enumerate({"": b"", "activities": b"", **files}.items()):
        first_file = at == 2
        head = struct.pack(">IH", len(names), 2 if at < 2 else int(first_file))
        if at < 2:
            body = struct.pack(">II", 1 if at == 0 else len(files), at + 1)
        else:
            body = struct.pack(">II", 0, len(pieces))
            stored = struct.pack(">I", len(data)) + zlib.compress(data) if first_file else data
            pieces += struct.pack(">I", len(stored)) + stored
        nodes.append(head + body)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    tree = b"".join(nodes)
    offsets = 20, 20 + len(tree), 20 + len(tree) + len(pieces)
    return b"qres" + struct.pack(">4I", 1, *offsets) + tree + pieces + names


def test_photographs_and_word_drawings_out_of_resource_files(tmp_path: Path) -> None:
    root = tmp_path / "debian/gcompris-qt-data/usr/share/gcompris-qt/rcc"
    data, sorting = picture(tmp_path / "a.webp").read_bytes(), "sort/resource/images"
    files = {
        "explore_farm_animals": {"farm/resource/animals/horse.webp": data, "farm/resource/animals/horse.mp3": b""},
        "explore_world_animals": {"world/resource/animals/polar_bear2.webp": data},
        "explore_monuments": {"old/resource/monuments/tajMahal.webp": data},
        "categorization": {
            f"{sorting}/tools/measuringTape.webp": data,
            f"{sorting}/x/y.webp": data,
        },
        "lang": {f"lang/resource/words_sample/{name}.webp": data for name in ("horse", "light-house", "red", "seven")},
    }
    root.mkdir(parents=True)
    for name, inside in files.items():
        (root / f"{name}.rcc").write_bytes(resources(inside))
    pairs = list(found("gcompris", tmp_path).values())
    photos, drawings = ([pair for pair in pairs if pair.style == style] for style in ("gcompris", "gcompris-words"))
    names = {pair.captions["en"][0]: pair for pair in photos}
    assert set(names) == {"horse", "polar bear", "the Taj Mahal", "measuring tape"}
    assert names["horse"].origin == "farm/resource/animals/horse.webp" and names["horse"].image(12).size == (12, 9)
    assert all(pair.medium == "photo" and pair.held == gcompris.held_side(pair.concept) for pair in photos)
    assert [pair.captions["en"][0] for pair in drawings] == ["horse", "light house"]
    assert {pair.licence for pair in drawings} == {"CC-BY-SA-3.0"} and {pair.held for pair in drawings} == {None}


def test_wallpapers_have_written_captions_and_are_grounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        (wallpapers.GNOME, "meadow.png", "photo"): "a green meadow under a blue sky",
        (wallpapers.PLASMA, "Knit/contents/images", "texture"): "red knitting",
        (wallpapers.MATE, "waves.png", "painting"): "abstract waves",
    }
    table = tmp_path / "table.tsv"
    table.write_text("".join("\t".join((*row, caption)) + "\n" for row, caption in rows.items()))
    monkeypatch.setattr(wallpapers, "TABLE", table)
    roots = {name: tmp_path / "debian" / name / root for name, root in wallpapers.ROOTS.items()}
    picture(roots[wallpapers.GNOME] / "meadow.png", (40, 30)), picture(roots[wallpapers.MATE] / "waves.png")
    for side in (20, 90):
        picture(roots[wallpapers.PLASMA] / f"Knit/contents/images/{side}.png", (side, side))
    pairs = found("wallpapers", tmp_path)
    meadow, knit = pairs["gnome-backgrounds/meadow.png"], pairs["plasma-workspace-wallpapers/Knit/contents/images"]
    assert meadow.captions == {"en": ("a green meadow under a blue sky",)} and meadow.held == "train"
    assert (meadow.licence, knit.licence) == ("CC-BY-SA-3.0", "LGPL-3.0 / CC-BY-SA-4.0")
    assert knit.image(192).size == (90, 90)
    grounds = grounds_of([("wallpapers", pair) for pair in pairs.values()], tmp_path)
    assert [each.shape for each in (*grounds.photos, *grounds.textures)] == [(30, 40, 3), (90, 90, 3)]


def test_snapshots_are_for_choosing_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.tsv"
    table.write_text("scratch\tNature/hill.jpg\ta hill\nscratch\tNature/forest.jpg\ta forest\n")
    assert side_of_concept("forest") == "test"  # a name of the test chooses nothing
    monkeypatch.setattr(snapshots, "TABLE", table)
    picture(tmp_path / "debian/scratch" / snapshots.ROOTS["scratch"] / "Nature/hill.jpg")
    (hill,) = found("snapshots", tmp_path).values()
    assert (hill.concept, hill.medium, hill.licence) == ("hill", "photo", "CC-BY-SA-3.0")
    assert (side_of(hill), task_of(hill)) == ("validation", "snapshots") and hill.image(12).size == (12, 9)
