"""Intermediaries: promised days, and what article 43 forbids."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.intermediaries import FAMILY, judge_commission
from tests.detectors.making import CENTRE, at, centre
from tests.detectors.subjects import check_look_at, check_set_only, found, said

ON = centre(rules={"intermediaries": {}})
FILED = centre(
    rules={
        "intermediaries": {
            "promises": {"survey": {"days": 10}},
            "by_intermediary": {"swift": {"survey": {"days": 3}}},
        }
    }
)


def started(when="03-02 10:00", **more):
    data = {"commission": "k1", "intermediary": "swift", "service": "survey", "case": "c1", **more}
    return said("commission.started", when, **data)


def done(kind, when):
    return said(f"commission.{kind}", when, commission="k1")


def judge(*events, now="12-31 23:00", rules=ON):
    return judge_commission("k1", events, rules, at(now))


def test_a_report_comes_by_the_promised_day():
    assert found(judge(started(days=5), now="03-09 17:00")) == []
    verdict = judge(started(days=5))
    assert found(verdict) == [("commission.overdue", "03-09 17:00", None)]
    (finding,) = verdict.findings
    assert (finding.severity, finding.case) == ("yellow", "c1")
    assert finding.explain["intermediary"] == "swift"
    assert "art. 45" in finding.explain["articles"]
    assert found(judge(started(days=5), done("delivered", "03-09 17:00"))) == []
    assert found(judge(started(days=5), done("delivered", "03-10 09:00"))) == [
        ("commission.overdue", "03-09 17:00", "03-10 09:00")
    ]
    assert found(judge(started(days=5), done("cancelled", "03-05 17:00"))) == []


def test_calendar_days():
    assert found(judge(started(days=5, unit="calendar_day"))) == [("commission.overdue", "03-09 17:00", None)]


@pytest.mark.parametrize(
    ("agency", "days", "due"),
    [("swift", 8, "03-05 17:00"), ("swift", 2, "03-04 17:00"), ("slow", None, "03-16 17:00"), ("slow", 30, "03-16 17:00")],
)  # fmt: skip
def test_of_filed_and_agreed_days_the_shortest_counts(agency, days, due):
    verdict = judge(started(intermediary=agency, days=days), rules=FILED)
    assert found(verdict) == [("commission.overdue", due, None)]


def test_nobody_has_promised_anything():
    verdict = judge(started(), done("delivered", "03-09 10:00"))
    assert found(verdict) == [("commission.unpromised", "03-02 10:00", "03-09 10:00")]
    assert verdict.findings[0].severity == "notice"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"designated": True}, "commission.designated"),
        ({"ordered_by": "agency", "paid_by": "applicant"}, "commission.charged"),
    ],
)
def test_what_article_43_forbids_is_for_a_person_to_judge(data, rule):
    verdict = judge(started(days=5, **data), now="03-03 10:00")
    assert found(verdict) == [(rule, "03-02 10:00", None)]
    assert (verdict.findings[0].severity, "art. 43" in verdict.findings[0].explain["articles"]) == (
        "notice",
        True,
    )
    assert found(judge(started(days=5, ordered_by="applicant", paid_by="applicant"), now="03-03 10:00")) == []


def test_off_without_the_section():
    assert not FAMILY.wanted(CENTRE)
    assert FAMILY.name_of(started(), ON) == "k1"


moments = st.integers(0, 24 * 30).map(lambda hours: at("03-01 00:00") + timedelta(hours=hours))
histories = st.lists(
    st.one_of(
        st.builds(lambda when, days: started(when, days=days), moments, st.sampled_from((None, 3, 8))),
        st.builds(done, st.sampled_from(("delivered", "cancelled")), moments),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(histories, moments, st.integers(0, 999), st.floats(0, 1), st.sampled_from((ON, FILED)))
def test_only_the_set_of_events_counts_and_nothing_changes_before_look_at(some, now, seed, share, rules):
    check_set_only(FAMILY, "k1", some, rules, now, seed)
    check_look_at(FAMILY, "k1", some, rules, now, share)
