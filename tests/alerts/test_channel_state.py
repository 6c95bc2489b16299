"""A channel that its provider refuses for good is switched off: its messages go another way or wait, and come back with it."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from alerts import channel_state, leases
from alerts.channel_health import ChannelHealth
from alerts.hooks.base import Handed, UnclearSendError
from alerts.leases import Leased
from alerts.next_channel import NextChannel
from domain.errors import SendError
from tests.alerts.conftest import LINKS, NOW, QUICK, Desk, make_finding
from tests.alerts.ways import Asked, Told, put, sender_of, story

ARREARS = SendError("isv.AMOUNT_NOT_ENOUGH", permanent=True, scope="channel")
GONE = SendError("no such number", permanent=True)
AWAY = SendError("gateway not reached")


def message(number: int = 1, **more: Any) -> Leased:
    given: dict[str, Any] = {
        "message_id": number, "idempotency_key": f"k{number}", "finding_id": None, "phone": "1", "channel": "sms",
        "template": "finding.red", "params": {}, "attempts": 1, "created_at": NOW, "leased_by": "me", "has_ack": False,
        "in_doubt": False, "obsolete": False, "has_next": True,
    }  # fmt: skip
    return Leased(**(given | more))


# -- how one sender judges a channel


def test_so_often_in_a_row_and_it_is_off() -> None:
    health = ChannelHealth(900, 3)
    assert [health.refuses(number) for number in (1, 1, 2)] == ["channel", "channel", "off"]
    health.works(3)
    assert health.refuses(4) == "channel"


def test_what_gets_through_shows_that_it_is_the_message() -> None:
    health = ChannelHealth(900, 3)
    assert health.refuses(1) == "channel"
    health.works(2)
    assert health.refuses(1) == "message"
    assert health.refuses(3) == "channel"


def test_trouble_of_long_ago_says_nothing_of_now() -> None:
    health = ChannelHealth(900, 3)
    health.fails(0)
    health.fails(850)
    assert health.fails_for_long(900)
    health.fails(2000)
    assert not health.fails_for_long(2000)
    health.fails(2899)
    assert not health.fails_for_long(2899)
    health.works(1)
    assert not health.fails_for_long(9999)


@pytest.mark.parametrize(
    ("given", "error", "own", "expected"),
    [
        ({"has_next": False, "tried_for": 9e4}, AWAY, 60, 60),
        ({"tried_for": 0}, AWAY, 60, 60),
        ({"tried_for": 600}, AWAY, 1800, 300),  # no longer than its patience lasts
        ({"tried_for": 900}, AWAY, 1, None),
        ({"tried_for": 0}, SendError("x", wait=899), 1, 899),
        ({"tried_for": 0}, SendError("x", wait=900), 1, None),
        ({"tried_for": 0, "obsolete": True}, SendError("x", wait=900), 1, 900),
        ({"tried_for": 900}, UnclearSendError("x"), 60, 1),  # asked first
        ({"tried_for": 900, "in_doubt": True}, UnclearSendError("x"), 60, None),  # has been asked
        ({"tried_for": 0}, UnclearSendError("x", retry_after=3600), 60, None),  # cannot be asked for an hour
    ],
)
def test_when_a_message_is_tried_again_or_goes_on(
    given: dict[str, Any], error: SendError, own: float, expected: float | None
) -> None:
    health = ChannelHealth(900, 3)
    assert health.pause(message(**given), error, own, 0, can_query=True, soon=1) == expected


def test_where_a_channel_fails_for_long_a_message_makes_one_try() -> None:
    health = ChannelHealth(900, 3)
    for moment in (0, 800, 1000):
        health.fails(moment)
    assert health.pause(message(tried_for=0), AWAY, 1, 1000, can_query=True, soon=1) is None
    assert health.pause(message(tried_for=0, has_next=False), AWAY, 1, 1000, can_query=True, soon=1) == 1


# -- in the database


@pytest.mark.postgres
def test_a_channel_in_arrears_is_off_and_its_messages_go_by_the_next(desk: Desk) -> None:
    desk.issue(make_finding())  # its rows are those of another channel, and make the chain
    desk.connection.execute("delete from outbox")
    with desk.connection.transaction():
        from domain.chain import Entry
        from store import chain

        chain.append(desk.connection, "530502", [Entry("test", "x", {})], NOW)
    for number in range(5):
        put(desk, f"f1:x{number}:opened", fallback=None if number < 3 else [])
    sms, mail = Told(ARREARS), Told()
    desk.drain(sender_of(desk, sms=sms, mail=mail))
    (off,) = channel_state.list_off(desk.connection)
    assert (off.channel, off.reason, off.error, off.waiting) == ("sms", "refused", "isv.AMOUNT_NOT_ENOUGH", 2)
    assert (
        story(desk)
        == [("sms", "dead", "channel_off")] * 3 + [("sms", "ready", None)] * 2 + [("mail", "sent", None)] * 3
    )
    assert len(sms.taken) <= 2 * QUICK.workers  # one or two rounds, not a try for each message and minute
    tries = sum(desk.rows("attempts", "state = 'ready'"))
    sender_of(desk, sms=sms, mail=mail).step()
    assert sum(desk.rows("attempts", "state = 'ready'")) == tries
    kept = desk.connection.execute("select body from evidence where kind = 'channel.off'").fetchall()
    assert [json.loads(body)["payload"]["channel"] for (body,) in kept] == ["sms"]


@pytest.mark.postgres
def test_one_refused_number_is_no_refused_channel(desk: Desk) -> None:
    for number in range(5):
        put(desk, f"f1:x{number}:opened", fallback=[])
    desk.drain(sender_of(desk, sms=Told(GONE)))
    assert channel_state.off_channels(desk.connection) == frozenset()
    assert [row[1:] for row in story(desk)] == [("dead", "refused")] * 5


@pytest.mark.postgres
def test_one_message_that_a_wall_forbids_switches_nothing_off(desk: Desk) -> None:
    """HTTP 403 for one text, while all others get through."""
    put(desk, fallback=[])
    forbidden = SendError("HTTP 403", permanent=True, scope="channel")
    sender = sender_of(
        desk, dataclasses.replace(QUICK, refusals=2), sms=Told(forbidden, Handed("g"), forbidden)
    )
    sender.step()
    put(desk, "f1:p3:opened", fallback=[])
    desk.connection.execute("update outbox set next_try_at = now() + interval '1 hour' where attempts = 1")
    sender.step()
    desk.connection.execute("update outbox set next_try_at = now()")
    sender.step()
    assert story(desk) == [("sms", "dead", "refused"), ("sms", "sent", None)]
    assert channel_state.off_channels(desk.connection) == frozenset()


@pytest.mark.postgres
def test_what_may_have_left_before_the_channel_was_off_is_unknown(desk: Desk) -> None:
    follow = NextChannel(LINKS.digest)
    for key in ("f1:a:opened", "f1:b:opened", "f1:c:opened", "f1:d:opened"):
        put(desk, key)
    held = leases.lease(desk.connection, channel="sms", limit=3, by="dead", seconds=30)
    leases.try_later(desk.connection, held[0], error="unclear: cut", seconds=0, at=NOW)
    desk.connection.execute(
        "update outbox set leased_until = now() - interval '1 s' where message_id = %s", (held[1].message_id,)
    )
    channel_state.switch_off(desk.connection, "sms", reason="by hand", at=NOW)
    assert follow.leave(desk.connection, "sms", NOW, reason="channel_off") == 3
    assert [row[1:] for row in story(desk)[:4]] == [
        ("unknown", "channel_off"), ("unknown", "channel_off"), ("leased", None), ("dead", "channel_off"),
    ]  # fmt: skip
    entries = desk.connection.execute("select kind, body from evidence order by seq").fetchall()
    assert [kind for kind, _ in entries] == ["message.unknown", "message.unknown", "message.dead"]
    assert {json.loads(body)["payload"]["next"] for _, body in entries} == {"mail"}


@pytest.mark.postgres
def test_whoever_dies_while_messages_leave_a_channel_has_moved_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(desk)
    put(desk, "f1:p3:opened")
    follow, calls = NextChannel(LINKS.digest), []

    def dies(*given: Any, **more: Any) -> None:
        calls.append(given)
        raise ConnectionError("killed")

    with monkeypatch.context() as killing:
        killing.setattr("alerts.next_channel.chain.append", dies)
        with pytest.raises(ConnectionError):
            follow.leave(desk.connection, "sms", NOW, reason="channel_off")
    assert calls
    assert story(desk) == [("sms", "ready", None)] * 2
    assert follow.leave(desk.connection, "sms", NOW, reason="channel_off", limit=1) == 1
    assert follow.leave(desk.connection, "sms", NOW, reason="channel_off") == 1
    assert follow.leave(desk.connection, "sms", NOW, reason="channel_off") == 0


@pytest.mark.postgres
def test_nothing_leaves_a_channel_while_messages_are_held_after_a_restore(desk: Desk) -> None:
    from alerts.outbox import hold_messages

    put(desk)
    hold_messages(desk.connection, "restored")
    assert NextChannel(LINKS.digest).leave(desk.connection, "sms", NOW, reason="channel_off") == 0


@pytest.mark.postgres
def test_a_correction_keeps_its_wait_while_its_channel_is_off(desk: Desk) -> None:
    put(desk, template="finding.correction")
    desk.connection.execute("update outbox set next_try_at = now() + interval '15 s'")
    assert NextChannel(LINKS.digest).leave(desk.connection, "sms", NOW, reason="channel_off") == 0


@pytest.mark.postgres
def test_what_waits_does_not_die_and_comes_back_with_the_channel(desk: Desk) -> None:
    put(desk, fallback=[])
    channel_state.switch_off(desk.connection, "sms", reason="refused", error="x", at=NOW)
    assert not channel_state.switch_off(desk.connection, "sms", reason="again", at=NOW)
    desk.connection.execute("update outbox set give_up_at = now() - interval '1 hour', attempts = 2")
    assert leases.bury_overdue(desk.connection, NOW) == 0
    sms = Told()
    sender = sender_of(desk, sms=sms)
    assert sender.step() == 0
    assert channel_state.switch_on(desk.connection, "sms", by="wang", at=NOW) == 1
    assert channel_state.switch_on(desk.connection, "sms", at=NOW) is None
    left = desk.connection.execute("select give_up_at - now() from outbox").fetchone()
    assert left is not None
    assert left[0] > timedelta(hours=23)
    desk.drain(sender)
    assert story(desk) == [("sms", "sent", None)]


@pytest.mark.postgres
def test_after_it_is_on_again_it_takes_as_many_refusals_as_before(desk: Desk) -> None:
    put(desk, fallback=[])
    sms = Asked(ARREARS)
    sender = sender_of(desk, sms=sms)
    desk.drain(sender)
    assert len(sms.taken) == 3
    sender.step()
    channel_state.switch_on(desk.connection, "sms", at=NOW)
    sender.step()
    assert channel_state.off_channels(desk.connection) == frozenset()
    desk.drain(sender)
    assert channel_state.off_channels(desk.connection) == {"sms"}
