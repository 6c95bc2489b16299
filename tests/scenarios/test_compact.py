"""Scenarios of ten minutes: on the fake clock here, and against the real processes in test_processes.py."""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import chain, row
from tests.scenarios.steps import acknowledge, event, gateway, message, restart, sms, undelivered

CHANNELS = {"sms": True, "voice": True}


def overdue(s: Script, deadline: str, case: str = "C1") -> None:
    s.at("14:58", event("case.accepted", case=case, item="A-001", window="A07", legal_deadline=deadline))


@scenario(day="2026-03-03", channels=CHANNELS)
def test_an_ordinary_overdue_card(s: Script) -> None:
    """Three responsible people and the inspector, each once; the leader's waits a minute for others (domain.md 2c)."""
    overdue(s, "15:00")
    overdue(s, "15:00", "C2")
    s.at("14:59", event("case.decided", case="C2", result="granted"))
    s.expect("15:00", *(sms(to=name, contains=("红牌", "C1")) for name in ("张三", "李四", "赵六")))
    s.expect("15:01", sms(to="王五", contains=("红牌", "C1")))
    s.expect_none("15:03", "15:08", message())


@scenario(
    day="2026-03-03",
    channels=CHANNELS,
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler"],
                "remind_every": 2,
                "most_reminders": 5,
            }
        ]
    },
)
def test_an_acknowledgement_stops_the_reminders(s: Script) -> None:
    """ "Repeats come sooner than repeat_interval or never" (1), "no acknowledge" (9): the link is really clicked."""
    overdue(s, "15:00")
    s.expect("15:00", sms(to="张三", why="opened"))
    s.expect("15:02", sms(to="张三", why="reminder"))
    s.expect("15:04", sms(to="张三", why="reminder"))
    s.at("15:05", acknowledge("C1", person="张三"))
    s.expect_none("15:05:30", "15:08", message())
    s.check("15:06", chain("C1", "finding.opened", "message.delivered", "act.acknowledged"))


@scenario(
    day="2026-03-03",
    channels=CHANNELS,
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler", "superior"],
                "channels": ["sms", "voice"],
            }
        ]
    },
)
def test_the_next_channel(s: Script) -> None:
    """ "No second channel when the first fails" (5: AM 3359)."""
    s.at("14:58", gateway("sms", undelivered, to="张三"))
    overdue(s, "15:00")
    s.expect("15:00", sms(to="张三", contains="C1"), sms(to="李四", contains="C1"))
    s.expect("15:00", message("voice", to="张三", contains="C1", why="next_channel"))
    s.expect_none("15:02:30", "15:08", message())
    s.check("15:03", row("undelivered", to="张三", about="C1"))


@scenario(day="2026-03-03", channels=CHANNELS, messages={"red": ["handler", "superior", "inspectors"]})
def test_killed_around_the_deadline(s: Script) -> None:
    """ "Restart loses alerts, re-sends resolves" (6): every process is killed just before the deadline and again after it."""
    overdue(s, "15:05:30")
    s.at("15:05:20", restart)
    s.expect("15:05:30", *(sms(to=name, contains=("红牌", "C1")) for name in ("张三", "李四", "赵六")))
    s.at("15:07:30", restart)
    s.at("15:08", event("case.decided", case="C1", result="granted"))
    s.expect_none("15:07:30", "15:09", message())
