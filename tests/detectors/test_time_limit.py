"""Rules 1–6, 8 and 9: the case's own limits, as tables of small cases (2026, Chinese calendar)."""

from __future__ import annotations

import json

import pytest

from tests.detectors.making import CENTRE, at, centre, event, judge, one, rows, show

MIDNIGHT = centre(rules__time_limit={"deadline_at": "midnight"})


def dues(*events, now="12-31 23:00", centre=CENTRE):
    status = judge(*events, now=now, centre=centre).status
    return show(status["promised_due"]), show(status["legal_due"])


# 2026-03-02 is a Monday; no holidays until 04-06.
@pytest.mark.parametrize(
    ("start", "item", "promised", "legal"),
    [
        ("03-02 09:30", "A", "03-09 17:00", "03-16 17:00"),  # first day out, weekends out
        ("03-02 23:59:59", "A", "03-09 17:00", "03-16 17:00"),  # the hour of the start does not matter
        ("03-07 10:00", "A", "03-13 17:00", "03-20 17:00"),  # accepted on a Saturday
        (
            "02-13 10:00",
            "A",
            "02-27 17:00",
            "03-05 17:00",
        ),  # make-up Saturdays 02-14 and 02-28 count, the festival not
        (
            "03-02 09:30",
            "B",
            "03-09 17:00",
            "03-17 17:00",
        ),  # calendar days; 03-07 is a Saturday: next working day
        ("09-24 10:00", "B", "09-29 17:00", "10-09 17:00"),  # calendar days count through rest days
        ("09-18 10:00", "B", "09-23 17:00", "10-08 17:00"),  # 10-03 is a holiday: after the holidays
        ("03-02 09:30", "L", "03-05 17:00", "03-05 17:00"),  # no promised limit: the legal one stands for it
        ("03-02 09:30", "N", None, None),
        ("03-02 09:30", None, None, None),
        ("03-02 09:30", "unheard-of", None, None),
    ],
)
def test_due_days(start, item, promised, legal):
    assert dues(event("accepted", start, item=item)) == (promised, legal)


def test_midnight_means_24_00_of_the_due_day():
    assert dues(event("accepted", "03-02 09:30"), centre=MIDNIGHT) == ("03-10 00:00", "03-17 00:00")


def test_own_holidays_and_workdays_win_over_the_base():
    own = centre(calendar={"base": "CN", "holidays": ["2026-03-03"], "workdays": ["2026-03-08"]})
    assert dues(event("accepted", "03-02 09:30"), centre=own)[0] == "03-09 17:00"
    own = centre(calendar={"base": "CN", "workdays": ["2026-03-07", "2026-03-08"]})
    assert dues(event("accepted", "03-02 09:30"), centre=own)[0] == "03-07 17:00"


@pytest.mark.parametrize(
    ("moves", "promised"),
    [
        # A suspension takes every date it touches before that date's deadline: no partial days.
        ([("suspended", "03-03 16:59:59"), ("resumed", "03-03 17:00")], "03-10 17:00"),
        (
            [("suspended", "03-03 17:00"), ("resumed", "03-03 23:00")],
            "03-09 17:00",
        ),  # began after the deadline
        (
            [("suspended", "03-03 17:00"), ("resumed", "03-04 00:00")],
            "03-09 17:00",
        ),  # half open: 03-04 is not touched
        ([("suspended", "03-03 17:00"), ("resumed", "03-04 00:00:01")], "03-10 17:00"),
        ([("suspended", "03-03 10:00"), ("resumed", "03-05 10:00")], "03-12 17:00"),
        (
            [("suspended", "03-03 10:00"), ("suspended", "03-04 10:00"), ("resumed", "03-05 10:00")],
            "03-12 17:00",
        ),
        (
            [("suspended", "03-06 18:00"), ("resumed", "03-08 23:00")],
            "03-09 17:00",
        ),  # a weekend costs nothing
        ([("suspended", "03-02 10:00"), ("resumed", "03-02 16:00")], "03-09 17:00"),  # D0 does not matter
        ([("suspended", "03-03 10:00")], None),  # not known to end
        ([("suspended", "03-03 10:00", 2)], "03-11 17:00"),  # at most what was announced: 03-03, 03-04
        ([("suspended", "03-03 18:00", 2)], "03-11 17:00"),  # first touched is 03-04
        ([("suspended", "03-07 10:00", 1)], "03-10 17:00"),  # rest days are touched but not counted: 03-09
        ([("suspended", "03-03 10:00", 5), ("resumed", "03-04 10:00")], "03-11 17:00"),  # resumed early
        ([("suspended", "03-03 10:00", 2), ("resumed", "03-20 10:00")], "03-11 17:00"),  # resumed too late
        ([("resumed", "03-03 10:00")], "03-09 17:00"),  # nothing to resume
        (
            [("suspended", "03-09 17:00"), ("resumed", "03-12 10:00")],
            "03-09 17:00",
        ),  # begins at the very deadline
        ([("extended", "03-03 10:00", 3)], "03-12 17:00"),
        ([("extended", "03-09 17:00", 3)], "03-12 17:00"),  # at the deadline itself is in time
        ([("extended", "03-09 17:00:01", 3)], "03-09 17:00"),
        ([("extended", "03-03 10:00", 1), ("extended", "03-10 10:00", 1)], "03-11 17:00"),
        ([("extended", "03-02 09:00", 3)], "03-09 17:00"),  # before the start
    ],
)
def test_what_moves_the_promised_deadline(moves, promised):
    events = [event("accepted", "03-02 09:30")]
    for kind, when, *days in moves:
        events.append(event(kind, when, **({"days": days[0]} if days else {})))
    assert dues(*events)[0] == promised


def test_a_calendar_day_limit_on_a_rest_day_goes_to_a_working_day_that_is_not_excluded():
    events = [
        event("accepted", "03-02 09:30", item="B"),
        event("suspended", "03-09 09:00", days=1),
    ]
    assert dues(*events)[0] == "03-10 17:00"


def test_yellow_then_red_until_the_stop():
    verdict = judge(event("accepted", "03-02 09:30"), event("decided", "03-20 11:00", result="denied"))
    assert rows(verdict, "time_limit.promised") == [("03-09 17:00", "03-20 11:00", "03-09 17:00")]
    assert rows(verdict, "time_limit.legal") == [("03-16 17:00", "03-20 11:00", "03-16 17:00")]
    assert {f.severity for f in verdict.findings} == {"notice", "yellow", "red"}


@pytest.mark.parametrize("kind", ["decided", "closed", "refused", "withdrawn"])
def test_every_kind_of_stop_closes(kind):
    verdict = judge(event("accepted", "03-02 09:30"), event(kind, "03-10 11:00"))
    assert one(verdict, "time_limit.promised").state == "closed"
    assert verdict.look_at is None or kind == "decided"


def test_done_at_the_very_moment_is_in_time():
    for when, late in (
        ("03-09 17:00", []),
        ("03-09 17:00:01", [("03-09 17:00", "03-09 17:00:01", "03-09 17:00")]),
    ):
        verdict = judge(event("accepted", "03-02 09:30"), event("closed", when))
        assert rows(verdict, "time_limit.promised") == late


def test_a_finding_is_open_only_when_now_is_later():
    accepted = event("accepted", "03-02 09:30")
    at_it = judge(accepted, now="03-09 17:00")
    assert not rows(at_it, "time_limit.promised")
    assert at_it.look_at is not None
    assert rows(judge(accepted, now=at_it.look_at), "time_limit.promised") == [
        ("03-09 17:00", None, "03-09 17:00")
    ]


def test_without_a_promised_limit_only_red_and_notice_open():
    verdict = judge(event("accepted", "03-02 09:30", item="L"))
    assert [f.rule for f in verdict.findings] == ["time_limit.notice", "time_limit.legal"]


def test_what_comes_after_the_stop_is_not_looked_at():
    verdict = judge(
        event("accepted", "03-02 09:30", item="L"),
        event("withdrawn", "03-03 10:00"),
        event("accepted", "03-04 10:00"),
        event("suspended", "03-04 11:00", days=1),
        event("extended", "03-30 11:00", days=1),
    )
    assert [f.rule for f in verdict.findings] == ["time_limit.notice"]
    assert verdict.look_at is None


# ---- explicit deadlines (rule 6) -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadline", "moves", "due"),
    [
        ("03-10 15:20", [], "03-10 15:20"),
        ("03-08 15:20", [], "03-08 15:20"),  # a Sunday: it stands
        ("03-10 15:20", [("suspended", "03-03 10:00", 1)], "03-11 15:20"),
        ("03-10 15:20", [("suspended", "03-10 15:20", 1)], "03-10 15:20"),  # its own time of day decides
        ("03-10 15:20", [("suspended", "03-10 15:19", 1)], "03-11 15:20"),
        ("03-10 15:20", [("suspended", "03-09 15:30"), ("resumed", "03-09 16:00")], "03-10 15:20"),
        ("03-08 15:20", [("suspended", "03-07 10:00"), ("resumed", "03-07 12:00")], "03-08 15:20"),
        # 03-08 itself is excluded: the next working day that is not
        ("03-08 15:20", [("suspended", "03-08 10:00"), ("resumed", "03-08 12:00")], "03-09 15:20"),
        (
            "03-10 00:00",
            [("suspended", "03-03 10:00", 1)],
            "03-11 00:00",
        ),  # 24:00 of 03-09, moved to 24:00 of 03-10
        ("03-10 00:00", [("suspended", "03-09 23:00"), ("resumed", "03-09 23:30")], "03-11 00:00"),
        ("03-10 15:20", [("extended", "03-03 10:00", 2)], "03-12 15:20"),
        ("03-02 18:00", [("suspended", "03-02 10:00"), ("resumed", "03-02 11:00")], "03-02 18:00"),  # on D0
        ("03-02 18:00", [("extended", "03-02 17:00", 2)], "03-04 18:00"),
    ],
)
def test_explicit_deadlines(deadline, moves, due):
    events = [event("accepted", "03-02 09:30", item="N", legal_deadline=at(deadline).isoformat())]
    for kind, when, *days in moves:
        events.append(event(kind, when, item="N", **({"days": days[0]} if days else {})))
    assert dues(*events)[1] == due


def test_each_explicit_deadline_wins_for_itself():
    accepted = event("accepted", "03-02 09:30", promised_deadline=at("03-04 12:00").isoformat())
    assert dues(accepted) == ("03-04 12:00", "03-16 17:00")


def test_a_promise_later_than_the_law_counts_as_the_law():
    verdict = judge(event("accepted", "03-02 09:30", promised_deadline=at("04-30 12:00").isoformat()))
    assert rows(verdict, "time_limit.promised") == rows(verdict, "time_limit.legal")
    assert rows(verdict, "time_limit.legal") == [("03-16 17:00", None, "03-16 17:00")]


def test_a_deadline_before_the_start_opens_at_the_start():
    verdict = judge(event("accepted", "03-02 09:30", legal_deadline=at("02-27 12:00").isoformat()))
    assert rows(verdict, "time_limit.legal") == [("03-02 09:30", None, "02-27 12:00")]


# ---- provisional ---------------------------------------------------------------------------------------------------


def test_a_year_nobody_has_published_is_provisional_and_named():
    verdict = judge(event("accepted", "12-28 10:00"), now=at("2027-01-31 10:00"))
    found = one(verdict, "time_limit.legal")
    # Weekends only: 2027-01-01 counts, though it will surely be a holiday.
    assert show(found.due_at) == "2027-01-11 17:00"
    assert found.provisional
    assert found.explain["unpublished_years"] == [2027]


def test_a_deadline_inside_the_published_years_is_not_provisional():
    assert not one(judge(event("accepted", "12-15 10:00")), "time_limit.legal").provisional


def test_an_explicit_deadline_that_stands_counted_nothing():
    accepted = event("accepted", "12-28 10:00", item="N", legal_deadline=at("2027-01-05 10:00").isoformat())
    assert not one(judge(accepted, now=at("2027-02-01 10:00")), "time_limit.legal").provisional


# ---- notice --------------------------------------------------------------------------------------------------------


def notices(*events, now="12-31 23:00"):
    return rows(judge(*events, now=now), "time_limit.notice")


def test_notice_opens_with_the_day_two_countable_days_before():
    assert notices(event("accepted", "03-02 09:30")) == [("03-05 09:00", "03-09 17:00", "03-09 17:00")]
    assert notices(event("accepted", "03-02 09:30"), now="03-05 08:59") == []
    assert notices(event("accepted", "03-02 09:30"), now="03-05 09:00") == [
        ("03-05 09:00", None, "03-09 17:00")
    ]


def test_notice_opens_at_the_start_if_the_limit_is_short():
    short = event("accepted", "03-02 09:30", promised_deadline=at("03-03 12:00").isoformat())
    assert notices(short) == [("03-02 09:30", "03-03 12:00", "03-03 12:00")]


def test_notice_closes_at_the_stop():
    assert notices(event("accepted", "03-02 09:30"), event("closed", "03-06 10:00"))[0][1] == "03-06 10:00"
    assert notices(event("accepted", "03-02 09:30"), event("closed", "03-05 09:00")) == []


def test_notice_opens_anew_when_the_due_day_moves():
    accepted = event("accepted", "03-02 09:30")
    extended = [accepted, event("extended", "03-06 10:00", days=3)]
    assert notices(*extended) == [
        ("03-05 09:00", "03-06 10:00", "03-09 17:00"),
        ("03-10 09:00", "03-12 17:00", "03-12 17:00"),
    ]
    # While nobody knows the end there is no due day; after a day off the clock it is 03-10.
    suspended = [accepted, event("suspended", "03-06 10:00"), event("resumed", "03-06 15:00")]
    assert notices(*suspended) == [
        ("03-05 09:00", "03-06 10:00", "03-09 17:00"),
        ("03-06 15:00", "03-10 17:00", "03-10 17:00"),
    ]


# ---- rule 9 and 10 -------------------------------------------------------------------------------------------------


def test_limits_of_the_item_named_at_the_start():
    verdict = judge(event("received", "03-02 09:00", item="B"), event("accepted", "03-02 09:30", item="L"))
    assert one(verdict, "time_limit.legal").item == "L"
    assert show(verdict.status["legal_due"]) == "03-05 17:00"


def test_a_second_acceptance_is_ignored():
    first, second = event("accepted", "03-02 09:30"), event("accepted", "03-05 09:30", item="L")
    assert dues(first, second) == dues(first)


def test_at_one_moment_a_resume_is_taken_before_a_suspension():
    accepted = event("accepted", "03-02 09:30")
    events = [
        accepted,
        event("suspended", "03-03 10:00"),
        event("resumed", "03-04 10:00"),
        event("suspended", "03-04 10:00"),
    ]
    assert dues(*events)[0] is None


def test_events_after_now_are_not_taken_but_looked_for():
    accepted, closed = event("accepted", "03-02 09:30"), event("closed", "03-03 12:00")
    verdict = judge(accepted, closed, now="03-02 10:00")
    assert verdict.status["phase"] == "accepted"
    assert verdict.look_at == at("03-03 12:00")


def test_the_explanation_can_be_counted_by_hand():
    verdict = judge(
        event("accepted", "03-02 09:30"),
        event("suspended", "03-03 10:00", days=1, ground="testing", notice_no="7号", id="s1"),
        event("extended", "03-04 10:00", days=2, id="x1"),
    )
    found = one(verdict, "time_limit.promised")
    assert show(found.due_at) == "03-12 17:00"
    assert found.explain["counted_days"] == [
        "2026-03-04", "2026-03-05", "2026-03-06", "2026-03-09", "2026-03-10", "2026-03-11", "2026-03-12",
    ]  # fmt: skip
    (excluded,) = found.explain["excluded"]
    assert (excluded["ground"], excluded["excluded"], excluded["notice_no"]) == (
        "testing",
        ["2026-03-03"] * 2,
        "7号",
    )
    assert [e["event_id"] for e in found.explain["extensions"]] == ["x1"]
    assert found.explain["calendar"].startswith("CN; chinesecalendar ")
    assert found.explain["limit"] == {"days": 5, "unit": "working_day"}
    assert found.window == "A01"


def test_an_explanation_stays_short():
    """45 working days (art. 42), five suspensions and three extensions: still one screen."""
    long = centre(items=[{"code": "A", "legal_limit": {"days": 45}}])
    events = [event("accepted", "03-02 09:30")]
    for number in range(5):
        events.append(event("suspended", f"03-{10 + number:02} 10:00", days=2, notice_no="x" * 200))
        events.append(event("resumed", f"03-{10 + number:02} 16:00"))
    events += [event("extended", f"04-0{number} 10:00", days=3, approver="y" * 200) for number in (1, 2, 3)]
    found = one(judge(*events, centre=long), "time_limit.legal")
    assert len(json.dumps(dict(found.explain), ensure_ascii=False).encode()) < 4096
    assert len(found.explain["counted_days"]) == 54


def test_very_long_counts_are_written_as_runs():
    long = centre(items=[{"code": "A", "legal_limit": {"days": 365, "unit": "calendar_day"}}])
    found = one(
        judge(event("accepted", "01-02 09:30"), centre=long, now=at("2027-02-01 00:00")), "time_limit.legal"
    )
    assert found.explain["counted_days"] == ["2026-01-03/2027-01-02"]
    assert show(found.due_at) == "2027-01-04 17:00"  # 01-02 is a Saturday
