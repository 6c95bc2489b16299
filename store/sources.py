"""Signs of life of feeds and cameras. One that speaks again after silence is judged at once, the others when their time comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from store.connection import Connection

SourceKind = Literal["feed", "camera"]


def note_sources(
    connection: Connection,
    kind: SourceKind,
    signs: Mapping[tuple[str, str], datetime],
    newest: Mapping[tuple[str, str], datetime] | None = None,
) -> None:
    """Writes the newest sign of life of each (centre, source); an older one than is known changes nothing.

    Args:
        newest: for feeds, the newest ``occurred_at`` each has spoken of.
    """
    if not signs:
        return
    rows = [(*key, at, (newest or {}).get(key)) for key, at in sorted(signs.items())]
    connection.execute(
        "insert into source_state as old (centre, kind, source, last_at, last_event, look_at)"
        " select c, %s, s, a, n, '-infinity'"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]) as u (c, s, a, n)"
        " on conflict (centre, kind, source) do update set last_at = greatest(old.last_at, excluded.last_at),"
        " last_event = greatest(old.last_event, excluded.last_event),"
        " heard_at = case when old.state = 'silent' and excluded.last_at > old.silent_from"
        "   then coalesce(old.heard_at, excluded.last_at) end,"
        " look_at = case when old.state = 'silent' and excluded.last_at > old.silent_from"
        "   then '-infinity' else old.look_at end",
        [kind, *(list(column) for column in zip(*rows, strict=True))],
    )


def expect_sources(
    connection: Connection, kind: SourceKind, centre: str, sources: Sequence[str], now: datetime
) -> None:
    """Sources that ought to speak: one that never does is silent from now on."""
    connection.execute(
        "insert into source_state (centre, kind, source, last_at, look_at)"
        " select %s, %s, s, %s, '-infinity' from unnest(%s::text[]) as u (s) order by s on conflict do nothing",
        [centre, kind, now, list(sources)],
    )


def save_source(
    connection: Connection, centre: str, name: str, now: datetime, look_at: datetime | None, *, silent: bool
) -> None:
    """After judging. A silence that is over is forgotten here: its finding is closed."""
    connection.execute(
        "update source_state set judged_at = %(now)s, look_at = %(look_at)s, failures = 0, heard_at = null,"
        " state = case when %(silent)s then 'silent' else 'speaking' end,"
        " silent_from = case when not %(silent)s then null when heard_at is null and silent_from is not null"
        "   then silent_from else last_at end"
        " where centre = %(centre)s and name = %(name)s",
        {"now": now, "look_at": look_at, "silent": silent, "centre": centre, "name": name},
    )
