"""Folders of classes with and without each part, and too few pictures."""

import numpy as np
import pytest
from colours import COLOURS, column, picture

from clipguide.errors import UserError
from pretrain.evaluate import few_shot
from pretrain.evaluate.classes import read_task
from pretrain.evaluate.suites import Job, measure


@pytest.fixture
def make(tmp_path):
    """make(train=4, val=2) -> a folder with those parts, and in each so many pictures of two colours."""

    def make(**parts):
        dice = np.random.default_rng(0)
        for part, count in parts.items():
            for name in ("red", "green"):
                folder = tmp_path / part.strip("_") / name
                folder.mkdir(parents=True)
                for number in range(count):
                    picture(COLOURS[name], dice).save(folder / f"{number}.png")
        return tmp_path

    return make


@pytest.mark.parametrize("part", ["val", "validation"])
def test_imagenets_own_layout_is_tested_on_val(subject, make, part):
    folder = make(train=10, **{part: 3})
    (folder / "test").mkdir()
    (folder / "test" / "unsorted.png").write_bytes(b"ImageNet's test part has no class folders")
    for suite in ("zero-shot", "linear-probe"):
        (table,) = measure(suite, Job(subject, images=folder)).tables
        assert column(table, "top-1") == [1.0] * len(table.rows)
        assert f"tested on {part}/, there is no test part" in table.title
    task = read_task(Job(subject, images=folder))
    assert task.keys == ["green", "red"]
    assert [len(part) for part in (task.train, task.validation, task.test)] == [20, 0, 6]
    (table,) = measure("neighbours", Job(subject, images=folder, prompts=["red"])).tables
    assert table.title == "nearest of 6 pictures" and table.rows[0][1].startswith("red ")


def test_val_is_the_validation_part_beside_a_test_part(subject, make):
    task = read_task(Job(subject, images=make(train=4, val=2, test=1)))
    assert [len(part) for part in (task.train, task.validation, task.test)] == [8, 4, 2]
    assert task.note == ""


@pytest.mark.parametrize("suite", ["linear-probe", "few-shot"])
def test_without_a_validation_part_a_fifth_of_the_training_pictures_becomes_one(suite, subject, make, monkeypatch):
    monkeypatch.setattr(few_shot, "SHOTS", (1, 2))
    (table,) = measure(suite, Job(subject, images=make(train=10, test=2))).tables
    assert "penalty chosen on 4 of the training pictures" in table.title
    assert column(table, "top-1")[0] == 1.0
    if suite == "linear-probe":
        assert (column(table, "trained on")[0], column(table, "tested on")[0]) == (20, 4)


def test_what_cannot_be_trained_is_one_line(subject, make):
    parts = make(_b_=1, _c_=1) / "b"
    for suite in ("linear-probe", "few-shot"):
        with pytest.raises(UserError, match="green has no picture to train on; give 3 or more") as caught:
            measure(suite, Job(subject, images=parts))
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="green has no picture to train on"):
        measure("shift", Job(subject, images=parts.parent))


def test_test_pictures_alone_are_enough_for_zero_shot_alone(subject, make):
    folder = make(test=2)
    (table,) = measure("zero-shot", Job(subject, images=folder)).tables
    assert column(table, "pictures") == [4] * 3
    with pytest.raises(UserError, match="no picture to train on"):
        measure("linear-probe", Job(subject, images=folder))


def test_one_training_picture_a_class_leaves_none_to_choose_on(subject, make):
    with pytest.raises(UserError, match="no class has 2 training pictures"):
        measure("few-shot", Job(subject, images=make(train=1, test=1)))
