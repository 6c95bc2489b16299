"""Writing a message that tells of many findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from alerts.reasons import Why
from alerts.states import GIVE_UP_AFTER
from store import Connection

#: Of so many messages the keys stand in the digest itself; of all of them it is kept in which they were told (``digest_id``).
MOST_KEYS = 10_000

_INSERT = """
insert into outbox (idempotency_key, centre, person, phone, channel, template, params, state, reason, next_try_at, give_up_at,
                    created_at, why, level, fallback)
values (%(key)s, %(centre)s, %(person)s, %(phone)s, %(channel)s, %(template)s, %(params)s, %(state)s, %(reason)s, now(),
        now() + %(span)s, %(now)s, %(why)s, %(level)s, %(fallback)s)
on conflict (idempotency_key) do nothing returning message_id
"""


@dataclass(frozen=True, slots=True)
class Digest:
    """One message to one person.

    Args:
        params: see :mod:`alerts.digest_words`.
        addresses: (channel, address) in the order in which they are tried.
        reason: why it is not sent; None: it is.
    """

    key: str
    centre: str
    person: str
    template: str
    params: Mapping[str, Any]
    addresses: Sequence[tuple[str, str]] = ()
    level: int = 0
    reason: str | None = None
    told: Sequence[int] = field(default=())


def write_digest(
    connection: Connection, digest: Digest, now: datetime, give_up_after: timedelta = GIVE_UP_AFTER
) -> int | None:
    """Writes it, with what it tells gathered in it; returns its number, None where its key is there already."""
    (channel, phone), *rest = digest.addresses or (("none", ""),)
    row = connection.execute(
        _INSERT,
        {
            "key": digest.key, "centre": digest.centre, "person": digest.person, "phone": phone, "channel": channel,
            "template": digest.template, "params": Jsonb(dict(digest.params)), "reason": digest.reason,
            "state": "ready" if digest.reason is None else "skipped", "span": give_up_after, "now": now,
            "why": Why.DIGEST.value, "level": digest.level, "fallback": Jsonb([list(each) for each in rest]),
        },
    ).fetchone()  # fmt: skip
    if row is None:
        return None
    if digest.told:
        connection.execute(
            "update outbox set state = 'gathered', digest_id = %s where message_id = any(%s)",
            [row[0], list(digest.told)],
        )
    return int(row[0])


__all__ = ["MOST_KEYS", "Digest", "write_digest"]
