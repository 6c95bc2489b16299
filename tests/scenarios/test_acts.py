"""Complaints 7 and 9: no history, no acknowledgement. (AM = prometheus/alertmanager, GF = grafana/grafana)"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import chain, chain_count, row
from tests.scenarios.steps import acknowledge, answer, event, restart, revoke, sms

CARD = {"red": ["handler", "superior"]}
REMINDED = {
    "routes": [
        {"id": "cards", "match": {"severity": ["red"]}, "to": ["handler", "superior"], "remind_every": 30}
    ]
}


def overdue(s: Script) -> None:
    s.at("14:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))


@scenario(day="2026-03-03", messages=CARD)
def test_the_whole_way_of_a_card_is_kept(s: Script) -> None:
    """ "No history or audit of alerts" (7: AM 2223, 1976, 172): event, finding, message, receipt, act, in a chain of hashes."""
    overdue(s)
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.at("15:10", acknowledge("C1", person="张三"))
    s.at("15:30", answer("C1", person="张三"))
    s.at("15:40", event("case.decided", case="C1", result="granted"))
    way = ("finding.opened", "message.delivered", "act.acknowledged", "act.answered", "finding.closed")
    s.check("15:41", chain("C1", *way), chain_count("C1", "message.delivered", 2))
    s.at("16:00", restart)
    s.check("03-20 09:00", chain("C1", *way), row("delivered", to="李四", about="C1"))


@scenario(day="2026-03-03", messages=REMINDED)
def test_acknowledged_by_the_link(s: Script) -> None:
    """ "No acknowledge" (9: GF 13364, 18193): by whom and when is kept, and nobody is reminded any more."""
    overdue(s)
    s.expect("15:00", sms(to="张三", contains="/ack/"), sms(to="李四"))
    s.expect("15:30", sms(to="张三", why="reminder"), sms(to="李四", why="reminder"))
    s.at("15:45", acknowledge("C1", person="李四", by="link"))
    s.expect_none("15:46", "18:00", sms())
    s.check("15:46", chain("C1", "act.acknowledged"))


@scenario(day="2026-03-03", messages=REMINDED)
def test_acknowledged_by_a_short_message(s: Script) -> None:
    """A word sent back does as well as the link (9)."""
    overdue(s)
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.at("15:10", acknowledge("C1", person="张三", by="reply"))
    s.expect_none("15:11", "18:00", sms())
    s.check("15:11", chain("C1", "act.acknowledged"))


@scenario(day="2026-03-03", messages=REMINDED)
def test_acknowledged_at_the_desk(s: Script) -> None:
    """… and so does a click at the desk (9)."""
    overdue(s)
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.at("15:10", acknowledge("C1", person="李四", by="desk"))
    s.expect_none("15:11", "18:00", sms())


@scenario(day="2026-03-03", messages=REMINDED)
def test_an_answer_ends_reminders_too(s: Script) -> None:
    """Whoever says what happened has seen it (9)."""
    overdue(s)
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.at("15:20", answer("C1", person="张三"))
    s.expect_none("15:21", "18:00", sms())


@scenario(day="2026-03-03", messages=REMINDED)
def test_what_is_revoked_is_taken_back_once_and_nobody_acknowledges_it(s: Script) -> None:
    """Checked against the state at the moment of the click (9; grafana/oncall 3161: acknowledging a resolved group revived it)."""
    overdue(s)
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.at("15:10", event("case.decided", case="C1", result="granted", happened="14:30"))
    s.expect("15:10", sms(to="张三", contains="撤销"), sms(to="李四", contains="撤销"))
    s.at("15:20", acknowledge("C1", person="张三", by="link", refused=True))
    s.expect_none("15:11", "18:00", sms())
    s.check("15:21", chain_count("C1", "act.acknowledged", 0))


@scenario(day="2026-03-03", messages=REMINDED)
def test_an_inspector_revokes_and_everybody_told_hears_of_it(s: Script) -> None:
    """A card that was wrong is taken back without being deleted; reminders end (7)."""
    overdue(s)
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.at("15:10", revoke("C1", person="赵六", text="系统对时错误"))
    s.expect("15:10", sms(to="张三", contains="撤销"), sms(to="李四", contains="撤销"))
    s.expect_none("15:11", "18:00", sms())
    s.check("15:12", chain("C1", "finding.opened", "act.revoked"))
