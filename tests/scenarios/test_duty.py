"""Complaint 15: who is on duty at weekends and holidays, who stands in for whom. (grafana/oncall 558, 4846)"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.steps import event, sms

INSPECTORS = {
    "routes": [{"id": "cards", "match": {"severity": ["red"]}, "to": ["inspectors"]}],
    "duty": [{"role": "inspectors", "person": "sun", "days": ["rest"]}],
}


def overdue(s: Script, case: str, deadline: str, window: str = "A07") -> None:
    s.at("09:00", event("case.accepted", case=case, item="A-001", window=window, legal_deadline=deadline))


@scenario(day="2026-02-13", messages=INSPECTORS)
def test_duty_follows_the_legal_calendar(s: Script) -> None:
    """ "On-call: weekends" (15: grafana/oncall 558): the Saturday that works is no rest day, the holiday Monday is one."""
    overdue(s, "C1", "15:00")
    overdue(s, "C2", "02-14 15:00")  # Saturday, a working day
    overdue(s, "C3", "02-16 15:00")  # Monday, Spring Festival
    overdue(s, "C4", "02-28 15:00")  # Saturday, a working day
    overdue(s, "C5", "03-01 15:00")  # Sunday
    s.expect("15:00", sms(to="赵六", contains="C1"))
    s.expect("02-14 15:00", sms(to="赵六", contains="C2"))
    s.expect("02-16 15:00", sms(to="孙八", contains="C3"))
    s.expect("02-28 15:00", sms(to="赵六", contains="C4"))
    s.expect("03-01 15:00", sms(to="孙八", contains="C5"))


@scenario(
    day="2026-03-03",
    messages={"routes": [{"id": "cards", "match": {"severity": ["red"]}, "to": ["handler"]}]},
    rules={"staffing": {}},
)
def test_a_substitute_hears_instead_of_who_is_on_leave(s: Script) -> None:
    """Overrides (15; table row 13): the leave names its substitute, and the B-post stands in while it is on."""
    leave = event(
        "leave.granted", staff="zhang", **{"from": "2026-03-03", "to": "2026-03-03"}, substitute="qian"
    )
    s.at("08:30", leave)
    overdue(s, "C1", "15:00")
    overdue(s, "C2", "03-04 15:00")
    s.expect("15:00", sms(to="钱七", contains="C1"))
    s.expect("03-04 15:00", sms(to="张三", contains="C2"))
