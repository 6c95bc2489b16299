"""The scenario language itself: what it says of a day that goes as told, and of one that does not."""

from __future__ import annotations

import re

import pytest

from tests.scenarios.language import Player, Script, scenario
from tests.scenarios.probes import held
from tests.scenarios.steps import event, message, sms


@scenario(day="2026-03-03")
def test_an_ordinary_day(s: Script) -> None:
    """A case accepted in the morning, decided in time: nobody hears anything. Another is not: those responsible do, at once."""
    s.at("09:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="17:00"))
    s.at("09:05", event("case.accepted", case="C2", item="A-001", window="A08", legal_deadline="17:00"))
    s.at("15:00", event("case.decided", case="C2", result="granted"))
    s.expect_none("09:00", "16:59:59", sms())
    s.expect("17:00", sms(to="张三", contains=("红牌", "C1")), sms(to="李四"), sms(to="赵六"))
    s.expect("17:00", sms(to="王五", contains="C1"), within="90s")


@scenario(day="2026-03-03", messages={"red": ["handler", "superior"]})
def _told_wrongly(s: Script) -> None:
    s.at("09:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.expect("15:00", sms(to="张三", contains="黄牌"))
    s.expect("15:00", sms(to="李四", count=2))
    s.expect_none("14:59", "15:01", message(to="李四"))
    s.check("15:01", held("quiet_hours", to="张三"))


def test_a_day_that_goes_otherwise_is_told_line_by_line(play: Player) -> None:
    """What is missing, what nobody expected, what must not be, what is not so: each once, then the day in its order."""
    with pytest.raises(pytest.fail.Exception) as failed:
        play(_told_wrongly.told.make())
    said, _, day = str(failed.value).partition("\n\n")
    assert [re.sub(r"/ack/\S+|【.*", "…", line) for line in said.splitlines()[1:]] == [
        "15:00:00–15:01:00: expected sms to 张三 “黄牌”, 0 came",
        "15:00:00–15:01:00: expected sms to 李四 x2, 1 came",
        "15:01:00: not so: a message to 张三 is held, reason quiet_hours; but zhang sms finding.red delivered",
        "15:00:00: came, and must not: message to 李四",
        "15:00:00: nobody expected sms → 张三 [opened] …",
    ]
    lines = day.splitlines()
    assert lines[0] == "09:00:00  > event case.accepted C1 A-001 A07"
    assert "· finding.notice to * by none about C1: skipped, not_configured" in lines[1]
    assert sum("✗" in line for line in lines) == 4
    assert [line[:8] for line in lines] == sorted(line[:8] for line in lines)


@scenario(day="2026-03-03", messages={"red": ["handler"]})
def test_other_messages_can_be_left_out_of_account(s: Script) -> None:
    """A scenario says what it is not about."""
    s.at("09:00", event("case.accepted", case="C1", item="A-001", window="A07", legal_deadline="15:00"))
    s.expect_none("09:00", "14:59:59", message())
    s.ignores(sms(to="张三"))
    s.check("15:01", *())
