"""A silent camera or feed is a finding of its own."""

from __future__ import annotations

from detectors.sources import judge_source
from domain.observations import SiteIncident
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


def incident(began, ended=None, cameras=("K1", "K2"), site="二层交换机"):
    return SiteIncident(site, at(began), ended and at(ended), "together", frozenset(cameras), 3)


def camera(*gaps, now, incidents, name="K1"):
    spans = [(at(a), b and at(b)) for a, b in gaps]
    return judge_source(name, "camera", spans, CENTRE, at(now), incidents=incidents)


def test_a_camera_in_an_incident_of_its_site_is_not_spoken_of_and_says_what_inhibits_it():
    verdict = camera(("03-03 09:30", None), now="03-03 10:00", incidents=[incident("03-03 09:30")])
    assert found(verdict) == []
    assert verdict.status["inhibited_by"] == "source:site:二层交换机"
    assert verdict.status["silent"] is True
    other = camera(("03-03 09:30", None), now="03-03 10:00", incidents=[incident("03-03 09:30")], name="K3")
    assert found(other) == [("03-03 09:31", None)]


def test_after_the_incident_a_camera_that_stays_away_is_spoken_of_from_its_end_on():
    over = [incident("03-03 09:30", "03-03 09:50")]
    assert found(camera(("03-03 09:30", None), now="03-03 10:00", incidents=over)) == [("03-03 09:51", None)]
    assert found(camera(("03-03 09:30", "03-03 09:50"), now="03-03 10:00", incidents=over)) == []
    assert found(camera(("03-03 09:55", None), now="03-03 10:00", incidents=over)) == [("03-03 09:56", None)]


def test_the_site_itself_is_one_finding_with_how_many_of_how_many():
    verdict = judge_source(
        "二层交换机",
        "site",
        [],
        CENTRE,
        at("03-03 10:00"),
        incidents=[incident("03-03 09:30", "03-03 09:50")],
    )
    assert found(verdict) == [("03-03 09:31", "03-03 09:50")]
    (finding,) = verdict.findings
    assert (finding.explain["failed"], finding.explain["cameras"]) == (2, 3)
    short = judge_source(
        "二层交换机",
        "site",
        [],
        CENTRE,
        at("03-03 10:00"),
        incidents=[incident("03-03 09:30", "03-03 09:30")],
    )
    assert found(short) == []
