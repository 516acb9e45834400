"""The grammar of prompts: every odd text has one answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clipguide.brief import TEMPLATES, Brief, Prompt, parse_prompt, parse_prompts, placed, split_weight, told
from clipguide.errors import UserError

READINGS = {
    "a fox": ("a fox", 1, 0),
    "  a fox  ": ("a fox", 1, 0),
    "a fox:1.5": ("a fox", 1.5, 0),
    "a fox : 1.5": ("a fox", 1.5, 0),
    "a fox:+2": ("a fox", 2, 0),
    "a fox:.5": ("a fox", 0.5, 0),
    "a fox:1e-1": ("a fox", 0.1, 0),
    "a fox:1:0.4": ("a fox", 1, 0.4),
    "blurry:-0.3": ("blurry", -0.3, 0),
    "blurry:-0.3:1": ("blurry", -0.3, 1),
    "nothing:0": ("nothing", 0, 0),
    # colons in the text
    "Star Wars: a new hope": ("Star Wars: a new hope", 1, 0),
    "Star Wars: a new hope:2": ("Star Wars: a new hope", 2, 0),
    "a: b: c:1:0.5": ("a: b: c", 1, 0.5),
    "ends in a colon:": ("ends in a colon:", 1, 0),
    "a fox:nan": ("a fox:nan", 1, 0),
    # between two digits
    "at 12:30": ("at 12:30", 1, 0),
    "at 12:30 :2": ("at 12:30", 2, 0),
    "at 12:30 :2:0.5": ("at 12:30", 2, 0.5),
    "at 12:30:45": ("at 12:30:45", 1, 0),
    "in 16:9": ("in 16:9", 1, 0),
    "route 66:-1": ("route 66", -1, 0),
    "area 51 : 0.5": ("area 51", 0.5, 0),
    # addresses and Windows paths
    "http://host/fox": ("http://host/fox", 1, 0),
    "http://host:8080": ("http://host:8080", 1, 0),
    "http://host:8080/fox:2": ("http://host:8080/fox", 2, 0),
    "C:\\fox.png": ("C:\\fox.png", 1, 0),
    "C:\\fox.png:0.5": ("C:\\fox.png", 0.5, 0),
    "see http://localhost:8080": ("see http://localhost:8080", 1, 0),
    "a poster of http://h:80": ("a poster of http://h:80", 1, 0),
    "a poster of http://h:80 :2": ("a poster of http://h:80", 2, 0),
    "see http://host/a: a fox:2": ("see http://host/a: a fox", 2, 0),
    # other scripts, braces, quotes, lines
    "狐:2": ("狐", 2, 0),
    "a {fox}": ("a {fox}", 1, 0),
    'a "fox":2': ('a "fox"', 2, 0),
    "two\nlines:2": ("two\nlines", 2, 0),
    "an @ sign": ("an @ sign", 1, 0),
}


@pytest.mark.parametrize("text", READINGS)
def test_a_text_has_one_reading(text):
    words, weight, stop = READINGS[text]
    assert parse_prompt(text) == Prompt(text=words, weight=weight, stop=stop)


def test_bars_and_repetition_join_prompts():
    found = parse_prompts(["a fox:2 | blurry:-0.5", "a car"])
    assert [(p.text, p.weight) for p in found] == [("a fox", 2), ("blurry", -0.5), ("a car", 1)]
    assert [p.text for p in parse_prompts([r"one \| bar | two"])] == ["one | bar", "two"]


@pytest.mark.parametrize("name", ["style.png", "a b.png", "frame12.jp2", "photo3", "x:y.png"])
@pytest.mark.parametrize("ending, weight, stop", [("", 1, 0), (":0.5", 0.5, 0), (":-2:0.25", -2, 0.25)])
def test_an_image_prompt_has_a_file_and_a_weight(tmp_path, name, ending, weight, stop):
    (tmp_path / name).write_bytes(b"")
    found = parse_prompt(f"@{tmp_path / name}{ending}")
    assert found == Prompt(image=tmp_path / name, weight=weight, stop=stop)
    assert found.name == f"@{name}"


def test_an_image_prompt_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "x.png").write_bytes(b"")
    assert parse_prompt("@~/x.png").image == Path(tmp_path / "x.png")


def test_paths_of_image_prompts_are_made_absolute_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    said = r"a fox at @home \| @b | @a b.png:0.5 ^ @~/c.png|@/d.png:2"
    assert placed(said) == rf"a fox at @home \| @b | @{tmp_path}/a b.png:0.5 ^ @{tmp_path}/home/c.png|@/d.png:2"


REFUSED = {
    "": "is empty",
    "   ": "is empty",
    ":2": "is empty",
    "@": "is empty",
    "@ :2": "is empty",
    "a |": "is empty",
    "| a": "is empty",
    "a || b": "is empty",
    "a:101": "between -100 and 100",
    "a:-1e9": "between -100 and 100",
    "a:1e999": "between -100 and 100",
    "a:1:-1": "between 0 and 4.9",
    "a:1:5": "between 0 and 4.9",
    "a:0": "weight 0",
    "a:0 | b:0": "weight 0",
    "@nowhere.png": "no file here",
    "@~nobody/fox.png": "no file here",
    "@C:\\nowhere.png:0.5": "no file here",
    "@http://host/fox.png": "is an address",
    "@https://host:80": "is an address",
    "caf\udce9": "UTF-8",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_bad_prompt_is_refused_in_one_line(text):
    with pytest.raises(UserError, match=REFUSED[text]) as caught:
        parse_prompts([text])
    message = str(caught.value)
    assert "\n" not in message and message.encode()


def test_a_folder_is_no_image_prompt(tmp_path):
    with pytest.raises(UserError, match="no file here"):
        parse_prompt(f"@{tmp_path}")


def test_no_prompt_at_all_is_refused():
    with pytest.raises(UserError, match="say what to draw"):
        parse_prompts([])


def test_a_zero_beside_a_weight_is_allowed():
    assert [p.weight for p in parse_prompts(["a:0 | b:-1"])] == [0, -1]


def test_names_of_clips_take_weights_though_they_end_in_digits():
    assert split_weight("openai-b32:0.5") == ("openai-b32", 0.5)
    assert split_weight(" ViT-B-32/openai : 2") == ("ViT-B-32/openai", 2)
    assert split_weight("C:\\clips\\mine") == ("C:\\clips\\mine", 1)
    assert split_weight("clip-mini") == ("clip-mini", 1)
    for empty in ("", " ", ":2"):
        with pytest.raises(UserError, match="names nothing"):
            split_weight(empty)


def test_templates_keep_the_text_itself():
    for sentences in TEMPLATES.values():
        assert sentences[0] == "{}" and all(sentence.count("{}") == 1 for sentence in sentences)


def test_the_dice_of_the_start_are_the_seeds():
    brief = Brief(parse_prompts(["a"]), seed=5)
    assert torch.equal(torch.rand(3, generator=brief.rng()), torch.rand(3, generator=brief.rng()))
    other = Brief(parse_prompts(["a"]), seed=6)
    assert not torch.equal(torch.rand(3, generator=brief.rng()), torch.rand(3, generator=other.rng()))


def test_a_story_has_chapters():
    prompts = parse_prompts(["a seed ^ a tree:2 | snow:-1 ^ a log", "by night"])
    assert [(p.text, p.weight, p.chapter) for p in prompts] == [
        ("a seed", 1, (0, 3)), ("a tree", 2, (1, 3)), ("snow", -1, (1, 3)), ("a log", 1, (2, 3)),
        ("by night", 1, (0, 1))
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x^2 + y^2", "a ^b", "^_^"])
def test_a_caret_without_spaces_is_text(text):
    assert parse_prompts([text]) == (Prompt(text),)


@pytest.mark.parametrize("text", ["a ^", "^ a", "a ^ ^ b", "a ^ | b"])
def test_an_empty_chapter_is_refused(text):
    with pytest.raises(UserError, match="is empty"):
        parse_prompts([text])


def test_what_is_told_at_a_time():
    prompts = parse_prompts(["a ^ b", "c"])
    assert [[p.text for p in told(prompts, at)] for at in (0.0, 0.4, 0.5, 1.0)] == [
        ["a", "c"], ["a", "c"], ["b", "c"], ["b", "c"]
    ]  # fmt: skip
