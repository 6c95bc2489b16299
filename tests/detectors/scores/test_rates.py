"""Honest rates: nothing asked is no figure, what stands apart is in neither part, what is late-entered improves nothing."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.scores.facts import Looks
from detectors.scores.periods import parse_period
from detectors.scores.rates import completion, kept, same_day, satisfaction, spread, staffed, used_shares
from domain.errors import InputError
from tests.detectors.scores.making import OCTOBER, case, day, rating

CHINA = ZoneInfo("Asia/Shanghai")


def rates(cases, period=OCTOBER):
    return {
        "completion": completion(cases, period),
        "promised": kept(cases, period, "promised_due"),
        "legal": kept(cases, period, "legal_due"),
        "same_day": same_day(cases, period),
    }


def test_nothing_accepted_is_no_figure():
    for rate in rates([]).values():
        assert (rate.value, rate.coverage, rate.interval) == (None, None, None)


def test_of_those_accepted_how_many_are_finished():
    cases = [case("1"), case("2", stopped=None), case("3", started=-5), case("4", outcome="voided")]
    rate = completion(cases, OCTOBER)
    assert (rate.good, rate.whole, rate.asked) == (1, 2, 3)
    assert rate.value == 0.5


@pytest.mark.parametrize("apart", ["voided", "returned", "refused", "withdrawn"])
def test_voiding_raises_no_rate(apart):
    good, running = case("1"), case("2", stopped=None)
    before, after = rates([good, running]), rates([good, replace(running, outcome=apart, stopped_at=day(12))])
    # The platform in the sources counts a voided case as finished: 2 of 2. Here it is out of both parts.
    assert (after["completion"].good, after["completion"].whole) == (1, 1)
    assert before["promised"].good == after["promised"].good
    late = case("2", stopped=20, outcome=apart)
    assert (kept([late], OCTOBER, "promised_due").good, kept([late], OCTOBER, "promised_due").whole) == (0, 1)


def test_a_missed_deadline_counts_when_it_passes_whether_finished_or_not():
    missed, later = case("1", stopped=None), case("1", stopped=45)
    for fact in (missed, later):
        rate = kept([fact], OCTOBER, "promised_due")
        assert (rate.good, rate.whole) == (0, 1)
    november = parse_period("month", "2026-11", CHINA)
    assert kept([later], november, "promised_due").whole == 0, "counted once"


def test_at_the_very_moment_is_in_time():
    assert kept([case("1", stopped=19)], OCTOBER, "promised_due").good == 1
    assert kept([case("1", stopped=19.001)], OCTOBER, "promised_due").good == 0


def test_no_limit_is_seen_in_the_coverage():
    rate = kept([case("1"), case("2", promised_due=None)], OCTOBER, "promised_due")
    assert (rate.value, rate.coverage) == (1.0, 0.5)


def test_default_ratings_stand_apart():
    given_ratings = [rating(1), rating(3), rating(5), rating(3, default=True)]
    rate = satisfaction(given_ratings, [case("1"), case("2")], OCTOBER, 3)
    assert (rate.good, rate.whole) == (2, 3)
    only_defaults = satisfaction([rating(3, default=True)], [case("1")], OCTOBER, 3)
    assert (only_defaults.value, only_defaults.coverage) == (None, 0.0)


def test_looks_that_saw_nothing_are_in_no_part():
    rate = staffed(Looks(expected=100, valid=50, seen=40))
    assert (rate.value, rate.coverage) == (0.8, 0.5)
    assert staffed(None).value is None


def test_median_and_tail():
    assert spread([]).median is None
    found = spread([n / 10 for n in range(1, 11)])
    assert (found.sample, found.median, found.p90) == (10, pytest.approx(0.55), 0.9)
    # 2 days saved a hundred times over hide nothing: the tail is the cases that waited.
    tail = spread([0.1] * 85 + [1.5] * 15)
    assert (tail.median, tail.p90) == (0.1, 1.5)


ending = st.tuples(
    st.floats(-20, 50), st.none() | st.floats(-20, 60), st.sampled_from(("finished", "voided", "returned"))
)


@given(st.lists(ending, max_size=8), st.integers(0, 7), st.sampled_from(("on_time", "early", "same_day")))
def test_late_entered_data_never_improves_a_rate(rows, which, outcome):
    cases = [
        case(str(n), start, stop, outcome=None if stop is None else how, same_day=True)
        for n, (start, stop, how) in enumerate(rows)
    ]
    if not cases:
        return
    marked, at = list(cases), which % len(cases)
    if cases[at].outcome != "finished":
        return
    outcomes = frozenset((outcome, "on_time", "early", "same_day"))
    marked[at] = replace(cases[at], late_entered=outcomes)
    untold = list(cases)
    untold[at] = replace(cases[at], stopped_at=None, outcome=None, used=None)
    told = rates(cases)
    for name, rate in rates(marked).items():
        assert (rate.value or 0) <= (told[name].value or 0)
    # Nor is anything better than if nobody had entered it; over a year, for a missed deadline may lie in another month.
    year = parse_period("year", "2026", CHINA)
    without = rates(untold, year)
    for name, rate in rates(marked, year).items():
        assert rate.good <= without[name].good
        assert rate.whole >= without[name].whole
    assert len(used_shares(marked, OCTOBER)) <= len(used_shares(cases, OCTOBER))


@pytest.mark.parametrize(
    ("kind", "text", "since", "until", "months"),
    [
        ("month", "2026-12", "2026-11-30T16:00", "2026-12-31T16:00", 1),
        ("quarter", "2026-Q1", "2025-12-31T16:00", "2026-03-31T16:00", 3),
        ("year", "2026", "2025-12-31T16:00", "2026-12-31T16:00", 12),
    ],
)
def test_periods_are_the_centres_own(kind, text, since, until, months):
    period = parse_period(kind, text, CHINA)
    assert (period.since.isoformat()[:16], period.until.isoformat()[:16]) == (since, until)
    assert len(period.months) == months
    assert all(a.until == b.since for a, b in zip(period.months, period.months[1:], strict=False))


@pytest.mark.parametrize(
    ("kind", "text"), [("month", "2026-13"), ("quarter", "2026-Q5"), ("year", "26"), ("month", "")]
)
def test_what_is_no_period_is_refused(kind, text):
    with pytest.raises(InputError, match=f"--{kind}"):
        parse_period(kind, text, CHINA)
