"""The profile hunan-2018: the worked example of its documents to the second, and what moves its deadlines."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from math import ceil

import pytest
from chinese_calendar import is_workday
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.time_limit import LEGAL, NOTICE, PROMISED
from domain.centre_file import parse_centre
from mingjing.replay import replay
from tests.detectors.making import CHINA, at, centre, event, judge, one, rows, show

HUNAN = {"profile": "hunan-2018"}
ITEMS = [
    {"code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 7}},
    {"code": "B", "legal_limit": {"days": 10, "unit": "calendar_day"}},
    {"code": "L", "legal_limit": {"days": 2}},
    {"code": "P", "legal_limit": {"days": 3}, "promised_limit": {"days": 9}},
]
CENTRE = centre(rules__time_limit=HUNAN, items=ITEMS)
LAW = centre(items=ITEMS)
# Four hours a day, but two on Fridays.
UNEVEN = centre(
    rules__time_limit=HUNAN,
    items=ITEMS,
    centre__office_hours={"mon": ["09:00-11:00", "14:00-16:00"], "fri": ["09:00-11:00"]},
)
START = "2018-10-15 10:00"  # a Monday
CARDS = {"time_limit.notice", "time_limit.promised", "time_limit.legal"}


def cards(*events, centre=CENTRE, now="2018-12-31 23:00"):
    """(short rule, opened, due)."""
    found = judge(*events, now=now, centre=centre).findings
    return [
        (f.rule.removeprefix("time_limit."), show(f.opened_at)[5:], show(f.due_at)[5:])
        for f in found
        if f.rule in CARDS
    ]


def test_the_worked_example_comes_out_to_the_second():
    """Accepted Monday 2018-10-15 10:00, promised 7, legal 10 (domain reference 2c, P1)."""
    verdict = judge(event("accepted", START), now="2018-12-31 23:00", centre=CENTRE)
    assert [(f.rule, f.severity, f.opened_at, f.due_at) for f in verdict.findings] == [
        ("time_limit.notice", "notice", at("2018-10-19 10:00:01"), at("2018-10-24 10:00")),
        ("time_limit.promised", "yellow", at("2018-10-24 10:00:01"), at("2018-10-24 10:00")),
        ("time_limit.legal", "red", at("2018-10-29 10:00:01"), at("2018-10-29 10:00")),
    ]
    assert verdict.findings[0].closed_at == at("2018-10-24 10:00:01")


def test_replay_gives_the_worked_example():
    text = """
centre: {id: "430000"}
rules: {time_limit: {profile: hunan-2018}}
items: [{code: A, legal_limit: {days: 10}, promised_limit: {days: 7}}]
"""
    accepted = {
        "event_id": "1", "kind": "case.accepted", "occurred_at": "2018-10-15T10:00:00+08:00", "source": "x", "case": "c",
        "item": "A",
    }  # fmt: skip
    found = replay(parse_centre(text), [json.dumps(accepted)], at("2018-10-29 10:00:01")).findings
    assert [show(f.opened_at) for f in found] == [
        "2018-10-19 10:00:01", "2018-10-24 10:00:01", "2018-10-29 10:00:01",
    ]  # fmt: skip


def test_both_dates_stand_side_by_side():
    """Its red falls on the morning of the last lawful day: the statutory count ends at 17:00."""
    verdict = judge(event("accepted", START), now="2018-12-31 23:00", centre=CENTRE)
    explain = one(verdict, "time_limit.legal").explain
    assert explain["deadline"] == "2018-10-29T10:00:00+08:00"
    assert explain["statutory"]["deadline"] == "2018-10-29T17:00:00+08:00"
    assert len(explain["days_full"]) == 10
    assert explain["counted_days"] == explain["statutory"]["counted_days"]
    assert explain["days_full"][0] == "2018-10-16T10:00:00+08:00"
    json.dumps(explain)
    status = verdict.status
    assert (show(status["legal_due"]), show(status["statutory"]["legal_due"])) == (
        "2018-10-29 10:00",
        "2018-10-29 17:00",
    )


def office_seconds(start, until):
    """By the book: P2's four points, a date at a time."""
    seconds, day = 0, start.date()
    while day <= until.date():
        for begin, end in (((9, 0), (12, 0)), ((13, 30), (17, 0))) if is_workday(day) else ():
            opened = datetime.combine(day, time(*begin), CHINA)
            closed = datetime.combine(day, time(*end), CHINA)
            seconds += max(0.0, (min(closed, until) - max(opened, start)).total_seconds())
        day += timedelta(days=1)
    return seconds


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300 * 24 * 3600), st.integers(1, 40), st.integers(1, 40))
def test_each_card_turns_at_the_second_at_which_the_documented_sum_does(seconds, promised, more):
    """used = elapsed working days rounded up; warning from used - promised >= -2, yellow from >= 1, red from used - legal >= 1."""
    start, legal = at("2018-01-02 00:00") + timedelta(seconds=seconds), promised + more
    items = [{"code": "A", "legal_limit": {"days": legal}, "promised_limit": {"days": promised}}]
    rules = centre(rules__time_limit=HUNAN, items=items)
    found = {
        f.rule: f for f in judge(event("accepted", start), now="2019-11-30 10:00", centre=rules).findings
    }

    def used(moment):
        return ceil(office_seconds(start, moment) / (6.5 * 3600))

    for rule, days, over in ((PROMISED, promised, 1), (LEGAL, legal, 1), (NOTICE, promised, -2)):
        opened = found[rule].opened_at.astimezone(CHINA)
        assert used(opened) - days >= over
        assert opened == start or used(opened - timedelta(seconds=1)) - days < over


def test_the_statutory_default_is_what_the_contract_says():
    assert cards(event("accepted", START), centre=LAW) == [
        ("notice", "10-22 09:00", "10-24 17:00"),
        ("promised", "10-24 17:00", "10-24 17:00"),
        ("legal", "10-29 17:00", "10-29 17:00"),
    ]


@pytest.mark.parametrize("stop", ["decided", "closed", "refused", "withdrawn"])
def test_one_second_over_counts(stop):
    def rules(when):
        return {rule for rule, *_ in cards(event("accepted", START), event(stop, when))}

    assert rules("2018-10-24 10:00") == {"notice"}
    assert rules("2018-10-24 10:00:01") == {"notice", "promised"}


def test_it_is_said_at_the_second_and_not_before():
    early = judge(event("accepted", START), now="2018-10-24 10:00", centre=CENTRE)
    assert {f.rule for f in early.findings} == {"time_limit.notice"}
    assert early.look_at == at("2018-10-24 10:00:01")


@pytest.mark.parametrize(
    ("start", "due", "over"),
    [
        ("2018-10-15 08:00", "10-16 17:00", "10-17 09:00:01"),  # before opening counts from opening
        ("2018-10-15 12:40", "10-17 12:00", "10-17 13:30:01"),  # lunch counts as the end of the morning
        ("2018-10-15 19:00", "10-17 17:00", "10-18 09:00:01"),  # after closing counts as the end of the day
        ("2018-10-13 10:00", "10-16 17:00", "10-17 09:00:01"),  # accepted on a Saturday
        ("2018-10-18 16:00", "10-22 16:00", "10-22 16:00:01"),  # the weekend is out
        ("2018-09-28 10:00", "09-30 10:00", "09-30 10:00:01"),  # 09-29 and 09-30 are make-up days
    ],
)
def test_four_points_a_day(start, due, over):
    legal = [row for row in cards(event("accepted", start, item="L")) if row[0] == "legal"]
    assert legal == [("legal", over, due)]


def test_a_date_is_one_day_however_long_its_hours():
    """Thursday 15:00 is three quarters of a day; so is Friday 10:30."""
    accepted = event("accepted", "2018-10-17 15:00", item="L")
    assert cards(accepted, centre=UNEVEN)[-1] == ("legal", "10-19 10:30:01", "10-19 10:30")


def test_a_warning_that_would_begin_before_the_start_begins_at_it():
    assert cards(event("accepted", START, item="L"))[0] == ("notice", "10-15 10:00", "10-17 10:00")
    three = centre(rules__time_limit=HUNAN, items=[{"code": "A", "legal_limit": {"days": 3}}])
    assert cards(event("accepted", START), centre=three)[0][1] == "10-15 10:00:01"


def test_a_promise_later_than_the_law_counts_as_the_law():
    assert cards(event("accepted", START, item="P"))[1:] == [
        ("legal", "10-18 10:00:01", "10-18 10:00"),
        ("promised", "10-18 10:00:01", "10-18 10:00"),
    ]


def test_a_special_procedure_moves_the_deadlines_by_the_days_applied_for():
    events = [event("accepted", START), event("suspended", "2018-10-16 10:00", days=3)]
    moved = [
        ("notice", "10-24 10:00:01", "10-29 10:00"),
        ("promised", "10-29 10:00:01", "10-29 10:00"),
        ("legal", "11-01 10:00:01", "11-01 10:00"),
    ]
    assert cards(*events) == moved
    # However long it really takes.
    assert cards(*events, event("resumed", "2018-10-16 11:00")) == moved
    explain = one(judge(*events, now="2018-12-01 10:00", centre=CENTRE), "time_limit.legal").explain
    assert [row["days"] for row in explain["moved_back"]] == [3.0]


def test_one_without_days_stops_the_clock_until_it_is_resumed():
    events = [event("accepted", START), event("suspended", "2018-10-16 10:00")]
    assert cards(*events) == []
    resumed = event("resumed", "2018-10-18 16:00")  # two days and 270 of 390 minutes
    assert cards(*events, resumed)[-1] == ("legal", "10-31 16:00:01", "10-31 16:00")


def test_of_one_that_began_before_the_acceptance_the_rest_counts():
    accepted = event("accepted", START)
    announced = event("suspended", "2018-10-12 10:00", days=3)  # a Friday: two days of it are left
    assert cards(announced, accepted)[-1] == ("legal", "10-31 10:00:01", "10-31 10:00")
    open_ended, resumed = event("suspended", "2018-10-12 10:00"), event("resumed", "2018-10-17 10:00")
    assert cards(open_ended, accepted, resumed)[-1] == ("legal", "10-31 10:00:01", "10-31 10:00")
    assert cards(open_ended, event("resumed", "2018-10-15 09:00"), accepted)[-1][2] == "10-29 10:00"


def test_what_begins_after_a_deadline_does_not_take_its_card_back():
    events = [event("accepted", START), event("suspended", "2018-10-25 10:00", days=3)]
    assert cards(*events)[1:] == [
        ("promised", "10-24 10:00:01", "10-24 10:00"),
        ("legal", "11-01 10:00:01", "11-01 10:00"),
    ]


def test_an_extension_adds_its_days_until_the_legal_limit_has_passed():
    accepted = event("accepted", START)
    assert cards(accepted, event("extended", "2018-10-23 10:00", days=2))[-1][2] == "10-31 10:00"
    assert cards(accepted, event("extended", "2018-10-29 10:00:02", days=2))[-1][2] == "10-29 10:00"


@pytest.mark.parametrize(
    "accepted",
    [
        event("accepted", START, item="B"),
        event("accepted", START, legal_deadline=at("2018-11-20 10:00").isoformat()),
    ],
)
def test_what_the_documents_do_not_speak_of_keeps_the_statutory_count(accepted):
    assert cards(accepted) == cards(accepted, centre=LAW)


def test_the_special_procedure_has_cards_of_its_own():
    """Warning 2 days before the applied days end, yellow over by more than 0, red by more than a day."""
    verdict = judge(event("suspended", START, days=5), now="2018-12-01 10:00", centre=CENTRE)
    assert [(f.rule, f.severity, show(f.opened_at)[5:]) for f in verdict.findings] == [
        ("suspension.ending", "notice", "10-17 10:00:01"),
        ("suspension.overrun", "yellow", "10-22 10:00:01"),
        ("suspension.overrun_red", "red", "10-23 10:00:01"),
    ]
    assert one(verdict, "suspension.overrun").explain["statutory"]["used_up"] == "2018-10-19T17:00:00+08:00"
    in_time = judge(event("suspended", START, days=5), event("resumed", "2018-10-17 09:00"), centre=CENTRE)
    assert in_time.findings == ()


def test_stages_keep_the_statutory_count():
    """Their own limit, special procedures deducted up to the days applied for (P3)."""
    stages = [{"code": "A", "stages": {"review": {"days": 2}}}]
    events = [event("stage_started", START, stage="review"), event("suspended", "2018-10-16 10:00", days=1)]
    hunan = centre(rules__time_limit=HUNAN, items=stages)
    assert (
        rows(judge(*events, now="2018-12-01 10:00", centre=hunan), "stage.overdue")[0][2]
        == "2018-10-18 17:00"
    )


def test_an_ended_special_procedure_does_not_go_on_carding():
    """A known fault of the platform (domain reference, section 8, row 9)."""
    verdict = judge(
        event("accepted", START), event("suspended", "2018-10-16 10:00", days=1), event("closed", "2018-10-17 10:00"),
        now="2018-12-01 10:00", centre=CENTRE,
    )  # fmt: skip
    assert [row[1] for row in rows(verdict, "suspension.ending")] == ["2018-10-17 10:00"]
    assert {f.rule for f in verdict.findings} == {"suspension.ending"}


def test_the_notice_opens_anew_by_the_moved_deadline():
    accepted = event("accepted", START)
    moved = event("suspended", at("2018-10-22 10:00") + timedelta(minutes=30), days=5)
    verdict = judge(accepted, moved, now="2018-12-01 10:00", centre=CENTRE)
    assert rows(verdict, "time_limit.notice") == [
        ("2018-10-19 10:00:01", "2018-10-22 10:30", "2018-10-24 10:00"),
        ("2018-10-26 10:00:01", "2018-10-31 10:00:01", "2018-10-31 10:00"),
    ]
