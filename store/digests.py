"""What a digest of the day counts and names, by window: one reading for all who get one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from store.connection import Connection


@dataclass(frozen=True, slots=True)
class DayCount:
    """Findings of one window, rule and severity.

    Args:
        window: None: of no window.
        opened: issued in the span, also those that are over. closed, revoked: cards, in the span.
        unanswered: of any day, still to be answered. overdue: of these, those whose time to answer is over.
    """

    window: str | None
    rule: str
    severity: str
    opened: int
    closed: int
    revoked: int
    unanswered: int
    overdue: int


_NEW = "issued_at > %(since)s and issued_at <= %(until)s"
#: A notice ends by itself, and one that a late event took back was nobody's card.
_CARD = "severity <> 'notice'"
_UNANSWERED = "severity = any(%(answered)s) and life in ('open', 'acknowledged') and state <> 'revoked'"

_COUNTS = f"""
select window_id, rule, severity, opened, closed, revoked, unanswered, overdue from (
    select window_id, rule, severity,
           count(*) filter (where {_NEW}) as opened,
           count(*) filter (where {_CARD} and state = 'closed' and closed_at > %(since)s and closed_at <= %(until)s) as closed,
           count(*) filter (where {_CARD} and state = 'revoked' and revoked_at > %(since)s and revoked_at <= %(until)s) as revoked,
           count(*) filter (where {_UNANSWERED}) as unanswered,
           count(*) filter (where {_UNANSWERED} and issued_at < %(late)s) as overdue
    from finding where centre = %(centre)s group by window_id, rule, severity) sums
where opened + closed + revoked + unanswered > 0
"""

_WORST = f"""
select finding_id, rule, severity, window_id, case_id, opened_at, source from (
    select finding_id, rule, severity, window_id, case_id, opened_at, explain ->> 'source' as source,
           row_number() over (partition by window_id order by severity = 'red' desc, severity = 'yellow' desc,
                              ({_UNANSWERED} and issued_at < %(late)s) desc, opened_at, finding_id) as place
    from finding
    where centre = %(centre)s and rule = any(%(rules)s) and state <> 'revoked'
      and (({_NEW}) or ({_UNANSWERED} and issued_at < %(late)s))) ranked
where place <= %(most)s
"""


def day_counts(
    connection: Connection,
    centre: str,
    since: datetime,
    until: datetime,
    *,
    answered: Sequence[str],
    late_before: datetime,
) -> list[DayCount]:
    """The findings of a span (since, until], and what is still to be answered.

    Args:
        answered: severities that want an answer.
        late_before: what was issued before this moment, and is not answered, is late.
    """
    values = {
        "centre": centre, "since": since, "until": until, "answered": list(answered), "late": late_before,
    }  # fmt: skip
    return [DayCount(*row) for row in connection.execute(_COUNTS, values)]


def worst_of_day(
    connection: Connection,
    centre: str,
    since: datetime,
    until: datetime,
    *,
    rules: Sequence[str],
    answered: Sequence[str],
    late_before: datetime,
    most: int = 3,
) -> list[dict[str, Any]]:
    """Of each window the worst findings that are new or overdue, at most ``most``: finding_id, rule, severity, window_id,
    case_id, opened_at, source."""
    values = {
        "centre": centre, "since": since, "until": until, "answered": list(answered), "late": late_before,
        "rules": list(rules), "most": most,
    }  # fmt: skip
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_WORST, values).fetchall()


__all__ = ["DayCount", "day_counts", "worst_of_day"]
