"""Settings: one field is the flag, its help, the check, and the control of a form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from clipguide.errors import UserError
from clipguide.options import Common, Guided, Output, Settings, add_flags, options, read_yaml, split, validate


class Sample(Settings):
    count: int = Field(3, ge=1, le=9, description="how many")
    share: float = Field(0.5, gt=0, lt=1, description="100 % at most")
    bold: bool = Field(False, description="thick lines")
    kind: Literal["round", "square"] = Field("round", description="the shape")
    limit: float | None = Field(None, ge=0, description="seconds")
    file: Path | None = Field(None, description="a file")
    name: str = Field("x", description="a name")

    @model_validator(mode="after")
    def _agree(self):
        if self.bold and self.count > 5:
            raise ValueError("--bold goes with a --count of at most 5; give fewer")
        return self


def parse(arguments: list[str], model: type[Settings] = Sample) -> dict:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_flags(parser, model, "settings")
    return vars(parser.parse_args(arguments))


def test_every_field_is_a_control_with_its_range():
    found = {option.name: option for option in options(Sample)}
    assert [(o.kind, o.low, o.high, o.optional) for o in found.values()] == [
        ("int", 1, 9, False),
        ("float", 0, 1, False),
        ("bool", None, None, False),
        ("choice", None, None, False),
        ("float", 0, None, True),
        ("path", None, None, True),
        ("text", None, None, False),
    ]
    assert found["kind"].choices == ("round", "square") and found["count"].default == 3
    size = next(option for option in options(Common) if option.name == "size")
    assert (size.kind, size.low, size.high) == ("size", 16, 4096)


@pytest.mark.parametrize("model", [Common, Output, Guided])
def test_every_setting_says_what_it_does_and_can_be_a_flag(model):
    parser = argparse.ArgumentParser()
    add_flags(parser, model, "settings")
    text = " ".join(parser.format_help().split())
    for option in options(model):
        assert option.help and option.flag in text
        assert " ".join(option.help.split()[:3]) in text


def test_flags_give_what_was_said_and_nothing_else():
    assert parse([]) == {}
    given = parse(["--count", "4", "--bold", "--kind", "square", "--share", "0.25"])
    settings = validate(Sample, given)
    assert (settings.count, settings.bold, settings.kind, settings.share) == (4, True, "square", 0.25)
    assert parse(["--no-bold"]) == {"bold": False}


def test_the_help_shows_range_and_default():
    parser = argparse.ArgumentParser()
    add_flags(parser, Sample, "settings")
    text = " ".join(parser.format_help().split())
    assert "how many (from 1, to 9, default 3)" in text and "100 % at most (from 0, to 1, default 0.5)" in text
    assert "round|square" in text and "256x256" in _help_of(Common) and "4294967295" in _help_of(Common)


def _help_of(model: type[Settings]) -> str:
    parser = argparse.ArgumentParser()
    add_flags(parser, model, "settings")
    return parser.format_help()


@pytest.mark.parametrize("given", ["200x100", "200X100", "200×100", "200,100", " 200 x 100 ", [200, 100], (200, 100)])
def test_a_size_is_written_in_many_ways(given):
    assert validate(Common, {"size": given}).size == (200, 100)


def test_one_number_is_a_square():
    assert validate(Common, {"size": "64"}).size == validate(Common, {"size": 64}).size == (64, 64)


BAD = [
    (Common, {"size": "0"}, "--size 0: .*16"),
    (Common, {"size": "100000"}, "--size 100000: .*4096"),
    (Common, {"size": "100000x64"}, "--size 100000x64: .*4096"),
    (Common, {"size": "wide"}, "--size wide: a size is WIDTHxHEIGHT"),
    (Common, {"size": None}, "--size None: "),
    (Common, {"size": [1, 2, 3]}, "--size 1x2x3: "),
    (Common, {"seed": -1}, "--seed -1: "),
    (Common, {"seed": "x"}, "--seed x: .*integer"),
    (Common, {"seconds": 0}, "--seconds 0: .*greater than 0"),
    (Common, {"seconds": float("inf")}, "--seconds inf: .*finite"),
    (Guided, {"steps": -5}, "--steps -5: .*greater than or equal to 0"),
    (Guided, {"steps": 1.5}, "--steps 1.5: "),
    (Guided, {"negative_margin": 2}, "--negative-margin 2: "),
    (Guided, {"templates": "poem"}, "--templates poem: .*'painting'"),
    (Guided, {"stepz": 5}, "unknown setting 'stepz'; there are: steps, clip"),
    (Sample, {"bold": True, "count": 6}, "--bold goes with"),
]


@pytest.mark.parametrize("model, values, message", BAD)
def test_a_bad_value_is_refused_in_one_line(model, values, message):
    with pytest.raises(UserError, match=message) as caught:
        validate(model, values)
    assert "\n" not in str(caught.value)


def test_settings_do_not_change():
    with pytest.raises(ValueError):
        validate(Guided, {}).steps = 5


def test_values_go_to_the_model_that_knows_them():
    assert split({"seed": 1, "count": 2}, [Common, Sample]) == [{"seed": 1}, {"count": 2}]
    with pytest.raises(UserError, match="unknown setting 'nothing'; there are: size"):
        split({"nothing": 1}, [Common, Sample])


def test_chunks_cover_the_cutouts():
    for cutouts, chunk, chunks in ((16, 32, 1), (32, 32, 1), (33, 32, 2), (5, 1, 5)):
        assert validate(Guided, {"cutouts": cutouts, "chunk": chunk}).chunks == chunks


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_gives_settings_by_name(tmp_path):
    file = write(tmp_path / "run.yaml", "steps: 20\nsave-every: 5\nsize: 64x32\nseed: 7\n")
    assert read_yaml(file) == {"steps": 20, "save_every": 5, "size": "64x32", "seed": 7}
    assert read_yaml(write(tmp_path / "empty.yaml", "")) == {}


@pytest.mark.parametrize(
    "text, message",
    [
        ("- a\n- b\n", "holds a list"),
        ("a: [1\nb: 2\n", "no YAML in line"),
        ("!!python/object:os.system {}", "no YAML"),
        ("a: 2024-13-01", "no YAML;"),
    ],
)
def test_a_bad_yaml_file_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        read_yaml(write(tmp_path / "run.yaml", text))
    assert "\n" not in str(caught.value)


def test_a_yaml_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path / "bytes.yaml")
