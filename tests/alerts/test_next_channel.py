"""What one channel does not bring goes on by the next: exactly once, in one transaction with the outcome, and only what is true."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from alerts import leases, receipts
from alerts.hooks.base import Handed, Pushed, Receipt, UnclearSendError
from alerts.next_channel import NextChannel, no_longer_true
from alerts.receipt_rounds import ReceiptRounds
from alerts.receipts_app import create_receipts_app
from alerts.sender import SenderSettings
from domain.errors import SendError
from tests.alerts.conftest import LINKS, NOW, QUICK, Desk, make_finding, save_finding
from tests.alerts.ways import MAIL, Asked, Told, age, put, sender_of, story

pytestmark = pytest.mark.postgres

FOLLOW = NextChannel(LINKS.digest)
PATIENT = dataclasses.replace(QUICK, channel_patience=900.0, max_tries=60)
AWAY = SendError("gateway not reached (ConnectError)")
CUT = UnclearSendError("no answer (ReadTimeout)")
GONE = SendError("no such number", permanent=True)


def chain_of(desk: Desk, kind: str) -> list[dict[str, Any]]:
    import json

    rows = desk.connection.execute("select body from evidence where kind = %s order by seq", (kind,))
    return [json.loads(body)["payload"] for (body,) in rows]


# -- on which outcomes


def test_a_refused_message_goes_on_with_a_key_and_a_link_of_its_own(desk: Desk) -> None:
    put(desk)
    mail = Told(Handed("m1"))
    desk.drain(sender_of(desk, sms=Told(GONE), mail=mail))
    assert story(desk) == [("sms", "dead", "refused"), ("mail", "sent", None)]
    (letter,) = mail.taken
    assert (letter.idempotency_key, letter.to) == ("f1:p2:opened>mail", MAIL)
    assert letter.text.endswith(LINKS.link("f1:p2:opened>mail"))
    first, second = desk.rows("message_id, follows, why, route, level, ack_token, ack_expires_at, created_at")
    assert second[1:5] == (first[0], "next_channel", "r1", 2)
    assert second[5] == LINKS.digest("f1:p2:opened>mail")
    assert second[6] == first[6]
    (dead,) = chain_of(desk, "message.dead")
    assert (dead["reason"], dead["next"]) == ("refused", "mail")


def test_it_goes_on_until_nothing_is_left(desk: Desk) -> None:
    put(desk, fallback=[["mail", MAIL], ["wecom", "li.si"]])
    desk.drain(sender_of(desk, sms=Told(GONE), mail=Told(GONE), wecom=Told(GONE)))
    assert [row[:2] for row in story(desk)] == [("sms", "dead"), ("mail", "dead"), ("wecom", "dead")]
    assert desk.rows("idempotency_key")[-1] == "f1:p2:opened>mail>wecom"
    assert desk.rows("fallback") == [[["mail", MAIL], ["wecom", "li.si"]], [["wecom", "li.si"]], []]


@pytest.mark.parametrize("fate", ["undelivered", "unknown"])
def test_what_does_not_arrive_goes_on_once_however_often_it_is_said(desk: Desk, fate: Any) -> None:
    put(desk)
    sms = Told(Handed("g1"))
    sender_of(desk, sms=sms).step()
    for _ in range(2):
        receipts.take(
            desk.connection, "sms", [Receipt(fate, "g1"), Receipt("undelivered", "g1")], NOW, follow=FOLLOW
        )
    assert story(desk) == [("sms", "undelivered", None), ("mail", "ready", None)]
    assert chain_of(desk, f"message.{fate}")[0]["next"] == "mail"


def test_a_pushed_and_a_fetched_receipt_send_it_on(desk: Desk) -> None:
    """The ways receipts really come: through the wall's door, and by the sender's rounds."""

    class Gateway(Told):
        def read_push(self, *_: object) -> Pushed:
            return Pushed([Receipt("undelivered", idempotency_key="f1:p2:opened")])

        def pull(self) -> Pushed:
            fetched.append(1)
            return Pushed(
                [Receipt("undelivered", idempotency_key="f1:p3:opened")] if len(fetched) == 1 else []
            )

    fetched: list[int] = []
    hook = Gateway(Handed("g"))
    for key in ("f1:p2:opened", "f1:p3:opened"):
        put(desk, key)
    sender = sender_of(desk, sms=hook)
    sender.step()
    app = create_receipts_app(desk.dsn, desk.clock, {"sms": hook}, follow=FOLLOW)
    with TestClient(app) as client:
        assert client.post("/sms").status_code == 200
    assert desk.rows("idempotency_key", "follows is not null") == ["f1:p2:opened>mail"]
    ReceiptRounds(desk.dsn, {"sms": hook}, desk.clock, sender.outgoing, follow=FOLLOW).round(desk.connection)
    assert desk.rows("idempotency_key", "follows is not null") == ["f1:p2:opened>mail", "f1:p3:opened>mail"]


def test_an_answer_that_says_undelivered_at_once_goes_on(desk: Desk) -> None:
    put(desk)
    sender_of(desk, sms=Told(Handed("g1", fate="undelivered"))).step()
    assert story(desk) == [("sms", "undelivered", None), ("mail", "ready", None)]


def test_a_receipt_that_never_comes_is_unknown_and_goes_on(desk: Desk) -> None:
    put(desk)
    sms = Asked(Handed("g1"))
    sms.read_push = lambda *_: None  # type: ignore[attr-defined]
    sender = sender_of(desk, dataclasses.replace(QUICK, patience=0.0), sms=sms)
    sender.step()
    ReceiptRounds(desk.dsn, {"sms": sms}, desk.clock, sender.outgoing, follow=FOLLOW).round(desk.connection)
    assert story(desk) == [("sms", "unknown", None), ("mail", "ready", None)]


def test_what_is_too_old_to_be_sent_goes_on(desk: Desk) -> None:
    put(desk)
    desk.connection.execute("update outbox set give_up_at = now()")
    assert leases.bury_overdue(desk.connection, NOW, follow=FOLLOW) == 1
    assert story(desk) == [("sms", "dead", "gave_up"), ("mail", "ready", None)]
    put(desk, "f1:p3:opened")
    (message,) = leases.lease(desk.connection, channel="sms", limit=9, by="me", seconds=30)
    leases.try_later(desk.connection, message, error="x", seconds=25 * 3600, at=NOW, follow=FOLLOW)
    assert [row[0] for row in desk.rows("channel, follows", f"follows = {message.message_id}")] == ["mail"]


def test_a_late_delivered_is_kept_and_calls_off_what_has_not_left(desk: Desk) -> None:
    keys = ["f1:p2:opened", "f1:p3:opened"]
    for key in keys:
        put(desk, key)
    sender_of(desk, sms=Told()).step()
    for key in keys:
        unknown = [Receipt("unknown", idempotency_key=key)]
        receipts.take(desk.connection, "sms", unknown, NOW, follow=FOLLOW)
    desk.connection.execute(
        "update outbox set state = 'sent', attempts = 1 where idempotency_key = 'f1:p3:opened>mail'"
    )
    arrived = [Receipt("delivered", idempotency_key=key) for key in keys]
    receipts.take(desk.connection, "sms", arrived, NOW, follow=FOLLOW)
    assert story(desk) == [
        ("sms", "delivered", None), ("sms", "delivered", None),
        ("mail", "skipped", "already_told"), ("mail", "sent", None),
    ]  # fmt: skip


# -- what is no longer true


@pytest.mark.parametrize(
    ("finding", "template", "params", "ack", "expected"),
    [
        ({"finding_state": "revoked"}, "finding.yellow", {}, True, "revoked"),
        ({"finding_state": "closed", "severity": "notice"}, "finding.notice", {}, True, "over"),
        ({"finding_state": "closed"}, "finding.yellow", {}, True, None),  # a card stands
        ({"acknowledged_at": NOW}, "finding.yellow", {}, True, "acknowledged"),
        ({"acknowledged_at": NOW}, "finding.reminder", {"late": "answer"}, False, None),
        (
            {"acknowledged_at": NOW, "life": "acknowledged"},
            "finding.again",
            {"until": "answered"},
            True,
            None,
        ),
        ({"life": "answered"}, "finding.reminder", {"late": "answer"}, False, "over"),
        ({"finding_state": "revoked"}, "finding.correction", {}, False, None),
        ({"finding_state": "open"}, "finding.correction", {}, False, "reopened"),
        ({"finding_state": None}, "digest.daily", {}, False, None),
    ],
)
def test_what_is_no_longer_true_does_not_go_on(
    finding: dict[str, Any], template: str, params: dict[str, str], ack: bool, expected: str | None
) -> None:
    row = {
        "finding_state": "open",
        "severity": "yellow",
        "life": "open",
        "acknowledged_at": None,
        "created_at": NOW,
    } | finding
    assert no_longer_true(row | {"template": template, "params": params, "has_ack": ack}) == expected


def test_what_does_not_go_on_says_why(desk: Desk) -> None:
    message = put(desk)
    desk.connection.execute("update finding set acknowledged_at = now()")
    assert FOLLOW(desk.connection, message, NOW) is None
    assert desk.rows("channel, state, reason", "follows is not null") == [("mail", "skipped", "acknowledged")]


# -- once, and with the outcome


def test_whoever_dies_between_outcome_and_follower_has_done_neither(desk: Desk) -> None:
    put(desk)
    (message,) = leases.lease(desk.connection, channel="sms", limit=1, by="me", seconds=30)

    def dies(*_: object) -> str:
        raise ConnectionError("killed")

    for statement in (
        lambda: leases.bury(desk.connection, message, reason="refused", error="x", at=NOW, follow=dies),
        lambda: leases.try_later(desk.connection, message, error="x", seconds=9e5, at=NOW, follow=dies),
        lambda: receipts.take(
            desk.connection,
            "sms",
            [Receipt("undelivered", idempotency_key=message.idempotency_key)],
            NOW,
            follow=dies,
        ),
    ):
        with pytest.raises(ConnectionError):
            statement()
        assert story(desk) == [("sms", "leased", None)]
    assert chain_of(desk, "message.dead") == []


def test_two_who_end_the_same_message_send_it_on_once(desk: Desk) -> None:
    message = put(desk)
    other = psycopg.connect(desk.dsn)
    with other.transaction():
        assert FOLLOW(other, message, NOW) == "mail"
        desk.connection.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            FOLLOW(desk.connection, message, NOW)  # waits for the other's unique key
    assert FOLLOW(desk.connection, message, NOW) is None
    assert len(desk.rows("1", "follows is not null")) == 1
    other.close()


def test_without_the_unique_key_it_would_go_twice(desk: Desk) -> None:
    """Guards the test above: the index is what prevents it, not the key alone."""
    message = put(desk)
    FOLLOW(desk.connection, message, NOW)
    another = put(desk, "f1:p3:opened")
    with pytest.raises(psycopg.errors.UniqueViolation, match="outbox_follows"):
        desk.connection.execute("update outbox set follows = %s where message_id = %s", (message, another))


def test_what_went_on_is_not_sent_by_the_first_channel_as_well(desk: Desk) -> None:
    from alerts.outbox import revive

    put(desk)
    put(desk, "f1:p3:opened", fallback=[])
    desk.drain(sender_of(desk, sms=Told(GONE), mail=Told()))
    assert revive(desk.connection, ["f1:p2:opened", "f1:p3:opened"]) == ["f1:p3:opened"]


# -- a channel that fails passingly


def test_a_channel_that_cannot_be_reached_holds_a_message_for_its_patience_only(desk: Desk) -> None:
    put(desk)
    sender = sender_of(desk, PATIENT, sms=Told(AWAY), mail=Told())
    sender.step()
    assert story(desk) == [("sms", "ready", None)]
    age(desk, 890)
    sender.step()
    assert story(desk) == [("sms", "ready", None)]
    age(desk, 11)
    desk.drain(sender)
    assert story(desk) == [("sms", "dead", "channel_failing"), ("mail", "sent", None)]


def test_without_another_channel_it_is_tried_for_its_day(desk: Desk) -> None:
    put(desk, fallback=[])
    sender = sender_of(desk, PATIENT, sms=Told(AWAY))
    for _ in range(3):
        sender.step()
        age(desk, 7200)
    assert story(desk) == [("sms", "ready", None)]


@pytest.mark.parametrize("error", [SendError("full", wait=3600), SendError("HTTP 503", retry_after=3600)])
def test_a_gateway_that_asks_for_more_than_our_patience_loses_the_message_at_once(
    desk: Desk, error: SendError
) -> None:
    put(desk)
    desk.drain(sender_of(desk, PATIENT, sms=Told(error), mail=Told()))
    assert story(desk) == [("sms", "dead", "channel_failing"), ("mail", "sent", None)]


def test_what_may_have_arrived_is_asked_for_before_it_goes_on(desk: Desk) -> None:
    put(desk)
    sms = Asked(CUT)
    sender = sender_of(desk, PATIENT, sms=sms, mail=Told())
    sender.step()
    age(desk, 1000)
    sms.knows = Handed("g1")
    desk.drain(sender)
    assert (story(desk), sms.questions, len(sms.taken)) == ([("sms", "sent", None)], 1, 1)


def test_what_the_gateway_does_not_have_goes_on_and_is_not_sent_there_again(desk: Desk) -> None:
    put(desk)
    sms = Asked(CUT)
    sender = sender_of(desk, PATIENT, sms=sms, mail=Told())
    sender.step()
    age(desk, 1000)
    desk.drain(sender)
    assert story(desk) == [("sms", "dead", "channel_failing"), ("mail", "sent", None)]
    assert (sms.questions, len(sms.taken)) == (1, 1)


@pytest.mark.parametrize("sms", [Told(CUT), Asked(CUT, knows=SendError("away")), Asked(CUT, knows=GONE)])
def test_what_stays_in_doubt_is_unknown_and_goes_on(desk: Desk, sms: Told) -> None:
    put(desk)
    sender = sender_of(desk, PATIENT, sms=sms, mail=Told())
    sender.step()
    age(desk, 1000)
    desk.drain(sender)
    assert story(desk) == [("sms", "unknown", "channel_failing"), ("mail", "sent", None)]
    receipts.take(
        desk.connection, "sms", [Receipt("delivered", idempotency_key="f1:p2:opened")], NOW, follow=FOLLOW
    )
    assert story(desk) == [("sms", "delivered", None), ("mail", "sent", None)]


def test_a_doubt_that_nobody_can_ask_about_is_not_forgotten_by_a_clear_failure(desk: Desk) -> None:
    put(desk)
    sender = sender_of(desk, PATIENT, sms=Told(CUT, AWAY), mail=Told())
    sender.step()
    sender.step()
    age(desk, 1000)
    desk.drain(sender)
    assert story(desk) == [("sms", "unknown", "channel_failing"), ("mail", "sent", None)]


def test_what_waits_behind_a_failing_channel_goes_on_too(desk: Desk) -> None:
    """One worker, a gateway that hangs: the others never get their try, and must not wait for it."""
    seconds = [0.0]
    settings = SenderSettings(workers=1, waits=(60.0,), jitter=0.0, channel_patience=900.0)
    for number in range(4):
        put(desk, f"f1:x{number}:opened", fallback=None if number < 3 else [])
    sender = sender_of(desk, settings, sms=Told(SendError("HTTP 503", retry_after=60)), mail=Told())
    sender._monotonic = lambda: seconds[0]
    sender.step()
    seconds[0] = 30
    sender.step()
    assert [row[:2] for row in story(desk)] == [("sms", "ready")] * 4
    desk.connection.execute(
        "update outbox set next_try_at = now() - interval '1000 seconds' where attempts = 0"
    )
    seconds[0] = 901
    sender.step()
    assert [row[1] for row in desk.rows("channel, state", "channel = 'sms'")] == [
        "ready",
        "dead",
        "dead",
        "ready",
    ]
    assert len(desk.rows("1", "channel = 'mail'")) == 2


def test_a_channel_that_was_taken_out_of_the_file_keeps_nothing(desk: Desk) -> None:
    put(desk, channel="fax")
    put(desk, "f1:p3:opened", channel="fax", fallback=[])
    sender = sender_of(desk, dataclasses.replace(PATIENT, heartbeat=0.0), mail=Told())
    sender.step()
    assert [row[:2] for row in story(desk)] == [("fax", "ready"), ("fax", "ready")]
    desk.connection.execute("update outbox set next_try_at = now() - interval '901 s'")
    desk.drain(sender)
    sender.step()
    assert [row[:2] for row in story(desk)] == [("fax", "dead"), ("fax", "ready"), ("mail", "sent")]


# -- the next person


def escalate_at(desk: Desk, finding: str = "f1") -> Any:
    row = desk.connection.execute(
        "select next_at from escalation where finding_id = %s", (finding,)
    ).fetchone()
    return row and row[0]


def escalation(desk: Desk, finding: str = "f1") -> None:
    desk.connection.execute(
        "insert into escalation (finding_id, centre, since, next_at) values (%s, '530502', %s, %s)",
        (finding, NOW, NOW + timedelta(hours=1)),
    )


def test_when_nothing_is_left_the_next_person_is_due_at_once(desk: Desk) -> None:
    put(desk)
    escalation(desk)
    sender = sender_of(desk, sms=Told(GONE), mail=Told(GONE))
    sender.step()
    assert escalate_at(desk) == NOW + timedelta(hours=1)  # the letter may still arrive
    desk.drain(sender)
    assert escalate_at(desk) == NOW


def test_while_somebody_has_it_or_may_get_it_nobody_is_hurried(desk: Desk) -> None:
    message = put(desk, fallback=[], state="dead")
    other = put(desk, "f1:p3:opened")
    escalation(desk)
    for state in ("held", "ready", "leased", "sent", "delivered", "gathered"):
        desk.connection.execute("update outbox set state = %s where message_id = %s", (state, other))
        FOLLOW(desk.connection, message, NOW)
        assert escalate_at(desk) == NOW + timedelta(hours=1), state
    desk.connection.execute("update outbox set state = 'undelivered' where message_id = %s", (other,))
    FOLLOW(desk.connection, message, NOW)
    assert escalate_at(desk) == NOW


def test_an_escalation_that_is_due_already_is_left_alone(desk: Desk) -> None:
    message = put(desk, fallback=[], state="dead")
    escalation(desk)
    FOLLOW(desk.connection, message, NOW + timedelta(hours=2))
    assert escalate_at(desk) == NOW + timedelta(hours=1)
    FOLLOW(desk.connection, message, NOW)
    assert escalate_at(desk) == NOW


def test_of_two_that_fail_at_once_the_second_hurries(desk: Desk) -> None:
    save_finding(desk.connection, make_finding())
    one, two = put(desk, fallback=[], state="leased"), put(desk, "f1:p3:opened", fallback=[], state="leased")
    escalation(desk)
    other = psycopg.connect(desk.dsn)
    with other.transaction():
        other.execute("update outbox set state = 'dead' where message_id = %s", (one,))
        FOLLOW(other, one, NOW)
        assert escalate_at(desk) == NOW + timedelta(hours=1)
        desk.connection.execute("update outbox set state = 'dead' where message_id = %s", (two,))
        desk.connection.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            FOLLOW(desk.connection, two, NOW)  # waits for the first to be over
    other.close()
    FOLLOW(desk.connection, two, NOW)
    assert escalate_at(desk) == NOW
