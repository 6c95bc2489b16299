"""What gateways say became of messages: in any order, any number of times, before and after we know of the message."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts import outbox, receipts
from alerts.hooks.base import Fate, Handed, Receipt, short_key
from domain.chain import Checker
from store import chain
from tests.alerts.conftest import NOW, Desk, make_finding

pytestmark = pytest.mark.postgres
LATER = NOW + timedelta(minutes=5)
KEY = "f1:p1:opened"
YES = Receipt("delivered", "g1", code="DELIVRD", at=LATER)
NO = Receipt("undelivered", "g1", code="UNDELIV")
PERHAPS = Receipt("unknown", "g1")


def kept(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    checker = Checker()
    rows = list(chain.read(desk.connection, "530502"))
    assert [broken for row in rows if (broken := checker.take(row)) is not None] == []
    return [(row.kind, json.loads(row.body or "")["payload"]) for row in rows]


def lease(desk: Desk) -> outbox.Leased:
    """One message, in a sender's hands."""
    desk.issue(make_finding(window="A09"))
    (message,) = outbox.lease(desk.connection, channel="http", limit=9, by="me", seconds=30)
    return message


def confirm(desk: Desk, message: outbox.Leased, **more: Any) -> bool:
    handed = Handed("g1", **more)
    return receipts.confirm(desk.connection, message, handed, at=NOW, ask_after=1800)


def take(desk: Desk, *said: Receipt) -> int:
    return receipts.take(desk.connection, "http", said, LATER)


@pytest.mark.parametrize(
    ("said", "state", "rows"),
    [
        ([YES, YES, YES], "delivered", ["delivered"]),
        ([NO, YES], "delivered", ["undelivered", "delivered"]),
        ([YES, NO, NO], "delivered", ["delivered", "undelivered"]),
        ([NO, PERHAPS, NO], "undelivered", ["undelivered", "unknown"]),
        ([PERHAPS, NO], "undelivered", ["unknown", "undelivered"]),
    ],
)
@pytest.mark.parametrize("before", [0, 1])
def test_the_same_comes_out_whenever_the_sender_confirms(
    desk: Desk, said: list[Receipt], state: str, rows: list[str], before: int
) -> None:
    """``before``: how many receipts overtake our own note of the gateway's id."""
    message = lease(desk)
    for each in said[:before]:
        assert take(desk, each) == 0
    assert confirm(desk, message)
    for each in said[before:]:
        take(desk, each)
    assert desk.states() == {state: 1}
    chained = kept(desk)
    assert [kind for kind, _ in chained] == ["message.sent", *(f"message.{fate}" for fate in rows)]
    assert "13800000001" not in json.dumps(chained)


@pytest.mark.parametrize("key", [KEY, short_key(KEY)])
def test_a_receipt_with_our_key_settles_what_is_not_confirmed(desk: Desk, key: str) -> None:
    message = lease(desk)
    assert take(desk, Receipt("undelivered", "g7", key, code="MK:0001")) == 1
    assert desk.rows("state, provider_id, fate_code") == [("undelivered", "g7", "MK:0001")]
    desk.connection.execute("update outbox set leased_until = now() - interval '1 h'")
    assert outbox.lease(desk.connection, channel="http", limit=9, by="other", seconds=30) == []
    assert confirm(desk, message), "settled is not lost"
    assert not outbox.try_later(desk.connection, message, error="cut", seconds=0)
    assert [kind for kind, _ in kept(desk)] == ["message.undelivered"]
    assert desk.rows("sent_at") == [LATER]


def test_what_was_given_up_and_arrived_is_delivered(desk: Desk) -> None:
    message = lease(desk)
    outbox.bury(desk.connection, message, reason="tries_used_up", error="unclear: cut", at=NOW)
    assert take(desk, Receipt("undelivered", None, KEY)) == 1
    assert desk.states() == {"dead:tries_used_up": 1}
    assert take(desk, Receipt("delivered", None, KEY)) == 1
    assert desk.states() == {"delivered": 1}


def test_a_receipt_after_a_revocation_belongs_to_the_card_alone(desk: Desk) -> None:
    confirm(desk, lease(desk))
    desk.issue(make_finding(window="A09", state="revoked"), "revoked")
    assert take(desk, NO) == 1
    assert desk.rows("template, state") == [
        ("finding.yellow", "undelivered"),
        ("finding.correction", "ready"),
    ]
    assert outbox.told_recipients(desk.connection, ["f1"]) == {}  # the correction is on its way


def test_a_receipt_of_another_channel_or_number_is_not_this_ones(desk: Desk) -> None:
    confirm(desk, lease(desk))
    assert receipts.take(desk.connection, "other", [YES], LATER) == 0
    assert take(desk, Receipt("delivered", "g1", to="+8613800000002")) == 0
    assert desk.states() == {"sent": 1}
    assert take(desk, Receipt("delivered", "g1", to="+8613800000001")) == 1


def test_what_nobody_knows_is_kept_once_and_forgotten_in_the_end(desk: Desk) -> None:
    take(desk, YES, YES, Receipt("delivered", "g2"))
    count = "select count(*) from receipt"
    assert desk.connection.execute(count).fetchone() == (2,)
    desk.connection.execute(
        "update receipt set received_at = now() - interval '8 days' where provider_id = 'g2'"
    )
    assert receipts.drop_unmatched(desk.connection) == 1
    confirm(desk, lease(desk))
    assert desk.states() == {"delivered": 1}
    desk.connection.execute("update receipt set received_at = now() - interval '8 days'")
    assert receipts.drop_unmatched(desk.connection) == 0


def test_a_receipt_beside_a_confirmation_is_missed_by_neither(
    desk: Desk, wait_for: Callable[..., None]
) -> None:
    """The one that comes second waits for the first: otherwise both would look before the other has written."""
    message = lease(desk)
    with psycopg.connect(desk.dsn) as sender, sender.transaction():
        receipts.confirm(sender, message, Handed("g1"), at=NOW, ask_after=None)  # not committed yet
        thread = threading.Thread(target=_take_beside, args=(desk.dsn,))
        thread.start()
        waits = (
            "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        wait_for(lambda: desk.connection.execute(waits).fetchone())
    thread.join(5)
    assert desk.states() == {"delivered": 1}


def _take_beside(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        receipts.take(connection, "http", [YES], LATER)


def test_the_answer_to_a_question_is_a_receipt(desk: Desk) -> None:
    assert confirm(desk, lease(desk), fate="undelivered", code="2")
    assert desk.rows("state, fate_code") == [("undelivered", "2")]


def test_what_no_database_takes_is_taken_all_the_same(desk: Desk) -> None:
    confirm(desk, lease(desk))
    assert take(desk, Receipt("undelivered", "g1", code="\0bad\ud800" + "x" * 10_000)) == 1
    assert desk.rows("fate_code")[0].startswith("bad?xxx")


def test_confirmations_and_receipts_at_once_end_as_they_should(desk: Desk) -> None:
    """Four gateways' worth of contradicting pushes in four orders, while the messages are being confirmed."""
    for number in range(25):
        desk.issue(make_finding(number, window="A09"))
    messages = outbox.lease(desk.connection, channel="http", limit=99, by="me", seconds=300)
    fates: tuple[Fate, ...] = ("undelivered", "delivered", "unknown")
    said = [Receipt(fate, f"g{message.message_id}") for message in messages for fate in fates]

    def push(seed: int) -> None:
        with psycopg.connect(desk.dsn, autocommit=True) as connection:
            receipts.take(connection, "http", random.Random(seed).sample(said, len(said)), LATER)

    def confirm_all() -> None:
        with psycopg.connect(desk.dsn, autocommit=True) as connection:
            for message in random.Random(9).sample(messages, len(messages)):
                handed = Handed(f"g{message.message_id}")
                assert receipts.confirm(connection, message, handed, at=NOW, ask_after=None)

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(confirm_all), *(pool.submit(push, seed) for seed in range(4))]
    for future in running:
        future.result()
    assert desk.states() == {"delivered": 25}
    rows = Counter((kind, body["message"]) for kind, body in kept(desk))
    assert len(rows) == 4 * 25
    assert set(rows.values()) == {1}
