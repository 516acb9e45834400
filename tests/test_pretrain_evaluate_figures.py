"""What evaluations count and fit, and how tables and plots show it."""

import io
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from clipguide.weights import Models
from pretrain.evaluate import logistic, overlap, plots
from pretrain.evaluate.few_shot import shots_equal
from pretrain.evaluate.project import has_lite0
from pretrain.evaluate.report import Table
from pretrain.evaluate.retrieval import chance, ranks, recall, recall_among
from pretrain.evaluate.zero_shot import accuracy


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
    assert recall_among(torch.tensor([0]), 1, 1, 1) == 1


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

    assert abs(logistic.best(logistic.search(score)) - peak) <= 0.0626
    assert len(tried) == len(set(tried)) <= 15


def test_the_chosen_penalty_is_the_one_that_generalises():
    """Labels depend on one of 40 features and a third are wrong: without a penalty the probe learns the noise."""
    g = torch.Generator().manual_seed(0)
    features = torch.randn(240, 40, generator=g)
    labels = ((features[:, 0] > 0) ^ (torch.rand(240, generator=g) < 0.25)).long()
    train, validation = (features[:60], labels[:60]), (features[60:], labels[60:])
    classifier, tried = logistic.fit_chosen(train, validation, 2)
    loose = logistic.fit(*train, 2, 1e-6).accuracy(*validation)
    assert logistic.best(tried) > 0 and max(tried.values()) == tried[logistic.best(tried)]
    assert classifier.accuracy(*validation) > loose + 0.05


def test_accuracy_counts_ties_as_errors():
    scores, labels = torch.tensor([[2.0, 1, 0], [1, 1, 0], [0, 1, 2]]), torch.tensor([0, 0, 2])
    top, five, mean = accuracy(scores, labels)
    assert (round(top, 4), five, mean) == (0.6667, 1.0, 0.75)


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


def test_tables_align():
    lines = Table("t", ("word", "share"), [("a", 0.5), ("long", None)], "").text().splitlines()
    assert lines == ["t", "word  share", "a     0.500", "long"]


def test_plots_are_pictures():
    data = plots.few_shot(0.5, [(1, 0.2, 0.1, 0.3), (2, 0.4, 0.3, 0.5)])
    assert Image.open(io.BytesIO(data)).format == "PNG"
    lower, higher = (Table("t", ("test", "R@1"), [("a", 0.1), ("b", share)], "") for share in (0.3, 0.9))
    drawn = [Image.open(io.BytesIO(plots.bars(table, ("test",), ("R@1",)))) for table in (lower, higher)]
    blue = [(np.asarray(picture)[..., :3] == (31, 119, 180)).all(-1).sum() for picture in drawn]
    assert blue[1] > 2 * blue[0] > 0
    peaked, flat = (Image.open(io.BytesIO(plots.penalties(tried, 0))) for tried in ({-2: 0, 0: 1}, {-2: 0, 0: 0}))
    assert peaked.tobytes() != flat.tobytes()


def test_the_bundled_clip_is_measured_on_the_held_out_classes():
    """Its convolutions pad inside, once it is an encoder."""
    assert has_lite0(Models("cpu").encoder("clip-mini").model.visual)
    assert not has_lite0(Models("cpu").encoder("clip-mini-b").model.visual)
