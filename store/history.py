"""How well windows were staffed and what happened over months and years, out of what is added up: a screen asks, and does not wait.

Honest shares: *unknown* is in neither numerator nor denominator, but shown beside them as coverage; where nothing was seen there
is no figure, never a full or an empty one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from domain.working_time import Calendar
from store.connection import Connection

By = Literal["centre", "department", "window"]

_DAYS = {
    "centre": ("presence_day_centre", "''"),
    "department": ("presence_day_department", "coalesce(department, '')"),
    "window": ("presence_day", "coalesce(window_id, '')"),
}
_COLUMN = {"department": "department", "window": "window_id"}


@dataclass(frozen=True, slots=True)
class Share:
    """What the looks of a span say. ``key``: window, department ('' = none) or '' for the centre; ``day``: its local date, None
    for a whole span; counts of looks at posts."""

    key: str
    day: date | None
    expected: int
    valid: int
    seen: int

    @property
    def staffed(self) -> float | None:
        """Share of valid looks that saw somebody; None where there was none."""
        return self.seen / self.valid if self.valid else None

    @property
    def coverage(self) -> float | None:
        """Share of expected looks that saw anything at all; None where none was expected."""
        return self.valid / self.expected if self.expected else None


def staffed_by_day(
    connection: Connection,
    centre: str,
    since: datetime,
    until: datetime,
    *,
    by: By = "centre",
    key: str | None = None,
) -> list[Share]:
    """Day by day (days are China's), oldest first, by key.

    Args:
        since, until: aware; the days that begin in this half-open span.
        key: only this window or department.
    """
    view, column = _DAYS[by]
    # A plain column is found by the index; no window and no department are null.
    only = (
        ""
        if key is None
        else f" and {_COLUMN[by]} = %(key)s"
        if key and by != "centre"
        else f" and {column} = %(key)s"
    )
    rows = connection.execute(
        f"select {column}, (bucket at time zone 'Asia/Shanghai')::date, sum(expected)::bigint, sum(valid)::bigint,"
        f" sum(seen)::bigint from {view} where centre = %(centre)s and bucket >= %(since)s and bucket < %(until)s"
        f"{only} group by 1, 2 order by 2, 1",
        {"centre": centre, "since": since, "until": until, "key": key},
    )
    return [Share(*row) for row in rows]


def staffed(
    connection: Connection, centre: str, since: datetime, until: datetime, *, by: By = "window"
) -> list[Share]:
    """Each window or department over the whole span, the worst staffed first, those without a figure last."""
    view, column = _DAYS[by]
    rows = connection.execute(
        f"select {column}, null::date, sum(expected)::bigint, sum(valid)::bigint, sum(seen)::bigint"
        f" from {view} where centre = %s and bucket >= %s and bucket < %s group by 1"
        " order by sum(seen) / nullif(sum(valid), 0) nulls last, 1",
        [centre, since, until],
    )
    return [Share(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class HourShare:
    """One hour of the week at a window: ``weekday`` 1 = Monday … 7, ``hour`` 0–23, local."""

    weekday: int
    hour: int
    expected: int
    valid: int
    seen: int


def staffed_by_hour(
    connection: Connection, centre: str, window: str, since: datetime, until: datetime
) -> list[HourShare]:
    """When in the week a window tends to be empty: the sums of each hour of the week over the span."""
    rows = connection.execute(
        "select extract(isodow from bucket at time zone 'Asia/Shanghai')::int,"
        " extract(hour from bucket at time zone 'Asia/Shanghai')::int, sum(expected)::bigint, sum(valid)::bigint,"
        " sum(seen)::bigint from presence_hour where centre = %s and window_id = %s and bucket >= %s and bucket < %s"
        " group by 1, 2 order by 1, 2",
        [centre, window, since, until],
    )
    return [HourShare(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class EventCount:
    """Events of a kind that occurred on a day of China's."""

    day: date
    kind: str
    number: int


def events_by_day(
    connection: Connection,
    centre: str,
    since: datetime,
    until: datetime,
    *,
    window: str | None = None,
    kind: str | None = None,
) -> list[EventCount]:
    """What happened day by day and by kind, oldest first; days on which nothing did are not in it.

    Args:
        since, until: aware; the days that begin in this half-open span.
        window: at this window only ('' = at none); None: of the whole centre.
        kind: events of this kind only.
    """
    view = "event_day_centre" if window is None else "event_day"
    where = ("" if window is None else " and window_id = %(window)s") + (
        "" if kind is None else " and kind = %(kind)s"
    )
    rows = connection.execute(
        "select (bucket at time zone 'Asia/Shanghai')::date, kind, number"
        f" from {view} where centre = %(centre)s and bucket >= %(since)s and bucket < %(until)s{where} order by 1, 2",
        {"centre": centre, "since": since, "until": until, "window": window, "kind": kind},
    )
    return [EventCount(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class FindingCount:
    """Findings of a month by rule and severity; those revoked stand apart."""

    month: date
    rule: str
    severity: str
    stand: int
    revoked: int


def findings_by_month(
    connection: Connection, centre: str, since: datetime, until: datetime
) -> list[FindingCount]:
    """By month of opening (China's), oldest first."""
    rows = connection.execute(
        "select date_trunc('month', opened_at at time zone 'Asia/Shanghai')::date, rule, severity,"
        " count(*) filter (where state <> 'revoked'), count(*) filter (where state = 'revoked')"
        " from finding where centre = %s and opened_at >= %s and opened_at < %s group by 1, 2, 3 order by 1, 2, 3",
        [centre, since, until],
    )
    return [FindingCount(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class FindingDay:
    """Cards that stand, of a day of China's (by opening) and a window ('' = none)."""

    day: date
    window: str
    yellow: int
    red: int


def findings_by_day(
    connection: Connection, centre: str, since: datetime, until: datetime
) -> list[FindingDay]:
    """Day by day, oldest first; days without a card are not in it."""
    rows = connection.execute(
        "select (opened_at at time zone 'Asia/Shanghai')::date, coalesce(window_id, ''),"
        " count(*) filter (where severity = 'yellow'), count(*) filter (where severity = 'red')"
        " from finding where centre = %s and opened_at >= %s and opened_at < %s and state <> 'revoked'"
        " and severity in ('yellow', 'red') group by 1, 2 order by 1, 2",
        [centre, since, until],
    )
    return [FindingDay(*row) for row in rows]


def year_before(calendar: Calendar, now: datetime) -> tuple[datetime, datetime]:
    """(since, until): the 365 whole local days before the day of ``now``, and that day so far."""
    today = calendar.local_date(now)
    return calendar.day_start(today - 365), now


__all__: Sequence[str] = (
    "By", "EventCount", "FindingCount", "FindingDay", "HourShare", "Share", "events_by_day", "findings_by_day", "findings_by_month", "staffed", "staffed_by_day", "staffed_by_hour",
    "year_before",
)  # fmt: skip
