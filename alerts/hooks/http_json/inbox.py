"""What the demo gateway has accepted: one SQLite file, so that it survives a restart."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_SCHEMA = """
create table if not exists accepted (
    n integer primary key, key text not null, phone text not null, template text not null,
    text text not null, severity text not null, created_at text not null, received_at real not null,
    provider_id text not null, body_hash text not null);
create index if not exists accepted_key on accepted (key);
create index if not exists accepted_phone on accepted (phone, n);
create table if not exists request (key text primary key, count integer not null);
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Answer to one request: ``new`` was accepted now, ``known`` earlier, ``conflict`` earlier with another body."""

    outcome: Literal["new", "known", "conflict"]
    provider_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message as a phone would show it. ``received_at``: real seconds since the epoch."""

    n: int
    key: str
    phone: str
    template: str
    text: str
    severity: str
    created_at: str
    received_at: float
    provider_id: str


class Inbox:
    """Safe for several threads. ``path`` may be ``:memory:``."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    def count_request(self, key: str) -> None:
        with self._lock:
            self._db.execute(
                "insert into request values (?, 1) on conflict (key) do update set count = count + 1", (key,)
            )

    def accept(self, body: dict[str, Any], at: float, *, again: bool = False) -> Receipt:
        """Takes a message once for each idempotency key; ``again`` forgets that it was there (a gateway with a defect)."""
        key = body["idempotency_key"]
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self._lock:
            known = self._db.execute(
                "select provider_id, body_hash from accepted where key = ?", (key,)
            ).fetchone()
            if known and not again:
                return Receipt("known" if known[1] == digest else "conflict", known[0])
            severity = (
                "correction" if body["template"].endswith("correction") else body["template"].split(".")[-1]
            )
            (n,) = self._db.execute("select coalesce(max(n), 0) + 1 from accepted").fetchone()
            provider_id = f"G{n:08d}"
            self._db.execute(
                "insert into accepted values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    n,
                    key,
                    body["to"],
                    body["template"],
                    body["text"],
                    severity,
                    body["created_at"],
                    at,
                    provider_id,
                    digest,
                ),
            )
        return Receipt("new", provider_id)

    def find(self, key: str) -> str | None:
        """The provider id of a message, if it was accepted."""
        with self._lock:
            row = self._db.execute("select provider_id from accepted where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def counts(self) -> dict[str, dict[str, int]]:
        """For each key: how often it was accepted (should be 1) and how often it was asked for."""
        with self._lock:
            rows = self._db.execute(
                "select key, (select count(*) from accepted a where a.key = request.key), count from request order by key"
            ).fetchall()
        return {key: {"accepted": accepted, "requests": count} for key, accepted, count in rows}

    def newest(self, limit: int = 500) -> list[Accepted]:
        """The newest messages, newest first."""
        with self._lock:
            rows = self._db.execute(
                "select n, key, phone, template, text, severity, created_at, received_at, provider_id from accepted "
                "order by n desc limit ?",
                (limit,),
            ).fetchall()
        return [Accepted(*row) for row in rows]

    def totals(self) -> tuple[int, int, int]:
        """(messages, phones, newest number)."""
        with self._lock:
            row = self._db.execute(
                "select count(*), count(distinct phone), coalesce(max(n), 0) from accepted"
            ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def close(self) -> None:
        with self._lock:
            self._db.close()
