"""The suites on an encoder that knows colours, over shards of plain colours: every figure can be told beforehand."""

import io
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from colours import COLOURS, ColourEncoder, column, picture, write_split
from doubles import tiny_checkpoints
from PIL import Image

from clipguide.errors import UserError
from clipguide.weights import Models
from pretrain.data.shards import write_shard
from pretrain.evaluate import few_shot, overlap
from pretrain.evaluate.samples import read_split
from pretrain.evaluate.shift import DOMAINS
from pretrain.evaluate.subject import Subject, before_projection
from pretrain.evaluate.suites import SUITES, Job, measure
from pretrain.evaluate.together import Together


def test_pictures_and_texts_are_encoded_once(subject, shards):
    samples = read_split(shards, "test", ("photos",))
    first = subject.images(samples)
    assert torch.equal(subject.images(samples), first)
    subject.texts(["red", "blue", "red"])
    assert (subject.encoder.seen, subject.encoder.read) == (6, 2)
    subject.images(samples, 32)
    assert subject.encoder.seen == 12


def test_an_ensemble_is_the_unit_mean(subject):
    made = subject.ensemble("red", ["{}", "a blue picture of {}"])
    mean = subject.texts(["red", "a blue picture of red"]).mean(0)
    assert torch.allclose(made, mean / mean.norm())


def test_features_come_before_the_projection():
    encoder = Models("cpu", tiny_checkpoints()).encoder("clip-mini")
    matrix, views = encoder.model.visual.proj, torch.rand(2, 3, 32, 32)
    before = encoder.encode_image(views)
    with before_projection(encoder.model) as kept:
        features = encoder.encode_image(views)
    assert not kept and features.shape == (2, len(matrix))
    assert torch.allclose(F.normalize(features @ matrix), before, atol=1e-5)
    assert torch.equal(encoder.encode_image(views), before)


def test_features_of_a_trunk_are_what_it_gives(subject, shards):
    samples = read_split(shards, "test", ("photos",))
    features = subject.features(samples)
    assert torch.allclose(F.normalize(features), subject.images(samples))
    assert features.norm(dim=1).max() < 0.95


def test_several_clips_are_measured_as_they_judge_together(shards):
    judges = Models("cpu", tiny_checkpoints()).judges("clip-mini,tiny-resnet:3")
    both, samples = Subject(Together(judges)), read_split(shards, "test", ("photos",))
    alone = [Subject(judge.encoder) for judge in judges]
    cosines = [one.images(samples, one.size) @ one.texts(["red", "blue"]).T for one in alone]
    assert both.name == "clip-mini:1,tiny-resnet:3" and both.size == max(one.size for one in alone)
    measured = both.images(samples) @ both.texts(["red", "blue"]).T
    torch.testing.assert_close(measured, (cosines[0] + 3 * cosines[1]) / 4, atol=0.02, rtol=0)
    assert measure("retrieval", Job(both, shards)).tables[0].rows
    with pytest.raises(UserError, match="one CLIP"):
        both.features(samples)


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_measures(name, subject, shards, monkeypatch):
    monkeypatch.setattr(few_shot, "SHOTS", (1, 2))
    report = measure(name, Job(subject, shards, prompts=["red", "blue"]))
    json.dumps([table.records() for table in report.tables])
    assert all(len(row) == len(table.columns) for table in report.tables for row in table.rows)
    assert all(len(table.misleads) > 40 and table.title in table.text() for table in report.tables)
    assert report.tables[0].rows or name == "confusion"  # who knows all colours confuses none
    assert report.pictures
    for data in report.pictures.values():
        assert min(Image.open(io.BytesIO(data)).size) > 100


def test_shards_of_the_users_own_have_no_held_style(subject, tmp_path):
    dice = np.random.default_rng(0)
    write_split(tmp_path, "train", "composed", ["own"], dice)
    for task in ("composed", "concepts"):
        write_split(tmp_path, "test", task, ["own"], dice)
    job = Job(subject, shards=tmp_path)
    for name in ("zero-shot", "retrieval", "confusion", "neighbours", "overlap"):
        assert measure(name, job).tables[0].rows or name == "confusion", name  # who knows all confuses none
    for name in ("linear-probe", "few-shot", "shift"):
        with pytest.raises(UserError, match="no held-out style, which this suite tests on; give --images"):
            measure(name, job)


def test_the_projects_own_test(subject, shards):
    (table,) = measure("project", Job(subject, shards / "test", sizes=(16, 32))).tables
    assert column(table, "R@1") == [1.0] * 16
    assert column(table, "px") == [16] * 8 + [32] * 8
    assert column(table, "queries")[:8] == [6, 6, 6, 6, 2, 2, 6, 6]
    assert column(table, "candidates")[:8] == [6, 6, 6, 6, 6, 2, 6, 6]
    assert column(table, "chance@1")[0] == pytest.approx(1 / 6)


def test_photos_are_sought_among_the_names_of_all_splits(subject, shards, tmp_path):
    dice = np.random.default_rng(0)
    write_split(tmp_path, "test", "photos", ["gcompris"], dice, ("red", "green"))
    write_split(tmp_path, "train", "composed", ["gcompris", "noto"], dice, ("blue", "red"))
    (table,) = measure("project", Job(subject, tmp_path)).tables
    assert column(table, "candidates") == [3, 2]


def test_what_an_encoder_knows_scores_one_and_what_it_does_not_scores_chance(subject, shards):
    (table,) = measure("zero-shot", Job(subject, shards)).tables
    assert column(table, "top-1") == [1.0] * 9
    (table,) = measure("languages", Job(subject, shards)).tables
    assert [row[:4] for row in table.rows] == [
        ("en", "seen", 6, 8),
        ("en", "held out", 2, 8),
        ("de", "seen", 6, 8),
        ("de", "held out", 2, 8),
    ]
    assert column(table, "English R@1") == [1.0] * 4
    blind = Subject(ColourEncoder())
    blind.encoder.encode_text = lambda texts: torch.ones(len(texts), 3) / 3**0.5
    (table,) = measure("retrieval", Job(blind, shards)).tables
    assert column(table, "R@1")[::2] == [0.0] * 4  # all texts are equal, and ties count against the query
    assert column(table, "R@1")[1::2] == pytest.approx(column(table, "chance@1")[1::2])


def test_probes_learn_colours_and_few_pictures_suffice(subject, shards, monkeypatch):
    monkeypatch.setattr(few_shot, "DRAWS", 1)
    (table,) = measure("linear-probe", Job(subject, shards)).tables
    assert column(table, "top-1")[0] == 1.0
    (table,) = measure("few-shot", Job(subject, shards)).tables
    assert column(table, "pictures a class") == [0, 1, 2, 4, 8, 16]
    assert column(table, "top-1")[-1] == 1.0


def test_a_shift_is_seen_by_the_supervised_probe_alone(subject, shards, tmp_path):
    """In the second domain the colours are swapped in pairs, as if the classes looked otherwise there."""
    dice, swapped = np.random.default_rng(0), {"red": "cyan", "cyan": "red", "blue": "yellow", "yellow": "blue"}
    for domain, shown in (("a", lambda name: name), ("b", lambda name: swapped[name])):
        for name in swapped:
            folder = tmp_path / domain / name
            folder.mkdir(parents=True)
            for number in range(5):
                picture(COLOURS[shown(name)], dice).save(folder / f"{number}.png")
    report = measure("shift", Job(subject, images=tmp_path))
    (table,) = report.tables
    assert column(table, "supervised") == [1.0, 0.0]
    assert column(table, "supervised gap") == [0.0, 1.0]
    (table,) = measure("shift", Job(subject, shards)).tables
    assert column(table, "domain") == list(DOMAINS)
    assert column(table, "zero-shot") == [1.0] * len(DOMAINS)


def test_overlap_finds_a_picture_that_was_trained_on(tmp_path):
    dice, root = np.random.default_rng(0), tmp_path / "shards"
    known = [Image.fromarray(dice.integers(0, 255, (16, 16, 3), dtype=np.uint8)) for _ in range(4)]
    told = [{"id": str(n), "captions": ["x"], "concept": str(n), "task": "photos"} for n in range(4)]
    write_shard(root / "train" / "a.tar", [(str(n), known[n], told[n]) for n in (0, 1)])
    shown = [known[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT), known[2], known[3]]
    write_shard(root / "test" / "a.tar", [(str(n), shown[n], told[n]) for n in range(3)])
    tests, train = read_split(root, "test"), read_split(root, "train")
    likeness, nearest = overlap.most_alike(overlap.thumbnails(tests), overlap.thumbnails(train))
    assert likeness[0] > 0.97 > 0.5 > likeness[1:].max()
    assert nearest[0] == 0


def test_confusions_name_the_pair_that_is_confused(shards):
    encoder = ColourEncoder()
    encode = encoder.encode_text
    encoder.encode_text = lambda texts: encode([text.replace("pink", "x").replace("red", "pink") for text in texts])
    (table,) = measure("confusion", Job(Subject(encoder), shards)).tables
    assert ("pink", "red", 1, 1) in table.rows
