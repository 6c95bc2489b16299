"""Complaints 2, 6, 11: messages that come twice, or not at all, because a process died or there are several."""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import row
from tests.scenarios.steps import acknowledge, cut, delivered, event, gateway, kill_sender, restart, sms

CARD = {"yellow": ["handler", "superior"], "red": ["handler", "superior", "inspectors"]}


def overdue(s: Script) -> None:
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))


@scenario(day="2026-03-03", senders=3, messages=CARD)
def test_three_senders_send_each_message_once(s: Script) -> None:
    """ "Duplicates in HA" (2: AM 1005, 1550, 2033): one database decides, by a lease."""
    for number in range(1, 9):
        s.at(
            "14:00",
            event("case.accepted", case=f"C{number}", item="A-001", window="A07", legal_deadline="15:00"),
        )
        s.expect("15:00", *(sms(to=name, contains=f"C{number}") for name in ("张三", "李四", "赵六")))


@scenario(
    day="2026-03-03",
    senders=2,
    loops=3,
    messages={
        "red": ["handler"],
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler", "leader"],
                "remind_every": 30,
                "most_reminders": 1,
                "escalate": [{"after": 40, "to": ["superior"]}],
            }
        ],
    },
)
def test_three_rule_loops_write_each_message_once(s: Script) -> None:
    """Cards, groups, reminders and steps: whichever loop is first, the others find it done (2)."""
    for number in range(1, 6):
        s.at(
            "14:00",
            event("case.accepted", case=f"C{number}", item="A-001", window="A07", legal_deadline="15:00"),
        )
        s.expect("15:00", sms(to="张三", contains=f"C{number}", why="opened"))
        s.expect("15:30", sms(to="张三", contains=f"C{number}", why="reminder"))
        s.expect("15:40", sms(to="李四", contains=f"C{number}", why="escalation"))
    s.expect("15:01", sms(to="王五", contains="5项", why="digest"))
    s.expect("15:30", sms(to="王五", contains="5项", why="digest"), within="65s")
    s.expect_none("15:42", "18:00", sms())


@scenario(day="2026-03-03", messages=CARD)
def test_a_restart_loses_nothing_and_repeats_nothing(s: Script) -> None:
    """ "Restart loses alerts, re-sends resolves" (6: AM 2370, 889, 2447; GF 68162; grafana/alerting 156)."""
    overdue(s)
    s.at("14:59:59", restart)
    s.expect("15:00", sms(to="张三", contains="C1"), sms(to="李四"), sms(to="赵六"))
    s.at("15:00:30", restart)
    s.at("15:10", event("case.decided", case="C1", result="granted"))
    for moment in ("15:11", "15:12", "16:00", "03-04 09:00"):
        s.at(moment, restart)
    s.expect_none("15:01", "03-04 10:00", sms())


@scenario(day="2026-03-03", messages=CARD)
def test_rules_that_were_away_at_the_deadline_tell_of_it_when_they_are_back(s: Script) -> None:
    """ "Restart loses alerts" (6): the next moment to look at a case is kept with it, not in a timer (table row 2)."""
    overdue(s)
    s.at("14:30", restart)
    s.expect("15:00", sms(to="张三", contains="C1"), sms(to="李四"), sms(to="赵六"))


@scenario(day="2026-03-03", messages=CARD)
def test_killed_between_the_gateway_s_word_and_our_note(s: Script) -> None:
    """ "Notification lost on crash between claim and send" (11: HC 212): leased, sent, confirmed; in doubt the gateway is asked."""
    overdue(s)
    s.at("14:59", kill_sender)
    s.expect("15:00", sms(to="张三"), sms(to="李四"), sms(to="赵六"), within="90s")
    s.expect_none("15:01:30", "17:00", sms())
    s.check("15:05", *(row("delivered", to=name, about="C1") for name in ("张三", "李四", "赵六")))


@scenario(day="2026-03-03", messages=CARD)
def test_a_gateway_that_takes_a_message_and_hangs_up(s: Script) -> None:
    """The same doubt without a crash (11): asked before it is tried again, so no phone rings twice."""
    overdue(s)
    s.at("14:59", gateway("sms", cut))
    s.expect("15:00", sms(to="张三"), sms(to="李四"), sms(to="赵六"))
    s.at("15:00:30", gateway("sms", delivered))
    s.expect_none("15:01", "17:00", sms())
    s.check("15:05", row("delivered", to="张三", about="C1"))


@scenario(
    day="2026-03-03",
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler"],
                "remind_every": 30,
                "most_reminders": 2,
            }
        ]
    },
)
def test_reminders_and_acknowledgement_survive_a_restart(s: Script) -> None:
    """ "Restart loses alerts" (6): also what is still to come, and that somebody has acted."""
    overdue(s)
    s.expect("15:00", sms(to="张三", why="opened"))
    s.at("15:29:59", restart)
    s.expect("15:30", sms(to="张三", why="reminder"))
    s.at("15:40", acknowledge("C1", person="张三"))
    s.at("15:41", restart)
    s.expect_none("15:41", "18:00", sms())
