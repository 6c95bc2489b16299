"""What families with ``shadow: true`` have found: counted, listed, issued nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from store.connection import Connection


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """How many findings of a rule would have opened in a week (its Monday, local): in all, still open, taken back since."""

    rule: str
    severity: str
    week: date
    found: int
    open: int
    revoked: int


def count_shadows(
    connection: Connection, centre: str, zone: ZoneInfo, since: datetime | None = None
) -> list[ShadowCount]:
    """By rule and week of opening, in that order."""
    rows = connection.execute(
        "select rule, severity, date_trunc('week', opened_at at time zone %s)::date as week, count(*),"
        " count(*) filter (where state = 'open'), count(*) filter (where state = 'revoked')"
        " from shadow_finding where centre = %s and opened_at >= coalesce(%s::timestamptz, '-infinity')"
        " group by rule, severity, week order by rule, severity, week",
        [zone.key, centre, since],
    )
    return [ShadowCount(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class ShadowFinding:
    """One of them, as a list shows it."""

    finding_id: str
    rule: str
    severity: str
    subject: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    due_at: datetime | None


def list_shadows(
    connection: Connection, centre: str, *, rule: str | None = None, limit: int = 100
) -> list[ShadowFinding]:
    """The newest first, of one rule or of all."""
    rows = connection.execute(
        "select finding_id, rule, severity, subject, state, opened_at, closed_at, due_at from shadow_finding"
        " where centre = %s and (%s::text is null or rule = %s) order by opened_at desc, finding_id limit %s",
        [centre, rule, rule, limit],
    )
    return [ShadowFinding(*row) for row in rows]
