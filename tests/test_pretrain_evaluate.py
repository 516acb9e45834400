"""The suites on an encoder that knows colours, over shards of plain colours: every figure can be told beforehand."""

import io
import itertools
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from doubles import tiny_checkpoints
from PIL import Image
from torch import nn

from clipguide.errors import UserError
from clipguide.weights import Models
from pretrain import cli
from pretrain.data.shards import write_shard
from pretrain.evaluate import few_shot, logistic, overlap, plots
from pretrain.evaluate.classes import class_names, deal, read_task
from pretrain.evaluate.few_shot import shots_equal
from pretrain.evaluate.report import Table
from pretrain.evaluate.retrieval import chance, ranks, recall, recall_among
from pretrain.evaluate.samples import decode, read_classes, read_split
from pretrain.evaluate.shift import DOMAINS, TRAINED
from pretrain.evaluate.subject import Subject, before_projection
from pretrain.evaluate.suites import SUITES, Job, choose, measure
from pretrain.evaluate.zero_shot import accuracy

COLOURS = {
    "red": (230, 20, 20),
    "green": (20, 200, 40),
    "blue": (30, 40, 220),
    "yellow": (240, 230, 20),
    "cyan": (20, 230, 230),
    "pink": (240, 100, 220),
}
FOREIGN = {"red": "rot", "green": "verde", "blue": "blau", "yellow": "gelb", "cyan": "zyan", "pink": "rosa"}
MEDIA = {"stamp": "photo", "gcompris": "photo", "openclipart": "clip art", "fluent-3d": "render"}


class Trunk(nn.Module):
    """Mean colour about mid-grey."""

    def forward(self, views):
        return views.mean((2, 3)) - 0.5


class ColourEncoder:
    """Pictures by their mean colour, texts by the colour they name; unknown words are black."""

    name, size, device = "colours", 16, "cpu"

    def __init__(self):
        self.seen, self.read = 0, 0
        self.model = nn.Module()
        self.model.visual = nn.Module()
        self.model.visual.trunk = Trunk()

    def encode_image(self, views):
        self.seen += len(views)
        return F.normalize(self.model.visual.trunk(views))

    def encode_text(self, texts):
        self.read += len(texts)
        rows = []
        for text in texts:
            named = [rgb for word, rgb in COLOURS.items() if word in text or FOREIGN[word] in text]
            rows.append(named[0] if named else (0, 0, 0))
        return F.normalize(torch.tensor(rows) / 255 - 0.5)


def picture(rgb, dice):
    noise = dice.integers(-12, 12, (16, 16, 3))
    return Image.fromarray(np.clip(np.array(rgb) + noise, 0, 255).astype(np.uint8))


def write_split(root, side, task, styles, dice, concepts=tuple(COLOURS)):
    def samples():
        for style, name in itertools.product(styles, concepts):
            told = {
                "id": f"{style}-{name}",
                "captions": [f"a picture of {name}", name],
                "languages": {"de": [FOREIGN[name]]},
                "concept": name,
                "source": "made",
                "style": style,
                "medium": MEDIA.get(style, "emoji"),
                "task": task,
            }
            yield f"{style}-{name}", picture(COLOURS[name], dice), told

    write_shard(root / side / f"{task}-00000.tar", samples())


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    root, dice = tmp_path_factory.mktemp("shards"), np.random.default_rng(0)
    drawn = [*TRAINED, *(style for styles in DOMAINS.values() for style in styles if style != "openmoji")]
    write_split(root, "train", "composed", drawn, dice)
    write_split(root, "validation", "concepts", ["noto"], dice)
    for task, style in {"photos": "gcompris", "style": "openmoji", "concepts": "twemoji", "composed": "noto"}.items():
        write_split(root, "test", task, [style], dice)
    write_split(root, "test", "style-concepts", ["openmoji"], dice, ("red", "green"))
    return root


@pytest.fixture
def subject():
    return Subject(ColourEncoder())


def column(table, name):
    return [row[list(table.columns).index(name)] for row in table.rows]


def test_ranks_count_ties_against_the_query():
    gallery = F.normalize(torch.tensor([[1.0, 0], [1, 0], [0, 1]]))
    fits = torch.tensor([[True, False, False], [False, False, True], [False, False, False]])
    assert ranks(gallery, gallery, fits).tolist() == [1, 2]
    assert recall(gallery, gallery, fits, (1, 2, 3)) == {1: 0.0, 2: 0.5, 3: 1.0}


def test_chance_is_what_random_orders_give():
    fits = torch.zeros(1, 5, dtype=torch.bool)
    fits[0, :2] = True
    hits = [any(place < 2 for place in order[:3]) for order in itertools.permutations(range(5))]
    assert chance(fits, 3) == pytest.approx(sum(hits) / len(hits))
    assert chance(fits[:, :2], 5) == 1


def test_fewer_candidates_are_counted_over_all_choices():
    """3 of 6 items are ahead; of every choice of 4 with the right one among them, how often is it in the first 2?"""
    others = [True] * 3 + [False] * 2
    hits = [sum(chosen) < 2 for chosen in itertools.combinations(others, 3)]
    assert recall_among(torch.tensor([3]), 6, 4, 2) == pytest.approx(sum(hits) / len(hits))


def test_logistic_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    g = torch.Generator().manual_seed(0)
    features, labels = torch.randn(60, 5, generator=g), torch.randint(3, (60,), generator=g)
    for penalty in (0.1, 10.0):
        ours = logistic.fit(features, labels, 3, penalty)
        theirs = LogisticRegression(C=1 / penalty, tol=1e-6, max_iter=1000).fit(features.numpy(), labels.numpy())
        assert torch.allclose(ours.weight, torch.from_numpy(theirs.coef_).float(), atol=2e-3)


@pytest.mark.parametrize("peak", [-3.3, 0.0, 5.9])
def test_the_search_comes_within_an_eighth_of_a_decade(peak):
    tried = []

    def score(decade):
        tried.append(decade)
        return -abs(decade - peak)

    assert abs(logistic.search_decade(score) - peak) <= 0.0626
    assert len(tried) == len(set(tried)) <= 15


def test_the_chosen_penalty_is_the_one_that_generalises():
    """Labels depend on one of 40 features and a third are wrong: without a penalty the probe learns the noise."""
    g = torch.Generator().manual_seed(0)
    features = torch.randn(240, 40, generator=g)
    labels = ((features[:, 0] > 0) ^ (torch.rand(240, generator=g) < 0.25)).long()
    train, validation = (features[:60], labels[:60]), (features[60:], labels[60:])
    classifier, penalty = logistic.fit_chosen(train, validation, 2)
    loose = logistic.fit(*train, 2, 1e-6).accuracy(*validation)
    assert penalty > 1
    assert classifier.accuracy(*validation) > loose + 0.05


def test_accuracy_counts_ties_as_errors():
    scores, labels = torch.tensor([[2.0, 1, 0], [1, 1, 0], [0, 1, 2]]), torch.tensor([0, 0, 2])
    top, five, mean = accuracy(scores, labels)
    assert (round(top, 4), five, mean) == (0.6667, 1.0, 0.75)


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


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_measures(name, subject, shards, monkeypatch):
    monkeypatch.setattr(few_shot, "SHOTS", (1, 2))
    report = measure(name, Job(subject, shards, prompts=["red", "blue"]))
    json.dumps([table.records() for table in report.tables])
    assert all(len(row) == len(table.columns) for table in report.tables for row in table.rows)
    assert all(len(table.misleads) > 40 and table.title in table.text() for table in report.tables)
    assert report.tables[0].rows or name == "confusion"  # who knows all colours confuses none
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


def test_overlap_compares_all_with_clean():
    overlapping = torch.tensor([True] * 5 + [False] * 10)
    right = torch.tensor([True] * 5 + [True, False] * 5)
    count, hit, share, whole, clean, gain, worth, low, high, p = overlap.compare(overlapping, right)
    assert (count, hit, share) == (15, 5, 1 / 3)
    assert (whole, clean, worth) == (pytest.approx(2 / 3), 0.5, 1.0)
    assert gain == pytest.approx(1 / 6)
    assert p == pytest.approx(0.5**5)
    assert low == pytest.approx(0.0025 ** (1 / 5)) and high == 1.0
    assert overlap.compare(overlapping & False, right) == [15, 0, 0.0, whole, whole, 0.0, None, None, None, None]
    assert len(overlap.compare(overlapping | True, right)) == 10


def test_the_shots_that_equal_zero_shot():
    assert shots_equal(0.5, [1, 2, 4], [0.2, 0.4, 0.6]) == f"{math.sqrt(8):.1f} shots"
    assert shots_equal(0.1, [1, 2], [0.2, 0.4]) == "less than 1 shot"
    assert shots_equal(0.9, [1, 2], [0.2, 0.4]) == "more than 2 shots"


def test_confusions_name_the_pair_that_is_confused(shards):
    encoder = ColourEncoder()
    encode = encoder.encode_text
    encoder.encode_text = lambda texts: encode([text.replace("pink", "x").replace("red", "pink") for text in texts])
    (table,) = measure("confusion", Job(Subject(encoder), shards)).tables
    assert ("pink", "red", 1, 1) in table.rows


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


def test_tables_align():
    lines = Table("t", ("word", "share"), [("a", 0.5), ("long", None)], "").text().splitlines()
    assert lines == ["t", "word  share", "a     0.500", "long"]


def test_plots_are_pictures():
    data = plots.few_shot(0.5, [(1, 0.2, 0.1, 0.3), (2, 0.4, 0.3, 0.5)])
    assert Image.open(io.BytesIO(data)).format == "PNG"


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
