"""Supervision is blind and says so: a calendar year, a family of rules, a camera."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import blind
from detectors.blind import Produced, judge_calendar, judge_camera, judge_family, needed_years
from domain.observations import PresenceSpan
from domain.working_time import base_year
from tests.detectors.making import at, centre
from tests.detectors.subjects import found, grounds

CAMERAS = [
    {
        "id": "k",
        "url": "sim://k",
        "posts": [{"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}],
    }
]
ON = centre(rules={"blind": {}}, cameras=CAMERAS)


@pytest.fixture
def published(monkeypatch):
    """Calendars up to 2026 are published, whatever the libraries know by now."""
    monkeypatch.setattr(blind, "_missing", lambda year, calendar: year > 2026)


# ---- calendar -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("published")
def test_next_years_calendar_is_missed_from_1_december():
    assert found(judge_calendar(ON, at("11-30 23:59"))) == []
    assert judge_calendar(ON, at("11-30 23:59")).look_at == at("12-01 00:00")
    verdict = judge_calendar(ON, at("12-01 00:00"))
    assert found(verdict) == [("calendar.missing", "12-01 00:00", None)]
    (finding,) = verdict.findings
    assert (finding.severity, finding.explain["year"], finding.explain["because"]) == (
        "notice",
        2027,
        "season",
    )
    assert (finding.case, finding.window, verdict.status) == (None, None, {"missing": [2027]})


@pytest.mark.usefixtures("published")
def test_or_as_soon_as_a_due_date_needs_it():
    needed = {2027: at("11-20 10:00")}
    verdict = judge_calendar(ON, at("11-20 10:00"), needed)
    assert found(verdict) == [("calendar.missing", "11-20 10:00", None)]
    assert verdict.findings[0].explain["because"] == "due_date"
    assert judge_calendar(ON, at("11-20 09:59"), needed).look_at == at("11-20 10:00")


@pytest.mark.usefixtures("published")
def test_the_day_is_a_setting():
    early = centre(rules={"blind": {"calendar_from": "11-15"}})
    assert found(judge_calendar(early, at("11-22 10:00"))) == [("calendar.missing", "11-15 00:00", None)]


def test_a_published_year_is_not_missed():
    assert base_year("CN", 2025).published
    assert judge_calendar(ON, at("2024-12-15 10:00")).findings == ()
    assert not base_year("CN", 2040).published
    assert [f.explain["year"] for f in judge_calendar(ON, at("2039-12-15 10:00")).findings] == [2039, 2040]


def test_a_calendar_of_weekends_only_needs_no_publication():
    free = centre(rules={"blind": {}}, calendar={"base": "none"})
    assert judge_calendar(free, at("2039-12-15 10:00")).findings == ()


def test_which_years_due_dates_need():
    clocks = [
        (at("2039-12-20 10:00"), at("2040-01-10 17:00")),
        (at("2039-11-20 10:00"), at("2040-01-05 17:00")),
        (at("2024-12-20 10:00"), at("2025-01-10 17:00")),
    ]
    needed = needed_years(clocks, ON)
    assert needed == {2039: at("2039-11-20 10:00"), 2040: at("2039-11-20 10:00")}
    (first, second) = judge_calendar(ON, at("2039-11-20 10:00"), needed).findings
    assert (first.explain["because"], second.explain["because"]) == ("season", "due_date")


# ---- a family that stopped ---------------------------------------------------------------------------------------------


def day(text, events, verdicts):
    return Produced(at(f"{text} 00:00"), at(f"{text} 00:00") + timedelta(days=1), events, verdicts)


def family(*days, now):
    return judge_family("case", days, ON, at(now))


BEFORE = day("03-02", 50, 40)


def test_no_verdict_for_two_days_while_events_flow():
    """15 office hours: two days of six and a half, and two hours of the third."""
    dumb = [BEFORE, day("03-03", 40, 0), day("03-04", 60, 0), day("03-05", 10, 0)]
    assert found(family(*dumb, now="03-05 10:59")) == []
    assert family(*dumb, now="03-05 10:59").look_at == at("03-05 11:00")
    verdict = family(*dumb, now="03-05 11:00")
    assert found(verdict) == [("rule.stopped", "03-05 11:00", None)]
    assert verdict.findings[0].severity == "notice"
    assert verdict.findings[0].explain["family"] == "case"
    assert verdict.status == {"stopped": True}
    over = [*dumb, day("03-06", 40, 3)]
    assert found(family(*over, now="03-06 12:00")) == [("rule.stopped", "03-05 11:00", "03-06 00:00")]


def test_without_events_there_is_nothing_to_judge():
    days = [BEFORE, *(day(f"03-{d:02}", 0, 0) for d in range(3, 14))]
    assert found(family(*days, now="03-13 18:00")) == []


def test_nights_and_rest_days_do_not_count():
    days = [
        day("03-05", 50, 40),
        day("03-06", 10, 0),
        day("03-07", 10, 0),
        day("03-08", 10, 0),
        day("03-09", 10, 0),
    ]
    assert found(family(*days, now="03-09 23:59")) == []


def test_a_family_that_never_spoke_has_not_stopped():
    assert found(family(*(day(f"03-{d:02}", 40, 0) for d in range(2, 20)), now="03-20 10:00")) == []


counts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(counts, st.randoms())
def test_order_says_nothing_and_every_finding_stands_on_enough_silence(rows, rng):
    start = at("03-02 00:00")
    days = [
        Produced(start + timedelta(days=i), start + timedelta(days=i + 1), events, verdicts)
        for i, (events, verdicts) in enumerate(rows)
    ]
    now = start + timedelta(days=len(rows))
    verdict = judge_family("case", days, ON, now)
    mixed = list(days)
    rng.shuffle(mixed)
    assert grounds(judge_family("case", mixed, ON, now)) == grounds(verdict)
    for finding in verdict.findings:
        silent = [d for d in days if d.start < finding.opened_at and (finding.closed_at or now) > d.start]
        assert any(d.events for d in silent)
        assert any(d.verdicts for d in days if d.end <= finding.opened_at)


# ---- cameras -----------------------------------------------------------------------------------------------------------


def down(since, until=None, reason="unreachable", state="unknown"):
    return PresenceSpan("k", "", state, at(f"03-03 {since}"), at(f"03-03 {until}") if until else None, reason)


def test_a_camera_that_delivers_nothing_for_three_minutes():
    assert found(judge_camera("k", [down("09:30")], ON, at("03-03 09:33"))) == []
    verdict = judge_camera("k", [down("09:30")], ON, at("03-03 09:33:01"))
    assert found(verdict) == [("camera.down", "03-03 09:33", None)]
    (finding,) = verdict.findings
    assert (finding.severity, finding.window, finding.explain["reason"]) == ("notice", "A01", "unreachable")
    assert finding.explain["windows"] == ["A01"]
    assert judge_camera("k", [down("09:30")], ON, at("03-03 09:31")).look_at > at("03-03 09:33")


def test_it_closes_when_it_delivers_again_and_nights_do_not_count():
    assert found(judge_camera("k", [down("09:30", "10:00")], ON, at("03-03 11:00"))) == [
        ("camera.down", "03-03 09:33", "03-03 10:00")
    ]
    assert found(judge_camera("k", [down("09:30", "09:32")], ON, at("03-03 11:00"))) == []
    assert found(judge_camera("k", [down("16:59")], ON, at("03-04 09:01"))) == []
    assert found(judge_camera("k", [down("16:59")], ON, at("03-04 09:03"))) == [
        ("camera.down", "03-04 09:02", None)
    ]


def test_a_camera_that_delivers_is_not_down():
    assert (
        found(judge_camera("k", [down("09:30", state="present", reason=None)], ON, at("03-03 11:00"))) == []
    )


def test_in_shadow_its_findings_are_only_counted():
    rules = centre(rules={"blind": {"shadow": True}}, cameras=CAMERAS)
    for verdict in (
        judge_camera("k", [down("09:30")], rules, at("03-03 11:00")),
        judge_calendar(rules, at("2039-12-15 10:00")),
        judge_family(
            "case", [BEFORE, *(day(f"03-{d:02}", 9, 0) for d in range(3, 9))], rules, at("03-09 10:00")
        ),
    ):
        assert [f.shadow for f in verdict.findings] == [True] * len(verdict.findings) != []
