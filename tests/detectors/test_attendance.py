"""Clocking in and out: Cangnan's minutes, four clocks a day, leave, unknown days."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.attendance import FAMILY, judge_person
from tests.detectors.making import CENTRE, at, centre
from tests.detectors.subjects import check_look_at, check_set_only, found, grounds, said

WINDOWS = [{"id": "A01", "staff": ["p1"]}]
ON = centre(rules={"attendance": {}}, windows=WINDOWS, people=[{"id": "p1", "name": "甲"}])
TWICE = centre(rules={"attendance": {"clocks": 2}}, windows=WINDOWS)
#: The machine's first day, which is not judged.
BEGAN = said("attendance.clock_in", "03-02 08:50", staff="p1", id="began")


def clocks(text, day="03-03"):
    """``08:50 12:05 13:20 17:10``: in, out, in, out; ``-`` for one that is missing."""
    return [
        said(f"attendance.clock_{'in' if i % 2 == 0 else 'out'}", f"{day} {clock}", staff="p1")
        for i, clock in enumerate(text.split())
        if clock != "-"
    ]


def judge(text, *more, now="03-04 00:00", rules=ON, day="03-03"):
    return judge_person("p1", [BEGAN, *clocks(text, day), *more], rules, at(now))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("08:50 12:05 13:20 17:10", []),
        ("09:00 12:00 13:30 17:00", []),
        ("09:10 12:00 13:30 17:00", [("attendance.late", "03-03 09:10")]),
        ("09:15 12:00 13:30 17:00", [("attendance.late", "03-03 09:15")]),
        ("09:16 12:00 13:30 17:00", [("attendance.unauthorised", "03-03 09:16")]),
        ("08:50 11:55 13:30 17:00", [("attendance.early", "03-04 00:00")]),
        ("08:50 12:00 13:20 16:40", [("attendance.unauthorised", "03-04 00:00")]),
        ("08:50 - 13:20 17:05", [("attendance.missing", "03-04 00:00")]),
        ("08:50 - - 17:05", [("attendance.missing", "03-04 00:00")] * 2),
        ("- - 13:20 17:05", [("attendance.half_day", "03-04 00:00")]),
        ("- - - -", [("attendance.no_trace", "03-04 00:00")]),
    ],
)
def test_a_day(text, rows):
    verdict = judge(text)
    assert [(rule, opened) for rule, opened, _ in found(verdict)] == rows
    assert all(
        f.state == "closed" and f.closed_at == f.opened_at and f.window == "A01" for f in verdict.findings
    )


def test_severities_and_grounds():
    late = judge("09:10 12:00 13:30 17:00").findings[0]
    assert (late.severity, late.explain["minutes"], late.due_at) == ("notice", 10.0, at("03-03 09:00"))
    assert (late.explain["staff"], late.explain["date"]) == ("p1", "2026-03-03")
    assert "A2" in late.explain["articles"]
    assert judge("09:16 12:00 13:30 17:00").findings[0].severity == "yellow"
    assert judge("- - 13:20 17:05").findings[0].severity == "yellow"
    assert judge("- - - -").findings[0].severity == "notice", "unknown is not absence"


def test_coming_late_is_said_at_once_and_the_rest_when_the_day_is_over():
    assert [row[0] for row in found(judge("09:10 11:30", now="03-03 11:40"))] == ["attendance.late"]
    assert judge("09:10 11:30", now="03-03 11:40").look_at == at("03-04 00:00")
    assert found(judge("09:00 11:30", now="03-03 23:59:59")) == []


def test_grace():
    rules = centre(rules={"attendance": {"grace": 5}})
    assert found(judge("09:05 12:00 13:30 17:00", rules=rules)) == []
    assert found(judge("09:06 12:00 13:30 17:00", rules=rules))


def test_two_clocks_a_day():
    assert found(judge("08:50 17:05", rules=TWICE)) == []
    assert [row[0] for row in found(judge("09:10 16:00", rules=TWICE))] == [
        "attendance.late",
        "attendance.unauthorised",
    ]


def leave(from_, to, when="03-02 16:00", **more):
    return said("leave.granted", when, staff="p1", from_=from_, to=to, **more)


@pytest.mark.parametrize(
    ("text", "more", "rules_found"),
    [
        ("- - - -", [leave("2026-03-03", "2026-03-03")], []),
        ("- - 13:20 17:00", [leave("2026-03-03T09:00:00+08:00", "2026-03-03T12:00:00+08:00")], []),
        # Back at ten: late is what comes after that.
        ("09:58 12:00 13:20 17:00", [leave("2026-03-03T09:00:00+08:00", "2026-03-03T10:00:00+08:00")], []),
        ("10:05 12:00 13:20 17:00", [leave("2026-03-03T09:00:00+08:00", "2026-03-03T10:00:00+08:00")], ["attendance.late"]),
        # Granted afterwards counts for the person.
        ("- - - -", [leave("2026-03-03", "2026-03-03", when="03-05 09:00")], []),
        # Back early from leave (销假): expected again.
        ("- - - -", [leave("2026-03-03", "2026-03-04"), said("leave.ended", "03-03 12:30", staff="p1")], ["attendance.no_trace"]),
    ],
)  # fmt: skip
def test_leave(text, more, rules_found):
    verdict = judge(text, *more, now="03-05 10:00")
    assert [f.rule for f in verdict.findings if f.explain["date"] == "2026-03-03"] == rules_found


def test_the_day_it_is_granted_afterwards_takes_the_finding_back():
    later = leave("2026-03-03", "2026-03-03", when="03-05 09:00")
    assert found(judge("- - - -", later, now="03-04 10:00"))
    assert judge("- - - -", later, now="03-04 10:00").look_at <= at("03-05 09:00")


def test_shifts_of_a_roster_are_the_persons_hours():
    roster = [{"staff": ["p1"], "days": ["tue"], "hours": ["13:30-17:00"]}]
    rules = centre(rules={"attendance": {}}, windows=[{"id": "A01", "staff": ["p1"], "roster": roster}])
    assert found(judge("- - 13:20 17:00", rules=rules, now="03-07 00:00")) == []
    assert [row[0] for row in found(judge("- - 13:50 17:00", rules=rules))] == ["attendance.unauthorised"]


def test_rest_days_ask_for_nothing_and_make_up_days_do():
    weekend = judge("09:00 12:00 13:30 17:00", day="03-06", now="03-09 08:00").findings
    assert [f.explain["date"] for f in weekend] == ["2026-03-03", "2026-03-04", "2026-03-05"]
    began = said("attendance.clock_in", "02-27 08:50", staff="p1")
    make_up = judge_person("p1", [began], ON, at("03-01 00:00"))
    assert [f.explain["date"] for f in make_up.findings] == ["2026-02-28"]


def test_after_fifteen_working_days_without_a_trace_nothing_more_is_said():
    verdict = judge("- - - -", now="06-01 00:00")
    assert (len(verdict.findings), verdict.look_at) == (15, None)
    again = said("attendance.clock_in", "05-29 08:50", staff="p1")
    found_again = [f.rule for f in judge("- - - -", again, now="05-30 00:00").findings]
    assert found_again[14:] == ["attendance.no_trace", "attendance.missing", "attendance.half_day"]


def test_nothing_before_the_first_clock_nor_of_strangers():
    assert judge_person("p1", [leave("2026-03-03", "2026-03-03")], ON, at("03-10 00:00")).findings == ()
    stranger = [said("attendance.clock_in", "03-02 08:50", staff="x")]
    assert judge_person("x", stranger, ON, at("03-10 00:00")).findings == ()
    assert not FAMILY.wanted(CENTRE)
    assert FAMILY.name_of(BEGAN, ON) == "p1"


quarters = st.integers(0, 4 * 24 * 5).map(lambda q: at("03-02 00:00") + timedelta(minutes=15 * q))
histories = st.lists(
    st.one_of(
        st.builds(
            lambda kind, when: said(f"attendance.clock_{kind}", when, staff="p1"),
            st.sampled_from(("in", "out")),
            quarters,
        ),
        st.builds(
            lambda when, start, hours: said(
                "leave.granted", when, staff="p1", from_=start.isoformat(), to=(start + timedelta(hours=hours)).isoformat()
            ),
            quarters, quarters, st.integers(1, 30),
        ),
        st.builds(lambda when: said("leave.ended", when, staff="p1"), quarters),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(histories, quarters, st.integers(0, 999), st.floats(0, 1), st.sampled_from((ON, TWICE)))
def test_only_the_set_of_events_counts_and_nothing_changes_before_look_at(some, now, seed, share, rules):
    check_set_only(FAMILY, "p1", some, rules, now, seed)
    check_look_at(FAMILY, "p1", some, rules, now, share)


@settings(max_examples=40, deadline=None)
@given(histories, quarters)
def test_a_leave_never_adds_a_finding(some, now):
    whole = said("leave.granted", "03-01 00:00", staff="p1", from_="2026-03-01", to="2026-03-10")
    ended = [event for event in some if event.kind != "leave.ended"]
    assert grounds(FAMILY.judge("p1", [*ended, whole], ON, now)) == []
