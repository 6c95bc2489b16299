"""What a round over many centres asks of the store: one question for what is due anywhere, one statement for all signs of life."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from store.connection import Connection

#: Tables with subjects that are looked at when their moment comes, each with an index on (centre, look_at).
_TABLES = ("case_state", "window_state", "source_state", "subject_state")
_LOOKS = (
    *((table, "look_at", "look_at is not null") for table in _TABLES),
    ("finding", "remind_at", "remind_at is not null"),
    ("escalation", "next_at", "true"),
    ("outbox", "held_until", "state = 'held' and reason <> 'daily'"),
)


def next_looks(connection: Connection, centres: Iterable[str]) -> dict[str, datetime]:
    """The earliest moment at which anything of each centre is due; centres in which nothing ever is are left out.

    Costs seven index probes a centre, however many cases are open. ``-infinity`` comes as the year 2.
    """
    soonest = ", ".join(
        f"(select {column} from {table} where centre = c and {condition} order by {column} limit 1)"
        for table, column, condition in _LOOKS
    )
    rows = connection.execute(
        f"select c, greatest(least({soonest}), '0002-01-01Z') from unnest(%s::text[]) as u (c)"
        f" where coalesce({soonest}) is not null",
        [list(centres)],
    )
    return dict(rows.fetchall())


def beat_all(
    connection: Connection, role: str, details: Mapping[str, Mapping[str, Any]], *, now: datetime
) -> None:
    """Signs of life of many instances of a role, with what goes with each, in one statement."""
    instances = sorted(details)
    connection.execute(
        "insert into heartbeat (role, instance, at, detail)"
        " select %s, i, %s, d::jsonb from unnest(%s::text[], %s::text[]) as u (i, d)"
        " on conflict (role, instance) do update set at = excluded.at, real_at = now(), detail = excluded.detail",
        [
            role,
            now,
            instances,
            [json.dumps(dict(details[instance]), ensure_ascii=False) for instance in instances],
        ],
    )


__all__ = ["beat_all", "next_looks"]
