"""Complaints 8 and 15: silences that come again, and putting off. (AM = prometheus/alertmanager)"""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import held, row
from tests.scenarios.steps import absent, event, present, silence, sms

HANDLER = {"routes": [{"id": "cards", "match": {"severity": ["red"]}, "to": ["handler"]}]}


def overdue(s: Script, case: str, deadline: str, window: str = "A07") -> None:
    accepted = event("case.accepted", case=case, item="A-001", window=window, legal_deadline=deadline)
    s.at("09:00", accepted)


@scenario(day="2026-02-13", messages=HANDLER)  # a Friday before a Saturday that is a working day
def test_a_silence_that_comes_again_on_working_days(s: Script) -> None:
    """ "No recurring silence" (8: AM 517, 214, 2892, 3339): by the legal calendar, with author, reason and end."""
    s.at(
        "09:00",
        silence(
            {"window": "A07"},
            until="03-12 18:00",
            author="赵六",
            reason="午间系统批处理",
            recurring={"days": ["working"], "hours": ["12:00-13:30"]},
        ),
    )
    overdue(s, "C1", "12:10")
    overdue(s, "C2", "12:10", window="A08")
    overdue(s, "C3", "15:00")
    overdue(s, "C4", "02-14 12:30")  # Saturday, made a working day
    overdue(s, "C5", "02-23 12:30")  # Monday, a holiday: nobody is silent
    s.expect("12:10", sms(to="钱七", contains="C2"))
    s.check("12:15", held("silenced", to="张三", about="C1", silence=lambda number: number is not None))
    s.expect("13:30", sms(to="张三", contains="C1"))
    s.expect("15:00", sms(to="张三", contains="C3"))
    s.expect_none("02-14 12:30", "02-14 13:29", sms())
    s.expect("02-14 13:30", sms(to="张三", contains="C4"))
    s.expect("02-23 12:30", sms(to="张三", contains="C5"))


@scenario(
    day="2026-03-03",
    messages={"notice": ["handler"], "red": ["handler"]},
    rules={"absence": {"notice": 10, "yellow": 120, "red": 240}},
)
def test_what_is_no_longer_true_when_the_silence_ends_is_not_told(s: Script) -> None:
    """Nothing is dropped without a word: the rows say that it was over, or revoked; a card is told all the same (8; table row 6)."""
    s.at("09:00", silence({"window": ["A07"]}, until="12:00", author="赵六", reason="窗口搬迁"))
    overdue(s, "C1", "10:00")
    overdue(s, "C2", "11:00")
    s.at("10:30", absent("A07"))
    s.at("10:50", present("A07"))
    s.at("11:30", event("case.decided", case="C1", result="granted", happened="09:50"))
    s.at("11:40", event("case.decided", case="C2", result="granted"))
    s.expect("12:00", sms(to="张三", contains=("红牌", "C2")))
    s.check(
        "12:01",
        row("skipped", to="张三", about="C1", reason="revoked"),
        row("skipped", to="张三", about="absence.notice", reason="over"),
    )
    s.ignores(sms(contains="预警：A07 规划许可窗口，办件"))


@scenario(day="2026-03-06", messages=HANDLER)
def test_one_case_is_put_off_until_monday(s: Script) -> None:
    """ "Postpone" (15: grafana/oncall 4846): one matter, until a moment, with a reason; all others come as ever."""
    overdue(s, "C1", "15:00")
    overdue(s, "C2", "15:30")
    reason = "已与申请人约定周一上午补材料"
    s.at("14:00", silence({"case": ["C1"]}, until="03-09 09:00", author="赵六", reason=reason))
    s.expect("15:30", sms(to="张三", contains="C2"))
    s.expect("03-09 09:00", sms(to="张三", contains="C1"))
