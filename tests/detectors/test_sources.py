"""A silent camera or feed is a finding of its own."""

from __future__ import annotations

from detectors.sources import judge_source
from tests.detectors.making import CENTRE, at, show


def judge(*gaps, now, kind="feed"):
    return judge_source("approval", kind, [(at(a), b and at(b)) for a, b in gaps], CENTRE, at(now))


def found(verdict):
    return [(show(f.opened_at), show(f.closed_at)) for f in verdict.findings]


def test_a_feed_is_silent_after_an_hour_of_office_time():
    assert found(judge(("03-03 09:30", None), now="03-03 10:30")) == []
    verdict = judge(("03-03 09:30", None), now="03-03 10:31")
    assert found(verdict) == [("03-03 10:30", None)]
    assert verdict.findings[0].severity == "notice"
    assert verdict.findings[0].explain["last_seen"].startswith("2026-03-03T09:30")
    assert verdict.status["silent"] is True


def test_nights_and_lunch_are_not_silence():
    assert found(judge(("03-03 16:30", None), now="03-04 09:30")) == []
    assert found(judge(("03-03 11:30", None), now="03-03 14:01")) == [("03-03 14:00", None)]


def test_a_camera_is_silent_after_a_minute():
    assert found(judge(("03-03 09:30", None), now="03-03 09:32", kind="camera")) == [("03-03 09:31", None)]


def test_it_closes_with_the_next_sign_of_life():
    gaps = [("03-03 09:30", "03-03 11:00"), ("03-03 11:00", "03-03 11:30"), ("03-03 11:30", None)]
    assert found(judge(*gaps, now="03-03 11:40")) == [("03-03 10:30", "03-03 11:00")]


def test_it_says_when_to_look_again():
    verdict = judge(("03-03 09:30", None), now="03-03 09:40")
    assert found(judge(("03-03 09:30", None), now="03-03 10:30")) == []
    assert judge_source("approval", "feed", [(at("03-03 09:30"), None)], CENTRE, verdict.look_at).findings
