"""The draw: quotas, open hours, seeds; the estimate: weights, intervals, what is in neither part."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta

import pytest

from detectors.spot_checks import Seen, assess, plan_checks
from domain.centre import Centre
from tests.detectors.making import at

CENTRE = Centre.model_validate(
    {
        "centre": {"id": "530502", "office_hours": ["09:00-12:00", "13:30-17:00"]},
        "windows": [
            {"id": "A01", "staff": ["zhang"], "handler": "zhang"},
            {"id": "A02", "open_hours": ["09:00-10:30"]},
        ],
        "people": [{"id": "zhang", "name": "张三"}],
    }
)
MONDAY, FRIDAY = date(2026, 3, 2), date(2026, 3, 6)


def plan(seed="s", **more):
    return plan_checks(CENTRE, MONDAY, FRIDAY, seed=seed, **more)


def test_every_window_and_hour_gets_its_quota():
    checks = plan(quota=2)
    assert Counter((c.window, c.hour) for c in checks) == {
        **{("A01", hour): 2 for hour in (9, 10, 11, 13, 14, 15, 16)},
        **{("A02", hour): 2 for hour in (9, 10)},
    }
    sizes = {(c.window, c.hour): c.population for c in checks}
    assert (sizes["A01", 9], sizes["A01", 13], sizes["A02", 10]) == (60, 30, 30), (
        "12, 6, 6 moments on five days"
    )
    assert len({c.check_id for c in checks}) == len(checks)


def test_only_inside_open_hours_of_working_days():
    for check in plan_checks(CENTRE, MONDAY - timedelta(days=3), MONDAY, seed="s", quota=9):
        local = CENTRE.working_time.local(check.at)
        assert CENTRE.working_time.is_working(local.toordinal())
        assert any(
            a <= check.at < b for a, b in CENTRE.open_time(check.window).office_spans(local.toordinal())
        )


def test_the_same_seed_draws_the_same_and_another_another():
    assert plan() == plan()
    assert plan() != plan(seed="t")


def test_a_window_that_is_added_moves_no_other():
    assert [c for c in plan() if c.window == "A01"] == plan(windows=["A01"])


def test_nobody_is_named():
    assert all("zhang" not in repr(check) and "张三" not in repr(check) for check in plan())


def test_a_stratum_smaller_than_its_quota_is_taken_whole():
    checks = plan_checks(CENTRE, MONDAY, MONDAY, seed="s", quota=100, every=30, windows=["A02"])
    assert [(c.at, c.population, c.drawn) for c in checks] == [
        (at("03-02 09:00"), 2, 2), (at("03-02 09:30"), 2, 2), (at("03-02 10:00"), 1, 1)
    ]  # fmt: skip


def test_every_moment_is_as_likely():
    days = Counter(
        check.at
        for seed in range(600)
        for check in plan_checks(CENTRE, MONDAY, MONDAY, seed=str(seed), every=15, windows=["A02"])
    )
    nine = [count for moment, count in days.items() if moment < at("03-02 10:00")]
    assert len(nine) == 4
    assert all(105 < count < 195 for count in nine), "600 draws of one in four"


def test_equal_strata_are_plain_shares_with_the_published_interval():
    seen = [Seen("A01", 9, 100, n < 15, True) for n in range(148)]
    precision = assess(seen).precision
    assert (precision.good, precision.sample, precision.value) == (15, 148, pytest.approx(15 / 148))
    # Newcombe (1998), table I.
    assert precision.interval == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert precision.exact == pytest.approx((0.0578, 0.1617), abs=5e-5)


def test_answers_weigh_what_they_stand_for():
    # One of one right in a stratum of 90, none of one in a stratum of 10.
    seen = [Seen("A01", 9, 90, True, True), Seen("A02", 9, 10, False, True)]
    quality = assess(seen)
    assert quality.precision.value == pytest.approx(0.9)
    assert quality.recall.value == 1.0
    low, high = quality.precision.interval
    assert low < 0.3 < 0.9 < high, "two answers say little"


def test_unclear_blind_and_unanswered_are_in_neither_part_and_are_counted():
    seen = [
        Seen("A01", 9, 60, True, True), Seen("A01", 9, 60, None, True), Seen("A01", 10, 60, True, None),
        Seen("A01", 11, 60, False, False),
    ]  # fmt: skip
    quality = assess(seen)
    assert (quality.planned, quality.usable, quality.unanswered, quality.blind) == (4, 2, 1, 1)
    assert quality.covered == pytest.approx(2 / 3)
    assert (quality.precision.sample, quality.recall.sample) == (1, 1)


def test_nothing_answered_is_no_figure():
    quality = assess([Seen("A01", 9, 60, None, None)])
    assert (quality.precision.value, quality.recall.value, quality.covered) == (None, None, 0.0)
    assert assess([]).covered is None


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    draw, hits = random.Random(7), 0
    for _ in range(200):
        seen = []
        for window, size, right in (("A01", 80, 0.9), ("A02", 20, 0.5)):
            seen += [Seen(window, 9, size, draw.random() < right, True) for _ in range(30)]
        low, high = assess(seen).precision.interval
        hits += low <= 0.8 * 0.9 + 0.2 * 0.5 <= high
    assert hits >= 184
