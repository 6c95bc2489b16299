"""Channels that are switched off, by a provider that refuses them for good or by an operator, until somebody says otherwise.

Nobody leases a message of a channel that is off: what has another channel goes on by it, the rest waits, uses up no tries and does
not die. Real time, as everything about gateways; the evidence chain has each switch at the system's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from alerts.states import GIVE_UP_AFTER, notify
from domain.chain import Entry
from store import Connection, chain

#: Reason in the table: the provider said so again and again.
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Off:
    """A channel that is off.

    Args:
        since: real time. reason: ``refused``, or what the operator said. error: the gateway's last words.
        waiting: messages that wait for it and have no other channel.
    """

    channel: str
    since: datetime
    reason: str
    error: str
    waiting: int


def off_channels(connection: Connection) -> frozenset[str]:
    """Names of the channels that are off."""
    return frozenset(channel for (channel,) in connection.execute("select channel from channel_state"))


def list_off(connection: Connection) -> list[Off]:
    """The channels that are off, with what waits for them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select channel, off_since as since, reason, error, (
                select count(*) from outbox o where o.channel = c.channel and o.state in ('ready', 'leased')) as waiting
            from channel_state c order by channel
            """
        ).fetchall()
    return [Off(**row) for row in rows]


def switch_off(
    connection: Connection, channel: str, *, reason: str, error: str = "", by: str = "sender", at: datetime
) -> bool:
    """Switches a channel off; False where it is off already.

    Args:
        at: the system's clock.
    """
    with connection.transaction():
        done = connection.execute(
            "insert into channel_state (channel, off_since, reason, error) values (%s, clock_timestamp(), %s, %s)"
            " on conflict do nothing",
            (channel, reason, error),
        ).rowcount
        if done:
            notify(connection)
            _keep(connection, "channel.off", channel, {"reason": reason, "error": error, "by": by}, at)
    return bool(done)


def switch_on(connection: Connection, channel: str, *, by: str = "operator", at: datetime) -> int | None:
    """Switches a channel on again; what waited is tried at once, with its whole time before it.

    Returns:
        How many messages waited, None where it was not off.
    """
    with connection.transaction():
        if not connection.execute("delete from channel_state where channel = %s", (channel,)).rowcount:
            return None
        waiting = connection.execute(
            "update outbox set next_try_at = case when attempts > 0 then now() else next_try_at end, first_try_at = null,"
            " give_up_at = greatest(give_up_at, now() + %s) where channel = %s and state = 'ready'",
            (GIVE_UP_AFTER, channel),
        ).rowcount
        notify(connection)
        _keep(connection, "channel.on", channel, {"waiting": waiting, "by": by}, at)
    return waiting


def _keep(connection: Connection, kind: str, channel: str, payload: dict[str, Any], at: datetime) -> None:
    """In the chain of every centre: it explains why messages went another way."""
    entry = Entry(kind, f"channel:{channel}", {"channel": channel} | payload)
    centres = connection.execute("select centre from evidence_chain order by centre").fetchall()
    for (centre,) in centres:
        chain.append(connection, centre, [entry], at)
