"""The scenario language itself: what it says of a day that goes as told, and of one that does not."""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.steps import event, sms


@scenario(day="2026-03-03")
def test_an_ordinary_day(s: Script) -> None:
    """A case accepted in the morning, decided in time: nobody hears anything. Another is not: those responsible do, at once."""
    s.at("09:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="17:00"))
    s.at("09:05", event("case.accepted", case="C2", item="A-001", window="A08", legal_deadline="17:00"))
    s.at("15:00", event("case.decided", case="C2", result="granted"))
    s.expect_none("09:00", "16:59:59", sms())
    s.expect("17:00", sms(to="张三", contains=("红牌", "C1")), sms(to="李四"), sms(to="赵六"))
    s.expect("17:00", sms(to="王五", contains="C1"), within="90s")
