"""Complaints 10 and 14: a stale picture looks fresh; alerts for every flutter. (GF = grafana/grafana, HC = healthchecks)"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import finding, no_finding, not_sent, query, row
from tests.scenarios.steps import absent, camera_fails, present, sms

HELD = {"routes": [{"id": "absence", "match": {"rule": ["absence.*"]}, "to": ["handler"], "hold_for": 5}]}


@scenario(
    day="2026-03-03",
    rules={"sources": {"feed_silent": 1000000, "camera_silent": 1}},
    messages={"notice": [], "yellow": ["handler"], "red": ["handler"]},
)
def test_a_camera_that_falls_silent_accuses_nobody(s: Script) -> None:
    """ "Stale picture looks fresh" (10: GF 10182, 1383, 98338; beszel 1876): what is not seen is unknown, never empty, never green."""
    s.at("10:00", absent("A07"))
    s.at("10:12", camera_fails("A07"))
    presence = "select presence, reason from window_state where window_id = 'A07'"
    s.check("10:13:30", query("A07 is unknown: stale", presence, [("unknown", "stale")]), within="60s")
    s.check("10:14", finding("source.silent", "source.silent", "open"), within="60s")
    s.check("10:59", no_finding("absence.yellow"), no_finding("absence.red"))
    s.ignores(sms(contains="数据中断"))
    s.expect_none("10:00", "11:00", sms(contains="无人在岗"))


@scenario(day="2026-03-03", messages={"notice": [], "yellow": ["handler"], "red": ["handler"]})
def test_an_empty_window_by_the_minute(s: Script) -> None:
    """Ten, fifteen, thirty minutes of nobody there; the one who is back ends it."""
    s.at("10:00", absent("A07"))
    s.expect("10:15", sms(to="张三", contains=("黄牌", "无人在岗")), within="60s")
    s.expect("10:30", sms(to="张三", contains=("红牌", "无人在岗")), within="60s")
    s.at("10:40", present("A07"))
    s.expect_none("10:31:30", "12:00", sms())


@scenario(day="2026-03-03", messages=HELD)
def test_only_what_lasts_is_told(s: Script) -> None:
    """ "Only alert after N failures" (14: HC 587, 525): a route holds for so long, and what is over by then was never told."""
    s.at("10:00", absent("A07"))
    s.at("10:12", present("A07"))  # the notice of 10:10 lasted two minutes
    s.check("10:16", not_sent("over", to="张三", about="absence.notice"))
    s.at("11:00", absent("A07"))
    s.expect("11:15", sms(to="张三", contains=("预警", "无人在岗")), within="60s")
    s.expect("11:20", sms(to="张三", contains=("黄牌", "无人在岗")), within="60s")
    s.at("11:25", present("A07"))
    s.expect_none("11:21:30", "12:00", sms())


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {"id": "absence", "match": {"rule": ["absence.notice"]}, "to": ["handler"], "hold_for": 5}
        ],
        "yellow": [],
        "red": [],
    },
)
def test_flapping_makes_no_messages(s: Script) -> None:
    """Somebody comes and goes a dozen times: not one message, and each decision is kept (14; table row 22)."""
    for hour in ("09", "10", "11"):
        for minute in ("01", "16", "31", "46"):
            s.at(f"{hour}:{minute}", absent("A07"))
            s.at(f"{hour}:{int(minute) + 12}", present("A07"))
    s.expect_none("09:00", "12:02", sms())
    told = "select count(*) from outbox where state = 'skipped' and reason = 'over'"
    s.check("12:02", query("twelve decisions not to send", told, [(12,)]), row("skipped", reason="over"))
