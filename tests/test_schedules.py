"""Schedules from progress to a factor."""

from __future__ import annotations

import pytest

from clipguide.schedules import chapter, constant, cosine, ramp

PROGRESS = [i / 20 for i in range(21)]


def test_constant_is_one():
    assert {constant(p) for p in PROGRESS} == {1.0}


def test_a_ramp_is_straight_then_flat():
    fall = ramp(1.0, 0.2, until=0.5)
    assert [fall(p) for p in (0, 0.25, 0.5, 0.9, 1)] == pytest.approx([1.0, 0.6, 0.2, 0.2, 0.2])


def test_a_cosine_falls_to_its_end():
    values = [cosine(0.1)(p) for p in PROGRESS]
    assert values[0] == pytest.approx(1) and values[-1] == pytest.approx(0.1)
    assert values[10] == pytest.approx(0.55) and values == sorted(values, reverse=True)


def test_the_warm_up_rises_and_wastes_no_step():
    rate = cosine(0.1, warm_up=0.2)
    values = [rate(p) for p in PROGRESS]
    assert values[0] > 0 and values[:5] == sorted(values[:5]) and rate(0.2) == pytest.approx(1)
    assert rate(1) == pytest.approx(0.1) and max(values) == pytest.approx(1)
    assert cosine(warm_up=1.0)(1.0) == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_chapters_follow_each_other_and_fade_into_each_other(count):
    told = [[chapter(number, count)(p) for number in range(count)] for p in PROGRESS]
    assert all(sum(now) == pytest.approx(1) and min(now) >= 0 for now in told)
    assert told[0][0] == 1 and told[-1][-1] == 1
    middle = [chapter(number, count)((number + 0.5) / count) for number in range(count)]
    assert middle == [1] * count
