"""A store for tests: SQLite in a file (survives kill -9), or failures on command."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from domain.events import Event
from domain.observations import Observation
from store.dead_letters import Refusal
from store.ingest import WriteResult


class SqliteWriter:
    """Idempotent by source and event_id, like the real one. ``raw`` counts writes, so that repeats can be seen."""

    def __init__(
        self, path: Path | str, fail: Callable[[str, Sequence[Any]], None] = lambda kind, rows: None
    ) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._fail = fail
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS event (source, event_id, received_at, PRIMARY KEY (source, event_id))"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS observation (id PRIMARY KEY)")
        self._db.execute("CREATE TABLE IF NOT EXISTS letter (origin, place, code, reason, raw)")
        self._db.execute("CREATE TABLE IF NOT EXISTS beat (role PRIMARY KEY, count, detail)")

    def write_events(self, events: Sequence[Event]) -> WriteResult:
        self._fail("events", events)
        self._db.execute("BEGIN IMMEDIATE")
        new = 0
        for event in events:
            new += self._db.execute(
                "INSERT OR IGNORE INTO event VALUES (?, ?, ?)",
                (event.source, event.event_id, str(event.received_at)),
            ).rowcount
        self._db.execute("COMMIT")
        return WriteResult(new, len(events) - new, 0)

    def write_observations(self, observations: Sequence[Observation]) -> None:
        self._fail("observations", observations)
        self._db.executemany(
            "INSERT OR IGNORE INTO observation VALUES (?)", [(o.observation_id,) for o in observations]
        )

    def write_dead_letters(self, refusals: Sequence[Refusal]) -> None:
        self._fail("letters", refusals)
        self._db.executemany(
            "INSERT INTO letter VALUES (?, ?, ?, ?, ?)",
            [(r.origin, r.place, r.code, r.reason, r.raw) for r in refusals],
        )

    def beat(self, role: str, detail: dict[str, Any], instance: str) -> None:
        self._db.execute(
            "INSERT INTO beat VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET count = count + 1, detail = excluded.detail",
            (role, json.dumps(detail)),
        )

    def close(self) -> None:
        self._db.close()


def read(path: Path | str, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path, timeout=10) as db:
        return db.execute(query).fetchall()


def event_row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "kind": "case.received",
        "occurred_at": "2026-03-02T09:00:00+08:00",
        "source": "test",
        "case": f"c{number % 97}",
        **changes,
    }


def event_bytes(number: int, **changes: Any) -> bytes:
    return json.dumps(event_row(number, **changes), ensure_ascii=False).encode()
