"""``mingjing alerts test``: one real message, by the way every message takes, and what became of it.

It is written into the outbox and left to the running sender. Where none runs for its channel, or the channel is switched off,
this command sends this one message itself, by the same hook, and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from alerts import leases, outbox, receipts
from alerts.hooks.base import CanPull, CanQuery, Hook
from alerts.leases import Leased
from alerts.links import mask_tokens
from alerts.messages import mask_phone, message_values, render_text, sms_parts
from alerts.receipt_rounds import ReceiptRounds
from alerts.sender import Sender
from alerts.states import notify
from domain.centre import Centre
from domain.errors import InputError, SendError
from store import Connection

if TYPE_CHECKING:
    from alerts.links import AckLinks
    from domain.clock import Clock

TEMPLATE = "system.test"
#: Real time for which a test is worth sending: nobody wants it an hour later.
WORTH = timedelta(minutes=15)
#: Real seconds after which a sender without a sign of life counts as gone.
GONE = 20.0
#: Real seconds between two looks, and between two questions to a gateway.
LOOK, ASK = 0.25, 2.0
ENDS = frozenset(("delivered", "undelivered", "unknown", "dead", "skipped"))


@dataclass(frozen=True)
class Post:
    """What a test needs: the database, the clocks, and the hook for the case that nobody else sends.

    Args:
        connection: in autocommit.
        open_hook: of the channel, for the caller to close.
    """

    connection: Connection
    dsn: str
    clock: Clock
    links: AckLinks
    open_hook: Callable[[], Hook]
    sleep: Callable[[float], Any] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


@dataclass
class Test:
    """One test, and what is known of it."""

    message_id: int
    key: str
    person: str
    address: str
    channel: str
    text: str
    alone: str = ""
    state: str = "ready"
    reason: str = ""
    error: str = ""
    receipts: bool = True
    moments: list[tuple[str, datetime]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def parts(self) -> int:
        return sms_parts(self.text)

    @property
    def arrived(self) -> bool | None:
        """True: it has, or the channel takes it and says no more; None: nobody knows yet."""
        if self.state == "delivered" or (self.state == "sent" and not self.receipts):
            return True
        return False if self.state in ("undelivered", "dead", "skipped") else None


def write(
    connection: Connection,
    centre: Centre,
    person: str,
    channel: str,
    address: str,
    now: datetime,
    *,
    taken_by: str = "",
) -> Test:
    """Puts a test into the outbox.

    Args:
        taken_by: whoever sends it himself; then no sender takes it.
    """
    key = f"test:{centre.centre.id}:{person}:{channel}:{time.time_ns()}"
    params = {
        "centre_name": centre.centre.name or centre.centre.id,
        "channel": channel,
        "written_at": now.astimezone(centre.zone).isoformat(timespec="seconds"),
    }
    row = connection.execute(
        """
        insert into outbox (idempotency_key, centre, person, phone, channel, template, params, state, why, next_try_at,
                            give_up_at, created_at, attempts, leased_by, leased_until)
        values (%(key)s, %(centre)s, %(person)s, %(to)s, %(channel)s, %(template)s, %(params)s,
                case when %(by)s = '' then 'ready' else 'leased' end, 'test', now(), now() + %(worth)s, %(now)s,
                case when %(by)s = '' then 0 else 1 end, nullif(%(by)s, ''),
                case when %(by)s = '' then null else clock_timestamp() + %(worth)s end)
        returning message_id
        """,
        {
            "key": key, "centre": centre.centre.id, "person": person, "to": address, "channel": channel,
            "template": TEMPLATE, "params": json.dumps(params, ensure_ascii=False), "by": taken_by, "worth": WORTH,
            "now": now,
        },
    ).fetchone()  # fmt: skip
    assert row is not None
    notify(connection)
    values = message_values(TEMPLATE, params, "zh-CN", link=None, now=now)
    return Test(row[0], key, person, address, channel, render_text(TEMPLATE, values, "zh-CN"))


def sender_of(connection: Connection, channel: str) -> bool:
    """Whether a sender that knows the channel has given a sign of life just now."""
    rows = connection.execute(
        "select detail -> 'channels' from heartbeat where role = 'sender' and real_at > clock_timestamp() - %s",
        [timedelta(seconds=GONE)],
    ).fetchall()
    return any(channels is None or channel in channels for (channels,) in rows)


def run_test(
    post: Post, centre: Centre, person: str, channel: str, address: str, *, seconds: float, off: str = ""
) -> Iterator[Test]:
    """Sends a test and yields it whenever its state has changed, last when it has ended or the time is up.

    Args:
        seconds: real time to wait for the end.
        off: why the channel is switched off; then no sender takes the message.

    Raises:
        InputError: messages are held.
    """
    connection = post.connection
    holding = outbox.held(connection)
    if holding is not None:
        raise InputError(
            f"no message leaves since {holding[0]:%Y-%m-%d %H:%M}Z ({holding[1]}): `mingjing messages release` first"
        )
    if off or not sender_of(connection, channel):
        yield from _alone(post, centre, person, channel, address, seconds, off)
        return
    test = write(connection, centre, person, channel, address, post.clock.now())
    hook = post.open_hook()
    try:
        test.receipts = receipts.gives_receipts(hook)
    finally:
        hook.close()
    yield from _watch(post, test, post.monotonic(), seconds)


def _alone(
    post: Post, centre: Centre, person: str, channel: str, address: str, seconds: float, off: str
) -> Iterator[Test]:
    """No sender would take it: sent from here, so that nothing else leaves with it."""
    hook = post.open_hook()
    sender = Sender(post.dsn, {channel: hook}, post.clock, links=post.links, instance="test")
    me = f"test:{time.time_ns()}"
    try:
        began = post.monotonic()
        test = write(post.connection, centre, person, channel, address, post.clock.now(), taken_by=me)
        test.alone, test.receipts = (
            off or f"no sender runs that knows {channel}",
            receipts.gives_receipts(hook),
        )
        leased = _leased(post.connection, test, me)
        try:
            handed = hook.send(sender.outgoing(leased))
        except SendError as error:
            words = mask_tokens(error.reason)
            leases.bury(post.connection, leased, reason="refused", error=words, at=post.clock.now())
        else:
            asked = WORTH.total_seconds() if test.receipts else None
            receipts.confirm(post.connection, leased, handed, at=post.clock.now(), ask_after=asked)
        rounds = ReceiptRounds(post.dsn, {channel: hook}, post.clock, sender.outgoing)
        _hear(
            post, leased, hook, rounds, sender
        )  # once in any case: some gateways only say what they are asked
        yield from _watch(post, test, began, seconds, lambda: _hear(post, leased, hook, rounds, sender))
    finally:
        sender.close()


def _hear(post: Post, leased: Leased, hook: Hook, rounds: ReceiptRounds, sender: Sender) -> None:
    """Asks the gateway, since no sender does."""
    if isinstance(hook, CanPull):
        rounds.round(post.connection)
    if isinstance(hook, CanQuery):
        try:
            answer = hook.query(sender.outgoing(leased))
        except SendError:
            return
        if answer is not None and answer.fate is not None:
            receipts.settle_unheard(post.connection, leased, answer, post.clock.now(), expected=False)


def _leased(connection: Connection, test: Test, me: str) -> Leased:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "select message_id, idempotency_key, finding_id, phone, channel, template, params, attempts, created_at"
            " from outbox where message_id = %s",
            [test.message_id],
        ).fetchone()
    assert row is not None
    return Leased(**row, leased_by=me, has_ack=False, in_doubt=False, obsolete=False)


def _watch(
    post: Post, test: Test, began: float, seconds: float, hear: Callable[[], None] | None = None
) -> Iterator[Test]:
    shown, next_ask = "", began
    while True:
        _look(post.connection, test)
        test.seconds = post.monotonic() - began
        if test.state != shown:
            shown = test.state
            yield test
        if test.state in ENDS or test.arrived is not None or test.seconds >= seconds:
            return
        if hear is not None and post.monotonic() >= next_ask:
            hear()
            next_ask = post.monotonic() + ASK
        else:
            post.sleep(LOOK)


def _look(connection: Connection, test: Test) -> None:
    row = connection.execute(
        "select state, coalesce(reason, fate_code, ''), coalesce(last_error, ''), created_at, sent_at,"
        " coalesce(delivered_at, fate_at) from outbox where message_id = %s",
        [test.message_id],
    ).fetchone()
    assert row is not None
    test.state, test.reason, test.error, created, sent, ended = row
    named = (("written", created), ("sent", sent), (test.state, ended))
    test.moments = [(name, at) for name, at in named if at is not None]


def masked(address: str) -> str:
    """An address as a screen shows it."""
    name, at, host = address.partition("@")
    return f"{name[:1]}***@{host}" if at else mask_phone(address)


__all__ = ["TEMPLATE", "Post", "Test", "masked", "run_test", "sender_of", "write"]
