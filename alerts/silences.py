"""The table of silences: begun, ended before their time, replaced; each act with its person in the evidence chain.

Nothing is changed but an end: an edit ends one silence and begins another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.silence import Silence, Wanted, check
from domain.centre import Centre
from domain.chain import Entry
from domain.errors import InputError
from domain.recurring import Recurring
from store import Connection, chain

#: Name of the reason under which the outbox holds what a silence keeps; its ``detail`` names the silence.
SILENCED = "silenced"
#: The silence that keeps a message: as its reason, or after another one that let it go sooner.
_KEEPS = "coalesce(case when reason = 'silenced' then detail ->> 'silence' end, detail -> 'silenced' ->> 'silence')::bigint"
#: Reasons that, once a silence is ended, are looked at again when the message is let go, so that it may be at once.
_LOOKED_AT_AGAIN = (SILENCED, "group", "quiet_hours", "hold_for")
_COLUMNS = (
    "silence_id, centre, match, author, reason, starts_at, ends_at, recurring, created_at, ended_at, ended_by"
)


def create(connection: Connection, centre: Centre, wanted: Wanted, *, author: str, now: datetime) -> Silence:
    """Begins a silence; that its author may have one is checked by :func:`alerts.silence.check`.

    Args:
        author: id of a person in the centre file, or name of an account; who may act as an inspector, the caller knows.

    Raises:
        InputError, StepRefusedError: as :func:`alerts.silence.check`.
    """
    check(wanted, author, centre, now)
    with connection.transaction():
        return _insert(connection, centre, wanted, author, now)


def end(connection: Connection, centre: Centre, silence_id: int, *, by: str, now: datetime) -> Silence:
    """Ends a silence before its time. What it kept leaves at once, if it is still true.

    Raises:
        InputError: there is none of this number, or it is over.
    """
    with connection.transaction():
        return _end(connection, centre, silence_id, by, now)


def replace(
    connection: Connection, centre: Centre, silence_id: int, wanted: Wanted, *, author: str, now: datetime
) -> Silence:
    """An edit: ends one and begins another in its place; returns the new one.

    Raises:
        InputError, StepRefusedError: as of its two halves; then nothing has happened.
    """
    check(wanted, author, centre, now)
    with connection.transaction():
        _end(connection, centre, silence_id, author, now)
        return _insert(connection, centre, wanted, author, now, replaces=silence_id)


def active(connection: Connection, centre: str, now: datetime) -> list[Silence]:
    """The silences of a centre whose span holds a moment, the oldest first."""
    return _read(
        connection,
        "centre = %(centre)s and ended_at is null and starts_at <= %(now)s and ends_at > %(now)s",
        {"centre": centre, "now": now},
        "silence_id",
    )


def ahead(connection: Connection, centre: str, now: datetime) -> list[Silence]:
    """Those in force, and those to come."""
    return _read(
        connection,
        "centre = %(centre)s and ended_at is null and ends_at > %(now)s",
        {"centre": centre, "now": now},
        "silence_id",
    )


def every(connection: Connection, centre: str, *, limit: int = 200) -> list[Silence]:
    """All silences of a centre, also those that are over or to come, the newest first."""
    return _read(
        connection,
        "centre = %(centre)s",
        {"centre": centre, "limit": limit},
        "silence_id desc limit %(limit)s",
    )


def read(connection: Connection, centre: str, silence_id: int) -> Silence:
    """One silence.

    Raises:
        InputError: the centre has none of this number.
    """
    values = {"centre": centre, "id": silence_id}
    found = _read(connection, "centre = %(centre)s and silence_id = %(id)s", values, "silence_id")
    if not found:
        raise InputError(f"there is no silence {silence_id} in {centre}")
    return found[0]


def kept(connection: Connection, centre: str) -> dict[int, int]:
    """How many messages each silence keeps waiting now."""
    rows = connection.execute(
        f"select silence, count(*) from (select {_KEEPS} as silence from outbox where centre = %s and state = 'held') as held"
        " where silence is not null group by 1",
        [centre],
    )
    return dict(rows.fetchall())


def _insert(
    connection: Connection,
    centre: Centre,
    wanted: Wanted,
    author: str,
    now: datetime,
    *,
    replaces: int | None = None,
) -> Silence:
    code = centre.centre.id
    match = {key: sorted(set(values)) for key, values in wanted.match.items()}
    recurring = None if wanted.recurring is None else wanted.recurring.model_dump(mode="json")
    row = connection.execute(
        "insert into silence (centre, match, author, reason, starts_at, ends_at, recurring, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) returning silence_id",
        [
            code, Jsonb(match), author, wanted.reason.strip(), wanted.starts_at, wanted.ends_at,
            None if recurring is None else Jsonb(recurring), now,
        ],
    ).fetchone()  # fmt: skip
    assert row is not None
    payload: dict[str, Any] = {
        "silence": row[0], "person": author, "reason": wanted.reason.strip(), "match": match, "from": wanted.starts_at,
        "until": wanted.ends_at, "recurring": recurring,
    }  # fmt: skip
    if replaces is not None:
        payload["replaces"] = replaces
    _chain(connection, code, "silence.began", row[0], payload, now)
    return read(connection, code, row[0])


def _end(connection: Connection, centre: Centre, silence_id: int, by: str, now: datetime) -> Silence:
    code = centre.centre.id
    ended = connection.execute(
        "update silence set ended_at = %(now)s, ended_by = %(by)s where centre = %(centre)s and silence_id = %(id)s"
        " and ended_at is null and ends_at > %(now)s",
        {"now": now, "by": by, "centre": code, "id": silence_id},
    ).rowcount
    found = read(connection, code, silence_id)
    if not ended:
        raise InputError(f"silence {silence_id} is over since {found.until.isoformat(timespec='seconds')}")
    waiting = connection.execute(
        "update outbox set held_until = least(held_until, %s)"
        f" where centre = %s and state = 'held' and {_KEEPS} = %s and reason = any(%s)",
        [now, code, silence_id, list(_LOOKED_AT_AGAIN)],
    ).rowcount
    connection.execute("select pg_notify('mingjing', 'outbox')")
    _chain(
        connection,
        code,
        "silence.ended",
        silence_id,
        {"silence": silence_id, "person": by, "held": waiting},
        now,
    )
    return found


def _chain(
    connection: Connection, centre: str, kind: str, silence_id: int, payload: Mapping[str, Any], now: datetime
) -> None:
    chain.append(connection, centre, [Entry(kind, f"silence:{silence_id}", payload)], now)


def _read(connection: Connection, where: str, values: Mapping[str, Any], order: str) -> list[Silence]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"select {_COLUMNS} from silence where {where} order by {order}", values
        ).fetchall()
    return [_silence(row) for row in rows]


def _silence(row: dict[str, Any]) -> Silence:
    match = {key: tuple(values) for key, values in row.pop("match").items()}
    recurring = row.pop("recurring")
    return Silence(
        **row, match=match, recurring=None if recurring is None else Recurring.model_validate(recurring)
    )


__all__ = ["SILENCED", "active", "ahead", "create", "end", "every", "kept", "read", "replace"]
