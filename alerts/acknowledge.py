"""A person says "received" by the link in a message or by sending a word back; checked against the finding's state at the click.

Acknowledging never changes what a finding is: one that was revoked stays revoked, one that is closed stays closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.links import token_digest
from alerts.outbox import notify
from domain.chain import Entry
from store import Connection, chain


@dataclass(frozen=True, slots=True)
class Notice:
    """What the page may show: the facts of the message, nothing else of the finding."""

    finding_id: str
    person: str
    template: str
    params: dict[str, Any]
    finding_state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Done now. ``first``: nobody had acknowledged this finding before."""

    notice: Notice
    at: datetime
    first: bool


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """This link has been used."""

    notice: Notice
    at: datetime


@dataclass(frozen=True, slots=True)
class Expired:
    """Too late for this link; the finding itself is untouched."""

    notice: Notice
    expired_at: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """The finding was revoked meanwhile: nothing is to be acknowledged."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such token."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a look (without a click) finds while the link can still be used."""

    notice: Notice
    expires_at: datetime


Outcome = Acknowledged | AlreadyDone | Expired | Revoked | Unknown
Look = Waiting | AlreadyDone | Expired | Revoked | Unknown

_SELECT = """
select o.message_id, o.finding_id, o.person, o.template, o.params, o.created_at, o.acknowledged_at, o.ack_expires_at,
       f.state, f.acknowledged_at as finding_acknowledged_at, f.centre, f.subject
from outbox o join finding f on f.finding_id = o.finding_id where
"""
_BY_TOKEN, _BY_MESSAGE = " o.ack_token = %s", " o.message_id = %s"
# Not "for update": whoever writes what follows a message holds that message and refers to its finding, while we hold the finding
# and ask for the message.
LOCK_FINDING = "select 1 from finding where finding_id = %s for no key update"


def look(connection: Connection, token: str, now: datetime) -> Look:
    """What a link is good for; changes nothing (previews of links look, too)."""
    row = _row(connection, _BY_TOKEN, token_digest(token))
    return Unknown() if row is None else _judge(row, now)


def acknowledge(connection: Connection, token: str, now: datetime) -> Outcome:
    """Takes the acknowledgement by a link, once, in one transaction of its own (or the caller's).

    Args:
        now: the system's clock.
    """
    return _take(connection, _BY_TOKEN, token_digest(token), now, {"by": "link"})


def acknowledge_reply(connection: Connection, message_id: int, now: datetime, text: str) -> Outcome:
    """The same by what a person sent back; how old a message may be for that is the caller's to say."""
    return _take(connection, _BY_MESSAGE, message_id, now, {"by": "reply", "text": text})


def _take(
    connection: Connection, which: str, value: str | int, now: datetime, how: dict[str, Any]
) -> Outcome:
    with connection.transaction():
        first = _row(connection, which, value)
        if first is None:
            return Unknown()
        # The finding first, then the message: the order in which a revocation takes them.
        connection.execute(LOCK_FINDING, (first["finding_id"],))
        row = _row(connection, which + " for update of o", value)
        if row is None:
            return Unknown()
        judged = _judge(row, now, expires=which == _BY_TOKEN)
        if not isinstance(judged, Waiting):
            return judged
        _write(connection, row, now, how)
        return Acknowledged(judged.notice, now, first=row["finding_acknowledged_at"] is None)


def _row(connection: Connection, which: str, value: str | int) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SELECT + which, (value,)).fetchone()


def _judge(
    row: dict[str, Any], now: datetime, *, expires: bool = True
) -> Waiting | AlreadyDone | Expired | Revoked:
    notice = Notice(
        row["finding_id"], row["person"], row["template"], row["params"], row["state"], row["created_at"]
    )
    if row["state"] == "revoked":
        return Revoked(notice)
    if row["acknowledged_at"] is not None:
        return AlreadyDone(notice, row["acknowledged_at"])
    if expires and now > row["ack_expires_at"]:
        return Expired(notice, row["ack_expires_at"])
    return Waiting(notice, row["ack_expires_at"])


def _write(connection: Connection, row: dict[str, Any], now: datetime, how: dict[str, Any]) -> None:
    finding, person = row["finding_id"], row["person"]
    detail = {**how, "message": row["message_id"], "state": row["state"]}
    connection.execute(
        "update outbox set acknowledged_at = %s where message_id = %s", (now, row["message_id"])
    )
    connection.execute(
        """
        update finding set acknowledged_at = %s, acknowledged_by = %s, updated_at = %s,
                           life = case when life = 'open' then 'acknowledged' else life end
        where finding_id = %s and acknowledged_at is null
        """,
        (now, person, now, finding),
    )
    connection.execute(
        "insert into finding_step (finding_id, at, step, person, detail) values (%s, %s, 'acknowledged', %s, %s)",
        (finding, now, person, Jsonb(detail)),
    )
    notify(connection, "outbox")
    notify(connection, "finding")
    done = {"step": "acknowledged", "person": person, "detail": detail}
    chain.append(
        connection, row["centre"], [Entry("act.acknowledged", row["subject"], done, row["finding_id"])], now
    )
