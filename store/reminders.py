"""Findings whose answer may be late: when to look at each, and of what somebody was reminded already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from store.connection import Connection


def mark_for_reminding(connection: Connection, findings: Sequence[str]) -> None:
    """Something has happened to findings: when to look at them next is found out at the next turn."""
    if findings:
        connection.execute(
            "update finding set remind_at = '-infinity' where finding_id = any(%s)", [sorted(findings)]
        )


def mark_all_for_reminding(connection: Connection, centre: str) -> int:
    """The clocks of answers, or who is reminded, have changed; returns how many findings are looked at again."""
    return connection.execute(
        "update finding set remind_at = '-infinity' where centre = %s and severity <> 'notice' and state <> 'revoked'"
        " and life not in ('revoked', 'closed')",
        [centre],
    ).rowcount


def claim_reminders(
    connection: Connection, centre: str, now: datetime, limit: int
) -> list[tuple[str, list[str]]]:
    """Locks findings whose moment has come, the longest waiting first; with the steps reminded of already."""
    return connection.execute(
        "select finding_id, reminded from finding where centre = %s and remind_at <= %s order by remind_at limit %s"
        " for update skip locked",
        [centre, now, limit],
    ).fetchall()


def save_reminder(
    connection: Connection, finding: str, remind_at: datetime | None, reminded: Sequence[str]
) -> None:
    """When to look at a finding next (None: no more), and of what somebody has been reminded."""
    connection.execute(
        "update finding set remind_at = %s, reminded = %s where finding_id = %s",
        [remind_at, sorted(reminded), finding],
    )


def reminded_of(connection: Connection, findings: Sequence[str]) -> dict[str, list[str]]:
    """Of which steps of each finding somebody has been reminded; those without any are left out."""
    rows = connection.execute(
        "select finding_id, reminded from finding where finding_id = any(%s) and reminded <> '{}'",
        [list(findings)],
    )
    return dict(rows.fetchall())


__all__ = ["claim_reminders", "mark_all_for_reminding", "mark_for_reminding", "reminded_of", "save_reminder"]
