"""Looks (查阅) of people at findings: each is a row of the evidence chain; and the rows of the chain about one finding."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.chain import Entry, Row
from store import chain
from store.connection import Connection

LOOKED = "evidence.looked"


def keep_look(
    connection: Connection,
    centre: str,
    finding: str,
    subject: str,
    now: datetime,
    *,
    person: str,
    what: str,
    **detail: Any,
) -> None:
    """Keeps that a person looked at a finding.

    Args:
        subject: of the finding.
        what: at which page or by which command.
        detail: JSON-ready; None is left out.
    """
    payload = {"person": person, "what": what, **{k: v for k, v in detail.items() if v is not None}}
    with connection.transaction():
        chain.append(connection, centre, [Entry(LOOKED, subject, payload, finding)], now)


def rows_about(connection: Connection, centre: str, finding: str, *, limit: int = 500) -> list[Row]:
    """The rows of the chain about a finding, the newest ``limit`` of them, oldest first."""
    rows = connection.execute(
        "select centre, seq, at, kind, body_hash, prev_hash, hash, body from evidence"
        " where finding_id = %s and centre = %s order by seq desc limit %s",
        [finding, centre, limit],
    ).fetchall()
    return [
        Row(code, seq, at, kind, bytes(body_hash), bytes(before), bytes(made), body)
        for code, seq, at, kind, body_hash, before, made, body in reversed(rows)
    ]


__all__ = ["LOOKED", "keep_look", "rows_about"]
