"""Short messages that people send back.

A few words say "received": they acknowledge the newest message to that number that nobody has acknowledged, as the link in it
would, checked against the finding's state at that moment. Anything else is kept with the message it most likely answers; so is the
word that follows a message that asks for none (a digest, a correction): whoever has read that has not said a thing of an older card.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from alerts.acknowledge import Acknowledged, AlreadyDone, Revoked, acknowledge_reply
from alerts.hooks.base import Reply
from alerts.messages import mask_phone
from alerts.receipts import last_digits, storable
from domain.chain import Entry
from store import Connection, chain

Outcome = Literal["acknowledged", "already", "revoked", "kept", "stranger"]

RECEIVED: Final = frozenset({"1", "收到", "已收到"})
ANSWERED_WITHIN: Final = timedelta(hours=72)
"""Real time since the message was handed over."""
SAME_WITHIN: Final = timedelta(minutes=2)
"""The same words again without number or moment are the same reply pushed twice."""
SHORTEST_NUMBER: Final = 7
LOCK: Final = 0x6D6A7270

_LATEST = """
select message_id from outbox
where right(regexp_replace(phone, '\\D', '', 'g'), 11) = %(digits)s and channel = %(channel)s
  and handed_at > clock_timestamp() - %(within)s
  and (%(at)s::timestamptz is null or handed_at <= %(at)s::timestamptz + interval '1 minute')
  and (not %(open)s or (ack_token is not null and acknowledged_at is null and not exists (
      select 1 from outbox n
      where right(regexp_replace(n.phone, '\\D', '', 'g'), 11) = %(digits)s and n.channel = %(channel)s
        and n.handed_at > outbox.handed_at and n.ack_token is null
        and (%(at)s::timestamptz is null or n.handed_at <= %(at)s::timestamptz + interval '1 minute'))))
order by message_id desc limit 1
"""


def take_replies(
    connection: Connection, channel: str, replies: Iterable[Reply], now: datetime
) -> list[Outcome]:
    """Writes replies down, each in a transaction of its own; one that was here before is left out.

    Args:
        now: the system's clock.
    """
    return [done for reply in replies if (done := _take(connection, channel, reply, now)) is not None]


def says_received(text: str) -> bool:
    """Whether a text says that its message has been received, and nothing else."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in plain if unicodedata.category(letter)[0] in "LN") in RECEIVED


def _take(connection: Connection, channel: str, reply: Reply, now: datetime) -> Outcome | None:
    reply = replace(reply, sender=storable(reply.sender, 40), text=storable(reply.text, 500))
    with connection.transaction():
        # One number, one reply at a time: the same one may be pushed to two processes at once.
        connection.execute(
            "select pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, f"{channel} {reply.sender}")
        )
        if _known(connection, channel, reply):
            return None
        outcome, message = _outcome(connection, channel, reply, now)
        connection.execute(
            "insert into reply (channel, message_id, provider_id, sender, text, at, outcome)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            (channel, message, reply.provider_id, reply.sender, reply.text, reply.at, outcome),
        )
        if message is not None and outcome != "acknowledged":  # that is in the chain as an act, with the text
            _keep(connection, channel, message, reply, outcome, now)
        return outcome


def _known(connection: Connection, channel: str, reply: Reply) -> bool:
    values = (channel, reply.sender, reply.text, reply.provider_id, reply.at)
    vague = reply.provider_id is None and reply.at is None
    row = connection.execute(
        "select 1 from reply where channel = %s and sender = %s and text = %s"
        " and provider_id is not distinct from %s::text and at is not distinct from %s::timestamptz"
        " and (not %s or received_at > clock_timestamp() - %s) limit 1",
        (*values, vague, SAME_WITHIN),
    ).fetchone()
    return row is not None


def _outcome(connection: Connection, channel: str, reply: Reply, now: datetime) -> tuple[Outcome, int | None]:
    if says_received(reply.text) and (message := _latest(connection, channel, reply, unconfirmed=True)):
        match acknowledge_reply(connection, message, now, reply.text):
            case Acknowledged():
                return "acknowledged", message
            case AlreadyDone():
                return "already", message
            case Revoked():
                return "revoked", message
    message = _latest(connection, channel, reply, unconfirmed=False)
    return ("stranger" if message is None else "kept"), message


def _latest(connection: Connection, channel: str, reply: Reply, *, unconfirmed: bool) -> int | None:
    digits = last_digits(reply.sender)
    if len(digits) < SHORTEST_NUMBER:
        return None
    values = {"digits": digits, "channel": channel, "within": ANSWERED_WITHIN, "at": reply.at}
    row = connection.execute(_LATEST, values | {"open": unconfirmed}).fetchone()
    return None if row is None else int(row[0])


def _keep(
    connection: Connection, channel: str, message: int, reply: Reply, outcome: Outcome, now: datetime
) -> None:
    row = connection.execute(
        "select centre, finding_id, person from outbox where message_id = %s", (message,)
    ).fetchone()
    assert row is not None  # found a moment ago, and rows are never deleted
    payload = {
        "message": message, "person": row[2], "phone": mask_phone(last_digits(reply.sender)), "channel": channel,
        "text": reply.text, "said_at": reply.at, "outcome": outcome,
    }  # fmt: skip
    chain.append(connection, row[0], [Entry("message.reply", f"message:{message}", payload, row[1])], now)
