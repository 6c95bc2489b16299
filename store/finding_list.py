"""Findings page after page, as an inspector's list filters them: each page begins after the last row of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.centre import Centre
from store import reading
from store.connection import Connection
from store.finding_life import FindingLife, lives_of
from store.reading import FindingRow

#: Nothing more is done about these.
_ENDED = "(life in ('revoked', 'closed') or state = 'revoked')"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is to hold; None and empty leave a condition out.

    Args:
        life: a state of the answer; ``pending``: about which something is to be done.
        cause: what the rules say: open, closed, revoked.
        severities: of one of these.
        rule: a rule, or with a dot at the end a family: ``absence.``.
        windows: at one of these only; an empty list finds nothing.
        staff: or about this person's own day.
        since, until: issued in this half-open span.
        late_before: not answered, and issued before this moment.
        case: the case itself, whole.
    """

    life: str | None = None
    cause: str | None = None
    severities: Sequence[str] | None = None
    rule: str | None = None
    windows: Sequence[str] | None = None
    staff: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    late_before: datetime | None = None
    case: str | None = None

    def conditions(self) -> tuple[str, dict[str, object]]:
        """SQL, beginning with ``and`` where there is any, and its values."""
        parts: list[str] = []
        values: dict[str, object] = {}

        def add(condition: str, **given: object) -> None:
            parts.append(condition)
            values.update(given)

        if self.life == "pending":
            add(f"not {_ENDED}")
        elif self.life:
            add("life = %(life)s", life=self.life)
        if self.cause:
            add("state = %(cause)s", cause=self.cause)
        if self.severities is not None:
            add("severity = any(%(severities)s)", severities=list(self.severities))
        if self.rule:
            add(
                "starts_with(rule, %(rule)s)" if self.rule.endswith(".") else "rule = %(rule)s",
                rule=self.rule,
            )
        if self.windows is not None:
            own = " or (case_id is null and explain ->> 'staff' = %(staff)s)" if self.staff else ""
            add(f"(window_id = any(%(windows)s){own})", windows=list(self.windows), staff=self.staff)
        if self.since is not None:
            add("issued_at >= %(since)s", since=self.since)
        if self.until is not None:
            add("issued_at < %(until)s", until=self.until)
        if self.late_before is not None:
            add(
                f"life in ('open', 'acknowledged') and not {_ENDED} and issued_at < %(before)s",
                before=self.late_before,
            )
        if self.case:
            add("case_id = %(case)s", case=self.case)
        return "".join(f" and {part}" for part in parts), values


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the list; a page begins behind it."""

    issued_at: datetime
    finding_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the list's order. ``following``: what the next page begins behind; None: this is the last."""

    rows: tuple[FindingLife, ...]
    following: Place | None


def read_page(
    connection: Connection,
    centre: Centre,
    wanted: Wanted,
    *,
    after: Place | None = None,
    oldest_first: bool = False,
    limit: int = 50,
) -> Page:
    """One page, the last issued first: the answer of what is issued last is due last.

    Args:
        after: of the page before; what was issued meanwhile moves nothing.
    """
    where, values = wanted.conditions()
    sign, order = (">", "") if oldest_first else ("<", " desc")
    if after is not None:
        where += f" and (issued_at, finding_id) {sign} (%(after_at)s, %(after_id)s)"
        values |= {"after_at": after.issued_at, "after_id": after.finding_id}
    rows = connection.execute(
        f"select {reading.FINDING_COLUMNS}, explain from finding where centre = %(centre)s{where}"
        f" order by issued_at{order}, finding_id{order} limit %(limit)s",
        {**values, "centre": centre.centre.id, "limit": limit + 1},
    ).fetchall()
    found = [FindingRow(*row) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        last = found[-1]
        assert last.issued_at is not None
        following = Place(last.issued_at, last.finding_id)
    return Page(tuple(lives_of(connection, centre, found)), following)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many findings wait for what."""

    pending: int = 0
    late: int = 0
    appealed: int = 0
    rectified: int = 0


def count_waiting(connection: Connection, centre: str, wanted: Wanted) -> Waiting:
    """Of the findings about which something is to be done.

    Args:
        wanted: ``severities``, ``windows``, ``staff`` and ``late_before`` count, the rest not.
    """
    mine = replace(Wanted(), severities=wanted.severities, windows=wanted.windows, staff=wanted.staff)
    where, values = mine.conditions()
    row = connection.execute(
        "select count(*), count(*) filter (where life in ('open', 'acknowledged') and issued_at < %(before)s),"
        " count(*) filter (where life = 'appealed'), count(*) filter (where life = 'rectified')"
        f" from finding where centre = %(centre)s and not {_ENDED}{where}",
        {**values, "centre": centre, "before": wanted.late_before},
    ).fetchone()
    assert row is not None
    return Waiting(*row)


__all__ = ["Page", "Place", "Waiting", "Wanted", "count_waiting", "read_page"]
