"""Hotline orders: 5 + 5 working days, wrong unit back in 24 hours, the ladder after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.complaints import FAMILY, judge_complaint, name_of
from tests.detectors.making import CENTRE, at, centre
from tests.detectors.subjects import check_look_at, check_set_only, found, said

ON = centre(rules={"complaints": {}})
HUNAN = centre(rules={"complaints": {"profile": "hunan-2018"}})


def ev(kind, when, **more):
    return said(f"complaint.{kind}", when, complaint="12345-1", **more)


def judge(*events, now="12-31 23:00", rules=ON):
    return judge_complaint("12345-1", events, rules, at(now))


OPENED = ev("opened", "03-02 09:30", id="o")
ASSIGNED = ev("assigned", "03-02 10:00", unit="bureau", id="a")


def test_five_working_days_with_a_reminder_one_day_before():
    assert found(judge(OPENED, ASSIGNED, now="03-06 23:00")) == [("complaint.notice", "03-06 09:00", None)]
    assert found(judge(OPENED, ASSIGNED, now="03-09 17:00")) == [("complaint.notice", "03-06 09:00", None)]
    verdict = judge(OPENED, ASSIGNED, now="03-09 17:00:01")
    assert found(verdict) == [
        ("complaint.notice", "03-06 09:00", "03-09 17:00"),
        ("complaint.overdue", "03-09 17:00", None),
    ]
    row = verdict.findings[-1].explain
    assert (row["unit"], row["due_day"], len(row["counted_days"])) == ("bureau", "2026-03-09", 5)
    assert "安阳市政务服务条例 art. 50" in row["articles"]


def test_written_criticism_five_working_days_later_and_no_red_by_default():
    assert found(judge(ASSIGNED))[1:] == [
        ("complaint.overdue", "03-09 17:00", None),
        ("complaint.criticism", "03-16 17:00", None),
    ]


def test_ladder_of_hunan():
    assert found(judge(ASSIGNED, rules=HUNAN)) == [
        ("complaint.notice", "03-05 09:00", "03-09 17:00"),
        ("complaint.overdue", "03-09 17:00", None),
        ("complaint.red", "03-10 17:00", None),
    ]
    own = centre(rules={"complaints": {"profile": "hunan-2018", "red_over": 3}})
    assert found(judge(ASSIGNED, rules=own))[-1] == ("complaint.red", "03-12 17:00", None)


@pytest.mark.parametrize("end", ["answered", "closed"])
def test_an_answer_or_closing_ends_it(end):
    assert found(judge(OPENED, ASSIGNED, ev(end, "03-05 10:00"))) == []
    assert found(judge(OPENED, ASSIGNED, ev(end, "03-09 17:00"))) == [
        ("complaint.notice", "03-06 09:00", "03-09 17:00")
    ]
    assert found(judge(ASSIGNED, ev(end, "03-11 10:00")), "complaint.overdue") == [
        ("yellow", "03-09 17:00", "03-11 10:00")
    ]


def test_one_extension_of_five_days_with_the_heads_approval():
    longer = ev("extended", "03-06 10:00", approver="head", days=5)
    assert found(judge(ASSIGNED, longer))[:3] == [
        ("complaint.notice", "03-06 09:00", "03-06 10:00"),
        ("complaint.notice", "03-13 09:00", "03-16 17:00"),
        ("complaint.overdue", "03-16 17:00", None),
    ]
    too_long = ev("extended", "03-06 10:00", approver="head", days=30)
    assert found(judge(ASSIGNED, too_long), "complaint.overdue") == [("yellow", "03-16 17:00", None)]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([ev("extended", "03-09 17:01", approver="head")], "late"),
        ([ev("extended", "03-05 10:00")], "no_approver"),
        (
            [ev("extended", "03-05 10:00", approver="head"), ev("extended", "03-06 10:00", approver="head")],
            "too_many",
        ),
    ],
)
def test_extensions_that_do_not_hold(events, why):
    verdict = judge(ASSIGNED, *events)
    (finding,) = [f for f in verdict.findings if f.rule == "complaint.invalid_extension"]
    assert (finding.severity, finding.state) == ("notice", "closed")
    assert finding.explain["extension"]["refused_because"] == why
    due = "03-16 17:00" if why == "too_many" else "03-09 17:00"
    assert found(verdict, "complaint.overdue") == [("yellow", due, None)]


def test_the_wrong_unit_returns_it_within_a_day():
    back = ev("returned", "03-03 10:00")
    right = ev("assigned", "03-04 09:00", unit="other")
    assert found(judge(ASSIGNED, back, right, now="03-04 12:00")) == []
    late = judge(ASSIGNED, ev("returned", "03-03 10:01"), right, now="03-04 12:00")
    assert found(late) == [("complaint.late_return", "03-03 10:01", "03-03 10:01")]
    assert late.findings[0].due_at == at("03-03 10:00")
    # The right unit has its own five days.
    assert found(judge(ASSIGNED, back, right), "complaint.overdue") == [("yellow", "03-11 17:00", None)]


def test_an_order_nobody_was_given():
    assert found(judge(OPENED, now="03-05 17:01")) == [("complaint.unassigned", "03-05 17:00", None)]
    assert found(judge(OPENED, ev("assigned", "03-04 10:00", unit="u"), now="03-05 18:00")) == []
    # Opened for a unit is assigned.
    assert found(judge(ev("opened", "03-02 09:30", unit="u"), now="03-05 18:00")) == []


def test_an_answer_that_did_not_satisfy_is_given_back_with_a_clock_of_its_own():
    events = (ASSIGNED, ev("answered", "03-04 10:00"), ev("assigned", "03-10 10:00", unit="bureau"))
    assert found(judge(*events), "complaint.overdue") == [("yellow", "03-17 17:00", None)]
    closed = ev("closed", "03-05 10:00")
    assert found(judge(*events, closed)) == [], "nothing begins after the closing"


def test_the_same_unit_named_again_begins_nothing():
    again = ev("assigned", "03-06 10:00", unit="bureau")
    assert found(judge(ASSIGNED, again), "complaint.overdue") == [("yellow", "03-09 17:00", None)]


def test_other_limits_by_type():
    rules = centre(rules={"complaints": {"by_type": {"complaint": 13}}})
    assert found(judge(ev("opened", "03-02 09:00", type="complaint", unit="u"), rules=rules), "complaint.overdue") == [
        ("yellow", "03-19 17:00", None)
    ]  # fmt: skip


def test_names_and_switch():
    assert name_of(OPENED, ON) == "12345-1"
    assert name_of(said("complaint.opened", "03-02 09:00", case="c9"), ON) == "c9"
    assert not FAMILY.wanted(CENTRE)


moments = st.integers(0, 24 * 30).map(lambda hours: at("03-01 00:00") + timedelta(hours=hours))
histories = st.lists(
    st.builds(
        lambda kind, when, unit, approver: ev(
            kind, when, **{k: v for k, v in (("unit", unit), ("approver", approver)) if v}
        ),
        st.sampled_from(("opened", "assigned", "assigned", "extended", "answered", "returned", "closed")),
        moments,
        st.sampled_from((None, "u", "v")),
        st.sampled_from((None, "head")),
    ),
    max_size=7,
)


@settings(max_examples=80, deadline=None)
@given(histories, moments, st.integers(0, 999), st.floats(0, 1), st.sampled_from((ON, HUNAN)))
def test_only_the_set_of_events_counts_and_nothing_changes_before_look_at(some, now, seed, share, rules):
    check_set_only(FAMILY, "12345-1", some, rules, now, seed)
    check_look_at(FAMILY, "12345-1", some, rules, now, share)


@settings(max_examples=60, deadline=None)
@given(histories, moments, moments)
def test_what_happens_later_closes_no_yellow_that_was_open(some, now, later):
    now, later = sorted((now, later))
    before = {f.finding_id for f in FAMILY.judge("x", some, ON, now).findings if f.rule != "complaint.notice"}
    assert before <= {f.finding_id for f in FAMILY.judge("x", some, ON, later).findings}
