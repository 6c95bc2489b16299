"""A family of rules that stopped: compared with its own past, late rather than false."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.case_families import JUDGES
from detectors.families import FAMILIES
from detectors.production import (
    PRODUCERS,
    Produced,
    judge_family,
    lowest_share,
    produced_by,
    watched_families,
)
from domain.working_time import Calendar
from tests.detectors.making import at, centre
from tests.detectors.subjects import found, grounds

ON = centre(rules={"blind": {}})
CALENDAR: Calendar = ON.working_time
#: Working days from Monday 2 March 2026 on.
FIRST = date(2026, 3, 1).toordinal()
DAYS = CALENDAR.working_days(FIRST, FIRST + 200)


def past(*findings: int, events: int = 50) -> list[Produced]:
    return [Produced(day, events, number) for day, number in zip(DAYS, findings, strict=False)]


def on(index: int, clock: str = "12:00") -> object:
    return at(f"{date.fromordinal(DAYS[index])} {clock}")


def test_a_family_that_found_something_every_day_falls_silent():
    """20 of 20 days: at least 84 % of days, surely; then six silent ones in a row are one chance in 50,000."""
    assert round(lowest_share(20, 20), 2) == 0.84
    days = past(*[3] * 20, *[0] * 10)
    opened = CALENDAR.day_start(DAYS[25] + 1)
    verdict = judge_family("procedure", days, ON, on(26, "09:00"))
    assert [(f.rule, f.opened_at, f.severity, f.state) for f in verdict.findings] == [
        ("rule.stopped", opened, "notice", "open")
    ]
    row = verdict.findings[0].explain
    assert (row["days_silent"], row["days_before"], row["days_with_findings"], row["longest_silence"]) == (
        6,
        20,
        20,
        0,
    )
    assert row["last_day_with_findings"] == date.fromordinal(DAYS[19]).isoformat()
    assert verdict.status == {"stopped": True}
    # Five are not enough, nor is the sixth day while it goes on.
    assert found(judge_family("procedure", days, ON, on(25, "23:59"))) == []


@pytest.mark.parametrize(
    ("findings", "why"),
    [
        ([0] * 60, "it never found anything"),
        ([1] * 19 + [0] * 30, "its past is too short to know"),
        (([1] + [0] * 4) * 12 + [0] * 8, "it finds something once a week"),
        ([1] * 15 + [0] * 10 + [1] * 15 + [0] * 20, "it was silent for half as long before"),
    ],
)
def test_what_is_not_said(findings, why):
    assert found(judge_family("fees", past(*findings), ON, on(len(findings), "09:00"))) == [], why


def test_days_with_few_events_speak_of_the_source_not_of_the_rules():
    days = past(*[3] * 20) + [Produced(day, 24, 0) for day in DAYS[20:60]]
    assert found(judge_family("fees", days, ON, on(60))) == []
    none = past(*[3] * 20) + [Produced(day, 0, 0) for day in DAYS[20:60]]
    assert found(judge_family("fees", none, ON, on(60))) == []


def test_rest_days_are_no_silence_but_a_finding_on_one_ends_it():
    saturday = DAYS[24] + 1
    assert not CALENDAR.is_working(saturday)
    five = past(*[3] * 20, *[0] * 5)
    monday = at(f"{date.fromordinal(saturday + 2)} 09:00")
    weekend = [Produced(saturday + n, 50, 0) for n in (0, 1)]
    assert found(judge_family("fees", [*five, *weekend], ON, monday)) == []
    assert len(judge_family("fees", past(*[3] * 20, *[0] * 8), ON, on(28)).findings) == 1
    ended = [*past(*[3] * 20, *[0] * 8), Produced(saturday, 5, 1)]
    assert judge_family("fees", ended, ON, on(28)).findings == ()


def test_it_closes_when_it_finds_something_again():
    days = past(*[3] * 20, *[0] * 7, 2)
    (finding,) = judge_family("fees", days, ON, on(29)).findings
    assert (finding.state, finding.closed_at) == ("closed", CALENDAR.day_start(DAYS[27]))


def test_what_was_said_stands_though_its_past_is_forgotten():
    days = past(*[3] * 20, *[0] * 10)
    (first,) = judge_family("fees", days, ON, on(27)).findings
    short = days[15:]
    assert judge_family("fees", short, ON, on(28)).findings == ()
    (kept,) = judge_family("fees", short, ON, on(28), [first], after=on(27)).findings
    assert (kept.finding_id, kept.explain, kept.state) == (first.finding_id, first.explain, "open")
    (kept,) = judge_family("fees", days, ON, on(29), [first], after=on(27)).findings
    assert kept.finding_id == first.finding_id
    # What was over is not spoken of late; what goes on is, for events may come late.
    over = [*days[:28], Produced(DAYS[28], 50, 1)]
    assert len(judge_family("fees", over, ON, on(30)).findings) == 1
    assert judge_family("fees", over, ON, on(30), after=on(29)).findings == ()
    assert len(judge_family("fees", days, ON, on(29), after=on(28)).findings) == 1


def test_all_that_can_stop_is_watched():
    assert set(PRODUCERS) == {"time_limit", "absence", "staffing", *JUDGES, *(each.name for each in FAMILIES)}
    every = centre(rules={name: {} for name in PRODUCERS if name not in ("time_limit", "absence")})
    assert set(watched_families(every)) == set(PRODUCERS) - {"absence"}
    assert watched_families(centre()) == ["time_limit"]


def test_each_family_is_told_by_its_own_rules_and_events():
    events = {(1, "case.accepted"): 4, (1, "fee.charged"): 2, (2, "queue.served"): 9}
    findings = {(1, "extension.late"): 1, (1, "extension.too_many"): 2, (2, "fees.outside"): 3}
    assert produced_by("time_limit", events, findings) == [Produced(1, 4, 1)]
    assert produced_by("time", events, findings) == [Produced(1, 4, 2)]
    assert produced_by("fees", events, findings) == [Produced(1, 2, 0), Produced(2, 0, 3)]
    assert produced_by("absence", events, findings, {2: 700}) == [Produced(2, 700, 0)]


numbers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=70)


@settings(max_examples=60, deadline=None)
@given(st.integers(10, 40), numbers, st.randoms())
def test_order_says_nothing_and_daily_looks_end_where_one_look_ends(lively, rows, rng):
    days = past(*[2] * lively) + [
        Produced(day, events, findings) for day, (events, findings) in zip(DAYS[lively:], rows, strict=False)
    ]
    end = len(days)
    verdict = judge_family("fees", days, ON, on(end))
    mixed = list(days)
    rng.shuffle(mixed)
    assert grounds(judge_family("fees", mixed, ON, on(end))) == grounds(verdict)
    assert (
        judge_family("fees", days, ON, verdict.look_at - timedelta(microseconds=1)).findings
        == verdict.findings
    )
    said, after = [], None
    for index in range(lively, end + 1):
        now = on(index)
        said = list(judge_family("fees", days, ON, now, said, after).findings)
        after = now
    assert sorted(grounds_of(said)) == sorted(grounds_of(verdict.findings))


def grounds_of(findings):
    return [(f.finding_id, f.opened_at, f.closed_at) for f in findings]
