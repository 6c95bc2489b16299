"""A small centre, findings and messages that wait, in a real database; a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.clock import FakeClock
from domain.findings import Finding
from store import Connection
from tests.alerts.conftest import NOW, make_centre, make_finding, save_finding

PHONES = {"p1": "13800000001", "p2": "13800000002", "p3": "13800000003", "p4": "13800000004"}


class Board:
    """What a test of the rounds needs."""

    def __init__(self, dsn: str, **messages: Any) -> None:
        self.dsn, self.clock, self.centre = dsn, FakeClock(NOW), make_centre(**messages)
        self.connection: Connection = psycopg.connect(dsn, autocommit=True)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def finding(self, number: int = 1, **changes: Any) -> Finding:
        made = make_finding(number, **changes)
        save_finding(self.connection, made)
        return made

    def held(self, finding: Finding, person: str = "p3", *, minutes: float = 1, **given: Any) -> int:
        """A message that waits, as the pipeline writes one; returns its number."""
        values: dict[str, Any] = {
            "idempotency_key": f"{finding.finding_id}:{person}:{given.pop('step', 'opened')}",
            "finding_id": finding.finding_id,
            "centre": finding.centre,
            "person": person,
            "phone": PHONES[person],
            "channel": "http",
            "template": f"finding.{finding.severity}",
            "state": "held",
            "reason": "group",
            "gather": "group",
            "why": "opened",
            "held_until": self.now + timedelta(minutes=minutes),
            "created_at": self.now,
            "next_try_at": NOW,
            "give_up_at": NOW + timedelta(days=1),
            "params": Jsonb({"rule": finding.rule, "severity": finding.severity}),
        } | given
        names = ", ".join(values)
        row = self.connection.execute(
            f"insert into outbox ({names}) values ({', '.join(['%s'] * len(values))}) returning message_id",
            list(values.values()),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def rows(self, columns: str, where: str = "true") -> list[Any]:
        rows = self.connection.execute(
            f"select {columns} from outbox where {where} order by message_id"
        ).fetchall()
        return [row[0] for row in rows] if "," not in columns else rows

    def set(self, finding: Finding, **columns: Any) -> None:
        if not columns:
            return
        names = ", ".join(f"{name} = %s" for name in columns)
        self.connection.execute(
            f"update finding set {names} where finding_id = %s", [*columns.values(), finding.finding_id]
        )


@pytest.fixture
def board(database: str) -> Iterator[Board]:
    made = Board(database)
    yield made
    made.connection.close()
