"""What users bring: photographs as phones write them, tables from spreadsheets, shards of others; all kept as it is."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from clipguide.errors import UserError
from pretrain.cli import main
from pretrain.data.gather import SPRITE, collect, sprite
from pretrain.data.pictures import read_bytes, read_file
from pretrain.data.shards import captions_in, read_shards
from pretrain.evaluate.samples import Sample, decode
from pretrain.feed import read_picture

LONG = "b" * 300  # a key such as addresses make


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(width: int = 40, height: int = 40) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (width // 2, 0, width, height))
    return picture


def write_tar(file: Path, members: dict[str, bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return file


def others(file: Path) -> Path:
    """A shard as other tools write it: two whole samples, one without words, one without a picture."""
    picture = encoded(halves())
    told = json.dumps({"caption": "a cat", "languages": {"de": "Katze"}}).encode()
    whole = {"a.png": picture, "a.txt": b"a dog", f"{LONG}.webp": encoded(halves(), "WEBP"), f"{LONG}.json": told}
    return write_tar(file, whole | {"c.png": picture, "d.txt": b"a bird"})


@pytest.fixture(autouse=True)
def no_avatars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names are held out of every build, and take seconds to read."""
    monkeypatch.setattr("pretrain.data.sources.avatars.STYLES", {})


def build(*words: object) -> int:
    return main(["data", "build", "--workers", "1", *map(str, words)])


def test_a_photograph_whose_exif_is_damaged_is_read() -> None:
    damaged = encoded(halves(40, 20), "PNG", exif=b"no tiff at all")
    assert read_bytes(damaged, 64).size == (40, 20) and read_picture(damaged, 16).shape == (3, 16, 16)


def test_pictures_of_more_than_eight_bits_keep_their_greys(tmp_path: Path) -> None:
    import numpy as np

    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "ramp.png")
    Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "ramp.tif")
    for path in (tmp_path / "ramp.png", tmp_path / "ramp.tif"):
        measured = decode(Sample(path.name, path.read_bytes, "", {}), 64).numpy()
        for picture in (np.asarray(read_file(path, 64)), measured):
            assert abs(picture.mean() - 127.5) < 1 and picture.std() > 70


def test_a_drawing_is_known_by_its_ending_in_capitals(tmp_path: Path) -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    (tmp_path / "A.SVG").write_text(f'{head}<rect width="9" height="9"/></svg>')
    assert max(read_file(tmp_path / "A.SVG", 32).size) == 32


def test_phone_photographs_stand_upright() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side
    data = encoded(halves(40, 20), "JPEG", exif=turned, quality=95)
    picture = read_bytes(data, 192)
    assert picture.size == (20, 40)
    assert picture.getpixel((10, 5))[0] > 200 and picture.getpixel((10, 35))[2] > 200
    trained = read_picture(data, 8)
    assert trained[0, 0].min() > 200 and trained[2, 7].min() > 200


def test_large_pictures_are_read_as_large_as_they_are_stored(tmp_path: Path) -> None:
    halves(600, 600).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a red and a blue half")
    ((source, pair),) = collect([f"folder:{tmp_path}"], tmp_path)
    assert sprite(pair, source, tmp_path, 512).size == (512, 512)
    assert sprite(pair, source, tmp_path, 64).size == (SPRITE, SPRITE)
    small, large = (sprite(pair, "stamps", tmp_path, size) for size in (64, 512))  # these are kept in the cache
    assert (small.size, large.size) == ((SPRITE, SPRITE), (512, 512))


def test_plain_builds_keep_pictures_whole_with_their_own_captions(tmp_path: Path, capsys) -> None:
    for at in range(8):
        halves(80, 40).save(tmp_path / f"{at}.png")
        (tmp_path / f"{at}.txt").write_text(f"red left of blue {at}\na second line")
    given = ("--sources", f"folder:{tmp_path}", "--cache", tmp_path, "--size", "40", "--plain")
    assert build(*given, "-o", tmp_path / "out") == 0
    stored = list(read_shards(tmp_path / "out"))
    assert len(stored) == 8
    for data, told in stored:
        picture = Image.open(io.BytesIO(data))
        assert told["captions"][0].startswith("red left of blue") and told["captions"][1:] == ["a second line"]
        assert picture.getpixel((5, 20))[0] > 200 and picture.getpixel((35, 20))[2] > 200
        assert min(picture.getpixel((20, 3))) > 240 and told["style"] == "own"
    capsys.readouterr()
    assert build(*given, "--scale", "2", "-o", tmp_path / "no") == 2
    assert "--plain stores each picture once" in capsys.readouterr().err and not (tmp_path / "no").exists()


def test_a_licence_goes_from_a_table_into_shards_and_on(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("image,caption,licence\na.png,two halves,CC0-1.0\n")
    given = ("--cache", tmp_path, "--size", "32", "--plain")
    for source, out in ((tmp_path / "t.csv", "one"), (f"shards:{tmp_path / 'one'}", "two")):
        assert build("--sources", source, "-o", tmp_path / out, *given) == 0
        assert [told["licence"] for _, told in read_shards(tmp_path / out)] == ["CC0-1.0"]


def test_a_picture_listed_twice_is_called_by_its_first_words(tmp_path: Path) -> None:
    rows = "image,caption,language\na.png,,\na.png,Apfel,de\na.png,a red apple,\nb.png,!!!,\nc.png,???,\n"
    (tmp_path / "t.csv").write_text(rows)
    pairs = [pair for _, pair in collect([str(tmp_path / "t.csv")], tmp_path)]
    assert pairs[0].captions == {"de": ("Apfel",), "en": ("a red apple",)} and pairs[0].concept == "red apple"
    assert len({pair.concept for pair in pairs}) == 3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("latin.csv", "image,caption\na.png,été\n".encode("latin-1"), "is not in UTF-8"),
        ("short.csv", b"caption,image\na red apple\n", "names no image"),
        ("long.csv", b'image,caption\na.png,"' + b"x" * 200_000 + b'"\n', "is no table"),
    ],
)
def test_bad_tables_are_one_line(tmp_path: Path, capsys, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert build("--sources", f"folder:{tmp_path / name}", "-o", tmp_path / "out", "--cache", tmp_path) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_build_of_nothing_that_can_be_read_is_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "t.csv").write_text("image,caption\ngone.png,a fox\n")
    assert build("--sources", tmp_path / "t.csv", "-o", tmp_path / "out", "--cache", tmp_path, "--size", "32") == 2
    said = capsys.readouterr().err
    assert "none of 1 pictures" in said and "gone.png: FileNotFoundError" in said and said.count("\n") == 1
    assert not [file for file in (tmp_path / "out").rglob("*") if file.is_file()]


def test_captions_beside_pictures_in_another_encoding_are_one_line(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes("ein Äpfelchen".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.txt is not in UTF-8"):
        collect([f"folder:{tmp_path}"], tmp_path)


def test_words_by_language_may_be_one_or_many() -> None:
    assert captions_in({"caption": "apple", "languages": {"de": "Apfel", "fr": ["pomme", ""], "ja": []}}) == {
        "en": ("apple",),
        "de": ("Apfel",),
        "fr": ("pomme",),
    }
    assert captions_in({"captions": [], "text": "an apple", "languages": ["de"]}) == {"en": ("an apple",)}


def test_incomplete_samples_are_counted(tmp_path: Path, capsys) -> None:
    others(tmp_path / "in/x.tar")
    left_out: Counter[str] = Counter()
    found = collect([f"shards:{tmp_path / 'in'}"], tmp_path, left_out)
    assert [pair.origin for _, pair in found] == ["x.tar/a", f"x.tar/{LONG}"]
    name = f"shards:{tmp_path / 'in'}"
    assert left_out == {f"{name}: without a caption": 1, f"{name}: without a picture": 1}
    assert build("--sources", name, "-o", tmp_path / "out", "--cache", tmp_path, "--size", "32") == 0
    assert f"left out: 1 {name}: without a caption" in capsys.readouterr().out
    assert json.loads((tmp_path / "out/index.json").read_text())["left out"] == left_out


def test_tools_work_on_shards_of_others(tmp_path: Path, capsys) -> None:
    others(tmp_path / "in/train/x.tar"), others(tmp_path / "in/test/x.tar")
    folder, sheet = str(tmp_path / "in"), tmp_path / "sheet.png"
    assert main(["data", "stats", folder]) == 0
    said = capsys.readouterr().out
    assert "samples: 4, concepts: 2" in said and "de 2" in said and "2 without a caption" in said
    assert main(["data", "show", folder, "-o", str(sheet)]) == 0 and sheet.is_file()
    assert main(["data", "overlap", folder, "-o", str(tmp_path / "found")]) == 0
    assert "2 of 2 pictures" in capsys.readouterr().out
    assert main(["data", "balance", folder, "-o", str(tmp_path / "few"), "--least", "1", "--at-most", "9"]) == 0
    with tarfile.open(tmp_path / "few/train/x.tar") as tar:
        assert tar.getnames() == ["a.png", "a.txt", f"{LONG}.webp", f"{LONG}.json"]
