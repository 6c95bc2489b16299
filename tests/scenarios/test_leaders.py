"""Floods, groups, digests and budgets: leaders get one message, cards stay single. (Issue's own; table rows 5, 7, 20, 21)"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import gathered, held, not_sent, row
from tests.scenarios.steps import event, sms


def overdue(s: Script, case: str, deadline: str, when: str = "09:00", **data: str) -> None:
    s.at(when, event("case.accepted", case=case, item="A-001", window="A07", legal_deadline=deadline, **data))


@scenario(day="2026-03-03", messages={"red": ["handler", "leader"]})
def test_messages_to_a_leader_leave_as_one_and_cards_stay_single(s: Script) -> None:
    """Grouping for messages, never for cards (table row 5): what comes to a leader within a minute leaves together."""
    for number in range(1, 6):
        overdue(s, f"C{number}", "15:00")
        s.expect("15:00", sms(to="张三", contains=("红牌", f"C{number}")))
    s.expect("15:01", sms(to="王五", contains=("5项", "A07 规划许可超法定时限5件"), why="digest"))
    s.check("15:02", *(gathered(to="王五", about=f"C{number}") for number in range(1, 6)))
    overdue(s, "C6", "16:00")
    s.expect("16:00", sms(to="张三", contains="C6"))
    s.expect("16:01", sms(to="王五", contains=("红牌", "C6"), why="opened"))


@scenario(day="2026-03-03", messages={"red": ["handler", "leader"]})
def test_a_correction_for_who_was_told_in_a_group(s: Script) -> None:
    """Told in a digest is told: when one of its findings is revoked, the leader hears of it (table row 5)."""
    overdue(s, "C1", "15:00")
    overdue(s, "C2", "15:00")
    s.expect("15:00", sms(to="张三", contains="C1"), sms(to="张三", contains="C2"))
    s.expect("15:01", sms(to="王五", contains="2项"))
    s.at("15:20", event("case.decided", case="C1", result="granted", happened="14:50"))
    s.expect("15:20", sms(to="张三", contains=("撤销", "C1")))
    s.expect("15:20", sms(to="王五", contains=("撤销", "C1")), within="90s")


@scenario(
    day="2026-03-03",
    messages={
        "yellow": ["inspectors"],
        "red": ["handler"],
        "flood": {"more_than": 3, "within": 10, "every": 30},
    },
)
def test_a_flood_becomes_a_digest_and_red_cards_stay_single(s: Script) -> None:
    """More than three in ten minutes to one person: the rest in one message every half hour (table row 21)."""
    for number in range(1, 9):
        overdue(s, f"Y{number}", "03-20 17:00", promised_deadline="15:00")
        overdue(s, f"R{number}", "15:00")
        s.expect("15:00", sms(to="张三", contains=("红牌", f"R{number}")))
    s.expect("15:00", sms(to="赵六", contains="黄牌", count=3))
    s.check("15:05", held("flood", to="赵六"))
    s.expect("15:30", sms(to="赵六", contains="5项", why="digest"))


@scenario(
    day="2026-03-03",
    messages={
        "yellow": ["inspectors"],
        "red": ["inspectors"],
        "flood": None,
        "budget": {"per_day": 5, "keep_for_red": 2},
    },
)
def test_a_number_s_budget_of_the_day(s: Script) -> None:
    """Aliyun takes 50 a day for a number: what is left is kept for red cards, what falls out comes in the next digest (row 20)."""
    for number in range(1, 6):
        overdue(s, f"Y{number}", "03-20 17:00", promised_deadline=f"10:0{number}")
    overdue(s, "R1", "15:00")
    s.expect("10:01", sms(to="赵六", contains="Y1"))
    s.expect("10:02", sms(to="赵六", contains="Y2"))
    s.expect("10:03", sms(to="赵六", contains="Y3"))
    s.check("10:06", held("budget", to="赵六", about="Y4"), held("budget", to="赵六", about="Y5"))
    s.expect("15:00", sms(to="赵六", contains=("红牌", "R1")))
    s.check("17:00", row("held", to="赵六", about="Y4", reason="budget"))
    s.expect("03-04 09:00", sms(to="赵六", contains="2项", why="digest"))


@scenario(
    day="2026-03-06",
    messages={"red": ["handler"], "digest": {"at": "17:30", "days": "working", "to": ["leader"]}},
)
def test_the_day_s_digest_on_working_days(s: Script) -> None:
    """Counts to leaders, on the working calendar (table row 21)."""
    overdue(s, "C1", "15:00")
    overdue(s, "C2", "16:00")
    overdue(s, "C3", "03-07 10:00")
    s.expect("15:00", sms(to="张三", contains="C1"))
    s.expect("16:00", sms(to="张三", contains="C2"))
    s.expect("17:30", sms(to="王五", contains="监察日报", why="digest"))
    s.expect("03-07 10:00", sms(to="张三", contains="C3"))
    s.expect_none("03-06 17:32", "03-09 17:29", sms(to="王五"))
    s.expect("03-09 17:30", sms(to="王五", contains="监察日报", why="digest"))


@scenario(day="2026-03-03", messages={"yellow": ["handler"], "red": ["handler"]})
def test_the_worse_card_speaks_for_the_lesser(s: Script) -> None:
    """Both limits end at one moment: one message, and the other row names what inhibited it (table row 7)."""
    overdue(s, "C1", "15:00", promised_deadline="15:00")
    s.expect("15:00", sms(to="张三", contains=("红牌", "C1")))
    s.check("15:01", not_sent("inhibited", to="张三", about="C1", inhibitor=lambda by: by is not None))
    s.expect_none("15:00", "18:00", sms(contains="黄牌"))
