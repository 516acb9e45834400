"""Evaluations of a folder of classes and by the command, and what is refused."""

import json

import numpy as np
import pytest
from colours import COLOURS, column, picture
from doubles import tiny_checkpoints

from clipguide.errors import UserError
from pretrain import cli
from pretrain.evaluate.classes import class_names, deal, read_task
from pretrain.evaluate.samples import decode, read_classes, read_split
from pretrain.evaluate.suites import Job, choose, measure


@pytest.fixture
def folder(tmp_path):
    dice = np.random.default_rng(0)
    for name in ("red", "green"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for number in range(10):
            picture(COLOURS[name], dice).resize((40, 24)).save(tmp_path / "classes" / name / f"{number}.png")
    return tmp_path / "classes"


def test_a_folder_of_class_folders(subject, folder):
    parts = deal(read_classes(folder))
    assert [len(parts[side]) for side in ("train", "validation", "test")] == [12, 4, 4]
    task = read_task(Job(subject, images=folder))
    assert (task.names, task.single, len(task.templates)) == (["green", "red"], "a photo of a {}.", 80)
    (table,) = measure("zero-shot", Job(subject, images=folder)).tables
    assert column(table, "pictures") == [20] * 3
    assert column(table, "top-1") == [1.0] * 3
    assert decode(read_classes(folder)[0], 16).shape == (3, 16, 16)


def test_imagenet_folders_get_the_curated_names():
    assert class_names(["n01440764", "n15075141"], None) == ["tench", "toilet paper"]


def test_bad_folders_and_labels_are_one_clear_line(folder, shards, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("A red thing\na red  thing\n")
    cases = [
        (lambda: class_names(["a", "b"], labels), "twice"),
        (lambda: class_names(["traffic_light", "traffic light"], None), "twice"),
        (lambda: class_names(["n99999999"], None), "none of the 1000"),
        (lambda: choose("project,nothing"), "no suite 'nothing'; use some of project"),
        (lambda: choose(""), "no suite"),
        (lambda: read_split(shards, "test", ("nothing",)), "its tasks"),
        (lambda: read_split(tmp_path / "nowhere", "train"), "no train split"),
        (lambda: measure("project", Job(None)), "give --shards"),
    ]
    labels_of_one = tmp_path / "one.txt"
    labels_of_one.write_text("red\n")
    cases.append((lambda: class_names(["a", "b"], labels_of_one), "1 labels for 2"))
    (folder / "empty").mkdir()
    cases.append((lambda: read_classes(folder), "holds no picture"))
    (tmp_path / "nothing").mkdir()
    cases.append((lambda: read_classes(tmp_path / "nothing"), "holds no class folder"))
    for call, words in cases:
        with pytest.raises(UserError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_an_unreadable_picture_is_named(folder):
    broken = folder / "red" / "0.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(UserError, match="0.png is no picture"):
        decode(next(s for s in read_classes(folder) if s.key == str(broken)), 16)


def test_the_command_writes_tables_and_plots(shards, tmp_path, capsys):
    model, out = str(tiny_checkpoints() / "clip-mini"), tmp_path / "out"
    given = ["evaluate", model, "--shards", str(shards), "--out", str(out), "--device", "cpu"]
    assert cli.main([*given, "--suite", "retrieval"]) == 0
    assert cli.main([*given, "--suite", "confusion", "--quiet"]) == 0
    told = json.loads((out / "evaluation.json").read_text())
    assert (told["model"], list(told["suites"])) == (model, ["confusion", "retrieval"])
    assert (out / "confusion-matrix.png").is_file()
    assert "R@10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "there is no clip 'nothing'"),
        (["MODEL", "--suite", "none"], "no suite 'none'"),
        (["clip-mini,clip-mini-b@0.2"], "leave the @ out"),
        (["MODEL", "--shards", "/nowhere"], "/nowhere is no folder"),
        (["MODEL", "--size", "big"], "--size big"),
        (["MODEL", "--size", "64"], "sees 32 px alone"),
    ],
)
def test_bad_commands_are_one_line(arguments, words, shards, capsys):
    given = [str(tiny_checkpoints() / "clip-mini") if part == "MODEL" else part for part in arguments]
    given += [] if "--shards" in given else ["--shards", str(shards)]
    assert cli.main(["evaluate", *given]) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1
