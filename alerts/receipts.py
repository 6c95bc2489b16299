"""What gateways say became of messages, however late, often and contradictory they say it.

A receipt is found its message by our key, its short form, or the gateway's id. It moves the message's state only forward:
unknown → undelivered → delivered; "delivered" also brings back what was given up, since a phone shows it. Each thing said of a
message is in the evidence chain once, also where the state stays. What fits no message is kept for a while: receipts may be
here before our own sender has written down what the gateway calls the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import dict_row

from alerts import metrics, outbox
from alerts.hooks.base import CanPull, CanQuery, CanReceive, Fate, Handed, Hook, Receipt, short_key
from alerts.leases import Follow
from alerts.messages import mask_phone
from alerts.next_channel import call_off
from alerts.outbox import Leased
from domain.chain import Entry
from store import Connection, chain

RANK: Final[Mapping[str, int]] = {"unknown": 1, "undelivered": 2, "delivered": 3}
KEEP_UNMATCHED: Final = timedelta(days=7)
"""Real time; what belongs to no message by then was never ours."""
ASK_AGAIN: Final = timedelta(minutes=10)
#: First half of the advisory locks; the second is the channel's name.
LOCK: Final = 0x6D6A7263

_FIND = """
select message_id, phone, idempotency_key = %(key)s or short_key(idempotency_key) = %(key)s as by_key from outbox
where channel = %(channel)s
  and (idempotency_key = %(key)s or short_key(idempotency_key) = %(key)s or provider_id = %(provider)s)
order by message_id desc limit 50
"""
_SETTLE = """
update outbox set state = %(fate)s, reason = null, last_error = null, leased_by = null, leased_until = null, ask_at = null,
    provider_id = coalesce(provider_id, %(provider)s), fate_code = %(code)s, fate_at = %(said)s,
    sent_at = coalesce(sent_at, %(now)s), handed_at = coalesce(handed_at, clock_timestamp()),
    delivered_at = case when %(fate)s = 'delivered' then %(now)s::timestamptz end
where message_id = %(id)s
"""


def gives_receipts(hook: Hook) -> bool:
    """Whether one will hear of a message without asking."""
    return isinstance(hook, CanReceive | CanPull) and bool(getattr(hook, "receives", True))


def is_asked(hook: Hook) -> bool:
    """Whether somebody has to look after a message of which nothing is heard."""
    return gives_receipts(hook) or isinstance(hook, CanQuery)


def take(
    connection: Connection,
    channel: str,
    receipts: Iterable[Receipt],
    now: datetime,
    *,
    follow: Follow | None = None,
) -> int:
    """Writes receipts down, each in a transaction of its own: taken again after a failure, they change nothing.

    Args:
        now: the system's clock.
        follow: sends a message that has not arrived on by its next channel.

    Returns:
        How many said something new of a message.
    """
    return sum(_take(connection, channel, receipt, now, follow) for receipt in receipts)


def storable(text: str, longest: int = 500) -> str:
    """Text from outside as the database takes it: a gateway that is not understood would push it for ever."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:longest]


def _storable(receipt: Receipt) -> Receipt:
    def text(value: str | None) -> str | None:
        return None if value is None else storable(value)

    return replace(
        receipt,
        provider_id=text(receipt.provider_id),
        idempotency_key=text(receipt.idempotency_key),
        code=storable(receipt.code),
        to=text(receipt.to),
    )


def _take(
    connection: Connection, channel: str, receipt: Receipt, now: datetime, follow: Follow | None
) -> bool:
    receipt = _storable(receipt)
    with connection.transaction():
        message = _find(connection, channel, receipt)
        if message is None:
            # Nobody confirms while we look again: what he is about to write down would be missed by both.
            connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, channel))
            message = _find(connection, channel, receipt)
        if message is None:
            _keep_unmatched(connection, channel, receipt)
            metrics.RECEIPTS.labels(channel, "unmatched").inc()
            return False
        return _apply(connection, channel, message, receipt, now, follow=follow)


def confirm(
    connection: Connection,
    message: Leased,
    handed: Handed,
    *,
    at: datetime,
    ask_after: float | None,
    follow: Follow | None = None,
) -> bool:
    """As :func:`alerts.outbox.confirm`, and takes what was said of the message before it.

    A message that a receipt has settled meanwhile is only given the gateway's id. False: the lease was lost.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock_shared(%s, hashtext(%s))", (LOCK, message.channel))
        held = outbox.confirm(
            connection,
            message,
            provider_id=handed.provider_id,
            at=at,
            delivered=handed.delivered,
            ask_after=ask_after,
        )
        if not held:
            held = connection.execute(
                "update outbox set provider_id = coalesce(provider_id, %s) where message_id = %s and attempts = %s"
                " and state in ('delivered', 'undelivered', 'unknown')",
                (handed.provider_id, message.message_id, message.attempts),
            ).rowcount == 1  # fmt: skip
        if held:
            _take_waiting(connection, message, handed, at, follow)
        return held


def _find(connection: Connection, channel: str, receipt: Receipt) -> int | None:
    """The message a receipt speaks of: by key, or by the gateway's id, of which some gateways have one for several numbers
    and others begin again some day."""
    values = {"channel": channel, "key": receipt.idempotency_key, "provider": receipt.provider_id}
    rows = connection.execute(_FIND, values).fetchall()
    by_key = [message for message, _, fits in rows if fits]
    by_id = [message for message, phone, _ in rows if _same_number(phone, receipt.to)]
    return next(iter(by_key or by_id), None)


def last_digits(number: str) -> str:
    """A number without country code and spaces, as far as that tells numbers apart."""
    return "".join(letter for letter in number if letter in "0123456789")[-11:]


def _same_number(ours: str, theirs: str | None) -> bool:
    return theirs is None or "*" in theirs or last_digits(ours) == last_digits(theirs)


def _keep_unmatched(connection: Connection, channel: str, receipt: Receipt) -> None:
    connection.execute(
        """
        insert into receipt (channel, provider_id, given_key, number, fate, code, at)
        select %(channel)s, %(provider)s, %(key)s, %(to)s, %(fate)s, %(code)s, %(at)s
        where not exists (
            select 1 from receipt where message_id is null and channel = %(channel)s and fate = %(fate)s
            and provider_id is not distinct from %(provider)s::text and given_key is not distinct from %(key)s::text
            and number is not distinct from %(to)s::text)
        """,
        _values(channel, receipt),
    )


def _values(channel: str, receipt: Receipt) -> dict[str, Any]:
    return {
        "channel": channel, "provider": receipt.provider_id, "key": receipt.idempotency_key, "to": receipt.to,
        "fate": receipt.fate, "code": receipt.code, "at": receipt.at,
    }  # fmt: skip


def _take_waiting(
    connection: Connection, message: Leased, handed: Handed, now: datetime, follow: Follow | None
) -> None:
    """Receipts that were here before the message was confirmed, and what the answer to a question says already."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select receipt_id, provider_id, given_key, number, fate, code, at from receipt
            where message_id is null and channel = %s and (provider_id = %s or given_key = any(%s)) order by receipt_id
            """,
            (
                message.channel,
                handed.provider_id,
                [message.idempotency_key, short_key(message.idempotency_key)],
            ),
        ).fetchall()
    for row in rows:
        if row["given_key"] is None and not _same_number(message.phone, row["number"]):
            continue
        said = Receipt(
            row["fate"], row["provider_id"], row["given_key"], row["at"], row["code"], row["number"]
        )
        waiting = row["receipt_id"]
        _apply(connection, message.channel, message.message_id, said, now, waiting=waiting, follow=follow)
    if handed.fate in ("undelivered", "unknown"):
        said = Receipt(handed.fate, handed.provider_id, message.idempotency_key, code=handed.code)
        _apply(connection, message.channel, message.message_id, said, now, follow=follow)


def _apply(
    connection: Connection,
    channel: str,
    message_id: int,
    receipt: Receipt,
    now: datetime,
    *,
    waiting: int | None = None,
    follow: Follow | None = None,
) -> bool:
    """Writes down what is said of a message, inside the caller's transaction; False where it was said before.

    Args:
        waiting: the receipt's own row, if it was kept before its message was known.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "select centre, finding_id, person, phone, template, params, idempotency_key, state, created_at, attempts"
            " from outbox where message_id = %s for update",
            (message_id,),
        ).fetchone()
    assert row is not None  # rows are never deleted
    # A statement of its own, after the lock: what was committed while we waited for it is seen.
    said = connection.execute(
        "select 1 from receipt where message_id = %s and fate = %s", (message_id, receipt.fate)
    ).fetchone()
    known = said is not None or row["state"] == receipt.fate
    if waiting is not None:
        connection.execute("update receipt set message_id = %s where receipt_id = %s", (message_id, waiting))
    elif not known:
        connection.execute(
            "insert into receipt (channel, message_id, provider_id, given_key, number, fate, code, at)"
            " values (%(channel)s, %(id)s, %(provider)s, %(key)s, %(to)s, %(fate)s, %(code)s, %(at)s)",
            _values(channel, receipt) | {"id": message_id},
        )
    if known:
        return False
    moves = _moves(row["state"], receipt.fate)
    if moves:
        values = {"id": message_id, "fate": receipt.fate, "provider": receipt.provider_id, "now": now}
        connection.execute(_SETTLE, values | {"code": receipt.code or None, "said": receipt.at})
    after: dict[str, Any] = {}
    if moves and receipt.fate == "delivered":
        call_off(connection, message_id)
    elif moves and follow is not None:
        after["next"] = follow(connection, message_id, now)
    payload = {
        "message": message_id, "key": row["idempotency_key"], "person": row["person"],
        "phone": mask_phone(row["phone"]), "channel": channel, "template": row["template"], "params": row["params"],
        "written_at": row["created_at"], "tries": row["attempts"], "gateway": receipt.provider_id,
        "code": receipt.code, "said_at": receipt.at, "state": receipt.fate if moves else row["state"],
        **after,
    }  # fmt: skip
    entry = Entry(f"message.{receipt.fate}", f"message:{message_id}", payload, row["finding_id"])
    chain.append(connection, row["centre"], [entry], now)
    metrics.RECEIPTS.labels(channel, receipt.fate).inc()
    return True


def _moves(state: str, fate: Fate) -> bool:
    if fate == "delivered":
        return state != "delivered"
    return state not in ("dead", "skipped") and RANK[fate] > RANK.get(state, 0)


# -- messages of which nothing is heard


def overdue(connection: Connection, channels: Sequence[str], *, limit: int = 20) -> list[Leased]:
    """Messages whose receipt is late, to be asked for; nobody else is given them for the next minutes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            update outbox set ask_at = clock_timestamp() + %s
            where message_id = any(array(
                select message_id from outbox where ask_at <= now() and state = 'sent' and channel = any(%s)
                order by ask_at limit %s for update skip locked))
            returning message_id, idempotency_key, finding_id, phone, channel, template, params, attempts, created_at,
                      ack_token is not null as has_ack
            """,
            (ASK_AGAIN, list(channels), limit),
        ).fetchall()
    return [Leased(**row, leased_by="", in_doubt=False, obsolete=False) for row in rows]


def settle_unheard(
    connection: Connection,
    message: Leased,
    answer: Handed | None,
    now: datetime,
    *,
    expected: bool,
    follow: Follow | None = None,
) -> None:
    """Ends the waiting for a receipt: by the gateway's answer, otherwise as unknown where one was ``expected``."""
    fate = answer.fate if answer is not None else None
    with connection.transaction():
        row = connection.execute(
            "select state from outbox where message_id = %s for update", (message.message_id,)
        ).fetchone()
        if row != ("sent",):
            return  # heard meanwhile
        if fate is None and not expected:
            connection.execute("update outbox set ask_at = null where message_id = %s", (message.message_id,))
            return
        code = answer.code if answer is not None and fate is not None else ""
        said = Receipt(fate or "unknown", idempotency_key=message.idempotency_key, code=code)
        _apply(connection, message.channel, message.message_id, said, now, follow=follow)


def given_up(connection: Connection, message: Leased) -> bool:
    """Whether a message was handed over so long ago that asking for it may end."""
    row = connection.execute(
        "select handed_at < clock_timestamp() - %s from outbox where message_id = %s",
        (outbox.GIVE_UP_AFTER, message.message_id),
    ).fetchone()
    return row is None or bool(row[0])


def drop_unmatched(connection: Connection) -> int:
    """Forgets receipts and replies that belong to nothing of ours."""
    return sum(
        connection.execute(
            f"delete from {table} where message_id is null and received_at < clock_timestamp() - %s",
            (KEEP_UNMATCHED,),
        ).rowcount
        for table in ("receipt", "reply")
    )
