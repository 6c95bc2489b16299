"""Appending to the evidence chain and reading it. One chain for each centre; it never forks.

Whoever appends locks the chain's end until the transaction is over: append last, when nothing else is left to be locked.
Then no two transactions wait for each other in a circle, and the lock is held as long as a commit takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from domain.chain import Entry, Head, Row, link
from store.connection import Connection

_COLUMNS = "centre, seq, at, kind, body_hash, prev_hash, hash, body"
SETTINGS = "settings.in_force"


def append(connection: Connection, centre: str, entries: Sequence[Entry], at: datetime) -> Head | None:
    """Adds rows at the end of a centre's chain, inside the caller's transaction; returns the new end, None without entries.

    Args:
        at: the system's clock.
    """
    if not entries:
        return None
    head, last_at = _lock(connection, centre)
    rows = link(head, entries, at)
    if last_at is not None and last_at.date() != at.astimezone(UTC).date() and head.seq:
        connection.execute(
            "insert into evidence_head (centre, seq, day, hash) values (%s, %s, %s, %s)",
            [centre, head.seq, last_at.date(), head.hash],
        )
    # One text of JSON, not eight arrays: the client's way of writing an array costs more than all the rest.
    values = [
        {
            "seq": row.seq, "kind": row.kind, "subject": entry.subject, "finding": entry.finding_id, "body": row.body,
            "body_hash": row.body_hash.hex(), "prev_hash": row.prev_hash.hex(), "hash": row.hash.hex(),
        }
        for row, entry in zip(rows, entries, strict=True)
    ]  # fmt: skip
    connection.execute(
        "with moved as (update evidence_chain set seq = %s, hash = %s, at = %s where centre = %s)"
        " insert into evidence (centre, at, seq, kind, subject, finding_id, body, body_hash, prev_hash, hash)"
        " select %s, %s, seq, kind, subject, finding, body, decode(body_hash, 'hex'), decode(prev_hash, 'hex'),"
        " decode(hash, 'hex') from json_to_recordset(%s::json) as u (seq bigint, kind text, subject text, finding text,"
        " body text, body_hash text, prev_hash text, hash text)",
        [rows[-1].seq, rows[-1].hash, at, centre, centre, at, json.dumps(values, ensure_ascii=False)],
    )
    return rows[-1].head


def _lock(connection: Connection, centre: str) -> tuple[Head, datetime | None]:
    """The chain's end, locked; the first time it is made."""
    query = "select seq, hash, at at time zone 'UTC' from evidence_chain where centre = %s for update"
    row = connection.execute(query, [centre]).fetchone()
    if row is None:
        connection.execute("insert into evidence_chain (centre) values (%s) on conflict do nothing", [centre])
        row = connection.execute(query, [centre]).fetchone()
        assert row is not None
    return Head(centre, row[0], bytes(row[1])), row[2]


def note_settings(connection: Connection, centre: str, payload: Mapping[str, Any], at: datetime) -> bool:
    """Keeps which settings and rules are in force from now on; False where they are those of the last time."""
    entry = Entry(SETTINGS, "settings", payload)
    last = connection.execute(
        "select body from evidence where centre = %s and subject = 'settings' order by seq desc limit 1",
        [centre],
    ).fetchone()
    if last is not None and last[0] == entry.body:
        return False
    append(connection, centre, [entry], at)
    return True


def read(connection: Connection, centre: str, first: int = 1, last: int | None = None) -> Iterator[Row]:
    """The rows of a chain from one number to another, both included, in order; memory for a few hundred."""
    after = first - 1
    while True:
        rows = connection.execute(
            f"select {_COLUMNS} from evidence where centre = %s and seq > %s and (%s::bigint is null or seq <= %s)"
            " order by seq limit 500",
            [centre, after, last, last],
        ).fetchall()
        for row in rows:
            yield _row(row)
        if len(rows) < 500:
            return
        after = rows[-1][1]


def numbers_about(
    connection: Connection, centre: str, subjects: Sequence[str], findings: Sequence[str]
) -> list[int]:
    """The numbers of the rows about subjects or findings, in order."""
    rows = connection.execute(
        "select seq from evidence where centre = %(centre)s and (subject = any(%(subjects)s) or finding_id = any(%(findings)s))"
        " order by seq",
        {"centre": centre, "subjects": list(subjects), "findings": list(findings)},
    )
    return [seq for (seq,) in rows]


def end(connection: Connection, centre: str) -> Head:
    """Where a chain ends."""
    row = connection.execute("select seq, hash from evidence_chain where centre = %s", [centre]).fetchone()
    return Head(centre) if row is None else Head(centre, row[0], bytes(row[1]))


def centres(connection: Connection) -> list[str]:
    """The centres that have a chain."""
    return [centre for (centre,) in connection.execute("select centre from evidence_chain order by centre")]


@dataclass(frozen=True, slots=True)
class DayHead:
    """An end as it was kept at some day, signed or not."""

    head: Head
    day: date
    signed_at: datetime | None = None
    signature: bytes | None = None
    public_key: bytes | None = None


def keep_head(connection: Connection, kept: DayHead) -> None:
    """Keeps an end beside the chain; never changed again."""
    connection.execute(
        "insert into evidence_head (centre, seq, day, hash, signed_at, signature, public_key)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [
            kept.head.centre, kept.head.seq, kept.day, kept.head.hash, kept.signed_at, kept.signature, kept.public_key,
        ],
    )  # fmt: skip


def heads(connection: Connection, centre: str, since: int = 0) -> list[DayHead]:
    """The ends kept so far of rows from number ``since``, oldest first."""
    rows = connection.execute(
        "select seq, hash, day, signed_at, signature, public_key from evidence_head where centre = %s and seq >= %s"
        " order by seq, number",
        [centre, since],
    )
    return [
        DayHead(Head(centre, seq, bytes(made)), day, at, _bytes(sign), _bytes(key))
        for seq, made, day, at, sign, key in rows
    ]


def keep_daily_head(connection: Connection, kept: DayHead) -> bool:
    """Keeps the head of a whole day; False where there is one already."""
    done = connection.execute(
        "insert into evidence_head (centre, seq, day, hash, signed_at, signature, public_key, daily)"
        " values (%s, %s, %s, %s, %s, %s, %s, true) on conflict (centre, day) where daily do nothing",
        [
            kept.head.centre, kept.head.seq, kept.day, kept.head.hash, kept.signed_at, kept.signature, kept.public_key,
        ],
    )  # fmt: skip
    return done.rowcount == 1


def daily_heads(connection: Connection, centre: str) -> list[DayHead]:
    """The heads of whole days, oldest first."""
    rows = connection.execute(
        "select seq, hash, day, signed_at, signature, public_key from evidence_head where centre = %s and daily order by day",
        [centre],
    )
    return [
        DayHead(Head(centre, seq, bytes(made)), day, at, _bytes(sign), _bytes(key))
        for seq, made, day, at, sign, key in rows
    ]


def ends_by_day(
    connection: Connection, centre: str, after: int, before: datetime, zone: str
) -> dict[date, Head]:
    """The last row after number ``after`` of each local day before a moment."""
    rows = connection.execute(
        "select distinct on (d) (at at time zone %(zone)s)::date as d, seq, hash from evidence"
        " where centre = %(centre)s and seq > %(after)s and at < %(before)s order by d, seq desc",
        {"centre": centre, "after": after, "before": before, "zone": zone},
    )
    return {day: Head(centre, seq, bytes(made)) for day, seq, made in rows}


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _row(values: Iterable[Any]) -> Row:
    centre, seq, at, kind, body_hash, prev_hash, made, body = values
    return Row(centre, seq, at, kind, bytes(body_hash), bytes(prev_hash), bytes(made), body)


__all__ = [
    "SETTINGS", "DayHead", "append", "centres", "daily_heads", "end", "ends_by_day", "heads", "keep_daily_head", "keep_head", "note_settings", "numbers_about",
    "read",
]  # fmt: skip
