"""Complaints 3, 4, 5, 16: gateways that fail, and what becomes of the message."""

from __future__ import annotations

from tests.scenarios.language import Script, scenario
from tests.scenarios.probes import chain_count, row, tries
from tests.scenarios.steps import (
    acknowledge,
    busy,
    delivered,
    down,
    event,
    gateway,
    locked,
    message,
    mute,
    receipt_after,
    refuses,
    sms,
    switch_on,
    twice,
    undelivered,
)

HANDLER = {"routes": [{"id": "cards", "match": {"severity": ["red"]}, "to": ["handler"]}]}
SMS_THEN_VOICE = {
    "routes": [
        {"id": "cards", "match": {"severity": ["red"]}, "to": ["handler"], "channels": ["sms", "voice"]}
    ]
}


def overdue(s: Script, case: str = "C1", deadline: str = "15:00") -> None:
    s.at("14:00", event("case.accepted", case=case, item="A-001", window="A07", legal_deadline=deadline))


@scenario(
    day="2026-03-03", messages={"routes": [{"id": "cards", "match": {"severity": ["red"]}, "to": ["leader"]}]}
)
def test_a_gateway_that_is_down_for_hours_loses_nothing(s: Script) -> None:
    """ "Message lost because the retry time is the group interval" (3: AM 2486, 5077, 282): it has a deadline of its own."""
    overdue(s)
    overdue(s, "C2", "15:20")
    s.at("14:59", gateway("sms", down))
    s.expect_none("15:00", "18:29", sms())
    s.at("18:30", gateway("sms", delivered))
    # The longest pause between two tries is half an hour.
    s.expect("18:30", sms(to="王五", contains="C1"), sms(to="王五", contains="C2"), within="40min")


@scenario(day="2026-03-03", messages=HANDLER)
def test_few_tries_with_growing_pauses_then_a_dead_letter(s: Script) -> None:
    """ "200 retries in 10 minutes" (4: AM 2286): 1, 5, 15, 60, 300 … seconds between; after a day it is given up, visibly."""
    overdue(s)
    s.at("14:59", gateway("sms", down))
    s.check("15:10", tries("sms", at_least=5, at_most=8))
    s.check("16:10", tries("sms", at_least=7, at_most=12), row("ready", to="张三", about="C1"))
    s.check("03-04 15:01", row("dead", to="张三", about="C1", reason="gave_up"), tries("sms", at_most=60))
    s.expect_none("15:00", "03-04 16:00", sms())


@scenario(day="2026-03-03", messages=HANDLER)
def test_a_gateway_that_names_a_pause_gets_it(s: Script) -> None:
    """429 with Retry-After: all its messages wait, none is lost (4; table row 14)."""
    overdue(s)
    overdue(s, "C2", "15:01")
    s.at("14:59", gateway("sms", busy(300)))
    s.at("15:00:30", gateway("sms", delivered))
    s.expect_none("15:00", "15:04:59", sms())
    s.check("15:04", tries("sms", at_least=1, at_most=1))
    s.expect("15:05", sms(to="张三", contains="C1"), sms(to="张三", contains="C2"), within="30s")


@scenario(day="2026-03-03", channels={"sms": True, "voice": True}, messages=SMS_THEN_VOICE)
def test_second_channel_when_the_first_does_not_deliver(s: Script) -> None:
    """ "No second channel when the first fails" (5: AM 3359): a receipt says undelivered, the next channel is tried at once."""
    overdue(s)
    s.at("14:00", gateway("sms", undelivered))
    s.expect("15:00", sms(to="张三", contains="C1", why="opened"))
    s.expect("15:00:05", message("voice", to="张三", contains="C1", why="next_channel"), within="30s")
    s.expect_none("15:01", "18:00", message())
    s.check("15:02", row("undelivered", to="张三", about="C1"), row("delivered", to="张三", about="C1"))


@scenario(day="2026-03-03", channels={"sms": True, "voice": True}, messages=SMS_THEN_VOICE)
def test_second_channel_when_nothing_is_heard_of_the_first(s: Script) -> None:
    """No receipt within half an hour: whether it has arrived is unknown, so it goes by the next channel (5)."""
    overdue(s)
    s.at("14:00", gateway("sms", mute))
    s.expect("15:00", sms(to="张三", contains="C1"))
    s.expect_none("15:01", "15:29", message())
    s.expect("15:30", message("voice", to="张三", contains="C1", why="next_channel"), within="2min")


@scenario(day="2026-03-03", channels={"sms": True, "voice": True}, messages=SMS_THEN_VOICE)
def test_second_channel_when_the_first_refuses_for_good(s: Script) -> None:
    """Refused for good is not tried again there, but at once elsewhere (5; table row 16)."""
    overdue(s)
    s.at("14:00", gateway("sms", refuses, to="张三"))
    s.expect("15:00", message("voice", to="张三", contains="C1", why="next_channel"))
    s.check("16:00", row("dead", to="张三", about="C1", reason="refused"), tries("sms", at_most=1))


@scenario(
    day="2026-03-03",
    channels={"sms": True, "voice": True},
    messages={
        "routes": [
            {
                "id": "cards",
                "match": {"severity": ["red"]},
                "to": ["handler"],
                "channels": ["sms", "voice"],
                "escalate": [{"after": 60, "to": ["superior"]}],
            }
        ]
    },
)
def test_the_next_person_when_no_channel_reaches_the_first(s: Script) -> None:
    """The number does not exist: whoever comes next is told at once, not in an hour (5)."""
    overdue(s)
    s.at("14:00", gateway("sms", refuses, to="张三"), gateway("voice", refuses, to="张三"))
    s.expect("15:00", sms(to="李四", contains="C1", why="escalation"), within="60s")
    s.at("15:10", acknowledge("C1", person="李四"))
    s.expect_none("15:11", "18:00", message())


@scenario(day="2026-03-03", channels={"sms": True, "voice": True}, messages=SMS_THEN_VOICE)
def test_a_late_receipt_does_not_call_anybody_twice(s: Script) -> None:
    """A receipt that comes after twenty minutes, twice: no second channel, no second message (5; table row 17)."""
    overdue(s)
    s.at("14:00", gateway("sms", receipt_after(1200)))
    s.expect("15:00", sms(to="张三"))
    s.expect_none("15:01", "18:00", message())
    s.check("15:21", row("delivered", to="张三", about="C1"))


@scenario(day="2026-03-03", messages=HANDLER)
def test_a_receipt_said_twice_counts_once(s: Script) -> None:
    """Everything is said twice by this gateway; the row and the chain have it once (16; table row 17)."""
    overdue(s)
    s.at("14:00", gateway("sms", twice))
    s.expect("15:00", sms(to="张三"))
    s.check("15:05", row("delivered", to="张三", about="C1"), chain_count("C1", "message.delivered", 1))


@scenario(day="2026-03-03", messages={"red": ["handler", "superior", "inspectors"]})
def test_a_result_for_each_recipient(s: Script) -> None:
    """ "No result per recipient" (16: caronc/apprise 538, 306, 1611): one row per person, each with its own fate."""
    overdue(s)
    s.at("14:00", gateway("sms", undelivered, to="李四"), gateway("sms", refuses, to="赵六"))
    s.expect("15:00", sms(to="张三"), sms(to="李四"))
    s.check(
        "15:01",
        row("delivered", to="张三", about="C1"),
        row("undelivered", to="李四", about="C1"),
        row("dead", to="赵六", about="C1", reason="refused"),
    )


ALL_TO_VOICE = {
    "routes": [
        {"id": "cards", "match": {"severity": ["red"]}, "to": ["handler"], "channels": ["sms", "voice"]}
    ],
    "operators": ["zhou"],
}


@scenario(day="2026-03-03", channels={"sms": True, "voice": True}, messages=ALL_TO_VOICE)
def test_a_channel_refused_for_good_is_switched_off_and_the_operator_told(s: Script) -> None:
    """The account is in arrears: messages go another way at once, and who can mend it hears of it by a channel that works
    (table row 15; the sender's own failures)."""
    s.at("14:00", gateway("sms", locked))
    for number in range(1, 6):
        overdue(s, f"C{number}", "15:00")
        s.expect("15:00", message("voice", to="张三", contains=f"C{number}"), within="3min")
    s.expect("15:00", message("voice", to="周九", contains="sms", why="system"), within="3min")
    overdue(s, "C6", "16:00")
    s.expect("16:00", message("voice", to="张三", contains="C6"), within="60s")
    s.check("16:01", tries("sms", at_most=12))
    s.at("16:30", gateway("sms", delivered), switch_on("sms"))
    overdue(s, "C7", "17:00")
    s.expect("17:00", sms(to="张三", contains="C7"))
    s.ignores(message(to="周九", contains="恢复"))


@scenario(day="2026-03-03", channels={"sms": True, "voice": True}, messages=SMS_THEN_VOICE)
def test_a_gateway_that_fails_for_long_is_not_waited_for(s: Script) -> None:
    """Down for more than a quarter of an hour: what it has not taken goes by the next channel (5; table row 16)."""
    overdue(s)
    s.at("14:59", gateway("sms", down))
    s.expect_none("15:00", "15:13", message())
    s.expect("15:14", message("voice", to="张三", contains="C1", why="next_channel"), within="3min")
    s.at("16:00", gateway("sms", delivered))
    s.expect_none("15:18", "18:00", message())
