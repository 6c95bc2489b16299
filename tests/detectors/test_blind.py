"""Supervision is blind and says so: a calendar year, a family of rules, a camera."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import blind
from detectors.blind import Report, down_spans, judge_calendar, judge_camera, needed_years
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


# ---- said before -----------------------------------------------------------------------------------------------------


def said_of(verdict):
    return list(verdict.findings)


def test_a_year_that_is_published_closes_with_that_reason(monkeypatch):
    monkeypatch.setattr(blind, "_missing", lambda year, calendar: year > 2026)
    said = said_of(judge_calendar(ON, at("12-05 10:00"), {2027: at("11-20 10:00")}))
    # The case that needed it has ended: the finding stands as it was said.
    assert found(judge_calendar(ON, at("12-06 10:00"), {}, said)) == [
        ("calendar.missing", "11-20 10:00", None)
    ]
    monkeypatch.setattr(blind, "_missing", lambda year, calendar: year > 2027)
    verdict = judge_calendar(ON, at("12-08 09:00"), {}, said)
    assert found(verdict) == [("calendar.missing", "11-20 10:00", "12-08 09:00")]
    (finding,) = verdict.findings
    assert finding.finding_id == said[0].finding_id
    assert (finding.explain["ended"], finding.explain["because"]) == ("published", "due_date")
    assert verdict.status == {"missing": []}
    # Ever after the same, and nothing is said twice.
    again = judge_calendar(ON, at("2027-03-01 10:00"), {2027: at("11-01 10:00")}, said_of(verdict))
    assert grounds(again) == grounds(verdict)


def test_what_was_taken_back_with_the_family_opens_again_as_it_was(monkeypatch):
    monkeypatch.setattr(blind, "_missing", lambda year, calendar: year > 2026)
    (first,) = judge_calendar(ON, at("12-05 10:00")).findings
    off = replace(first, state="revoked", revoked_at=at("12-06 10:00"))
    (again,) = judge_calendar(ON, at("12-07 10:00"), {}, [off]).findings
    assert (again.finding_id, again.state) == (first.finding_id, "open")
    monkeypatch.setattr(blind, "_missing", lambda year, calendar: year > 2027)
    assert judge_calendar(ON, at("12-08 10:00"), {}, [off]).findings == ()


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


def test_that_the_reason_changes_makes_no_second_finding():
    words = [
        Report(at("03-03 09:30"), "unknown", "unreachable"), Report(at("03-03 09:40"), "unknown", "unauthorised"),
        Report(at("03-03 10:00"), "present", "dark"), Report(at("03-03 10:30"), "unknown", "undecodable"),
    ]  # fmt: skip
    spans = [(span.since, span.until, span.reason) for span in down_spans("k", words)]
    assert spans == [
        (at("03-03 09:30"), at("03-03 10:00"), "unreachable"),
        (at("03-03 10:30"), None, "undecodable"),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(("present", "unknown"))), max_size=12),
    st.randoms(),
)
def test_words_of_a_camera_in_any_order_and_twice_make_the_same_spans(words, rng):
    reports = [Report(at(f"03-03 09:{m:02}" if m < 60 else "03-03 10:00"), state, "x") for m, state in words]
    mixed = [*reports, *reports[::2]]
    rng.shuffle(mixed)
    assert down_spans("k", mixed) == down_spans("k", reports)


def test_a_camera_that_delivers_is_not_down():
    assert (
        found(judge_camera("k", [down("09:30", state="present", reason=None)], ON, at("03-03 11:00"))) == []
    )


def test_in_shadow_its_findings_are_only_counted():
    rules = centre(rules={"blind": {"shadow": True}}, cameras=CAMERAS)
    for verdict in (
        judge_camera("k", [down("09:30")], rules, at("03-03 11:00")),
        judge_calendar(rules, at("2039-12-15 10:00")),
    ):
        assert [f.shadow for f in verdict.findings] == [True] * len(verdict.findings) != []
