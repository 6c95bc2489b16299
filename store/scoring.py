"""What scores and backtests ask of the store: cases at issue, their events, findings as they stand, ratings, looks at seats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.events import Event
from store import history
from store.connection import Connection
from store.judging import EARLIEST_ARRIVAL, events_of_cases

_EVENT = "event_id, kind, occurred_at, source, entered_at, received_at, centre, window_id, case_id, item, staff, data"
#: Cases of which the events are in memory at once.
BATCH = 500


@dataclass(frozen=True, slots=True)
class ScoredFinding:
    """A finding as it stands. ``appealed``: an appeal waits for its decision; ``staff``: of one about a person's day."""

    finding_id: str
    rule: str
    severity: str
    opened_at: datetime
    case: str | None
    item: str | None
    window: str | None
    revoked: bool
    appealed: bool
    staff: str | None = None


def cases_at_issue(
    connection: Connection, centre: str, since: datetime, until: datetime
) -> dict[str, str | None]:
    """Case → its kept settings: those that began, ended, had a deadline or were found against in the half-open span."""
    rows = connection.execute(
        "select case_id, settings_id from case_state where centre = %(centre)s and ("
        " (started_at >= %(since)s and started_at < %(until)s) or (stopped_at >= %(since)s and stopped_at < %(until)s)"
        " or (promised_due >= %(since)s and promised_due < %(until)s)"
        " or (legal_due >= %(since)s and legal_due < %(until)s) or case_id in (select case_id from finding f"
        "   where f.centre = %(centre)s and f.opened_at >= %(since)s and f.opened_at < %(until)s)) order by case_id",
        {"centre": centre, "since": since, "until": until},
    )
    return dict(rows.fetchall())


def cases_alive(connection: Connection, centre: str, since: datetime, until: datetime) -> list[str]:
    """Cases that something could still be found about: not stopped before ``since``, by more than ``AFTERLIFE``."""
    rows = connection.execute(
        "select case_id from case_state where centre = %s and coalesce(stopped_at, 'infinity') >= %s"
        " and coalesce(started_at, '-infinity') < %s order by case_id",
        [centre, since - AFTERLIFE, until],
    )
    return [row[0] for row in rows]


#: A certificate may be late for so long after the decision that a backtest looks no further.
AFTERLIFE = timedelta(days=90)


def case_events(
    connection: Connection, centre: str, cases: Sequence[str]
) -> Iterator[tuple[str, list[Event]]]:
    """Each case with its events in order of arrival, a batch of cases at a time."""
    for start in range(0, len(cases), BATCH):
        found = events_of_cases(connection, centre, cases[start : start + BATCH])
        for case, arrivals in found.items():
            yield case, [arrival.event for arrival in arrivals]


def other_events(connection: Connection, centre: str, since: datetime, until: datetime) -> Iterator[Event]:
    """What names no case (complaints, tickets, attendance …), from :data:`AFTERLIFE` before the span on, in order of arrival."""
    begin = since - AFTERLIFE
    rows = connection.execute(
        f"select {_EVENT} from event where centre = %s and case_id is null and occurred_at >= %s and occurred_at <= %s"
        " and arrived_at >= %s order by seq",
        [centre, begin, until, begin - EARLIEST_ARRIVAL],
    )
    for row in rows:
        yield Event(*row)


def events_of_kinds(
    connection: Connection, centre: str, kinds: Sequence[str], since: datetime, until: datetime
) -> Iterator[Event]:
    """Everything of some kinds that occurred in the span, in order of arrival."""
    rows = connection.execute(
        f"select {_EVENT} from event where centre = %s and kind = any(%s) and occurred_at >= %s and occurred_at <= %s"
        " and arrived_at >= %s order by seq",
        [centre, list(kinds), since, until, since - EARLIEST_ARRIVAL],
    )
    for row in rows:
        yield Event(*row)


def findings_at_issue(
    connection: Connection, centre: str, since: datetime, until: datetime, cases: Sequence[str]
) -> list[ScoredFinding]:
    """Those opened in the span, and all of the cases; with what became of them."""
    rows = connection.execute(
        "select finding_id, rule, severity, opened_at, case_id, item, window_id, state = 'revoked',"
        " coalesce(life = 'appealed', false), case when case_id is null then explain ->> 'staff' end from finding where centre = %s"
        " and ((opened_at >= %s and opened_at < %s) or (opened_at < %s and case_id = any(%s)))"
        " order by opened_at, finding_id",
        [centre, since, until, until, list(cases)],
    )
    return [ScoredFinding(*row) for row in rows]


def ratings_between(connection: Connection, centre: str, since: datetime, until: datetime) -> list[Event]:
    """``rating.given`` that occurred in the span, in order of arrival."""
    rows = connection.execute(
        f"select {_EVENT} from event where centre = %s and kind = 'rating.given' and occurred_at >= %s and occurred_at < %s"
        " and arrived_at >= %s order by seq",
        [centre, since, until, since - EARLIEST_ARRIVAL],
    )
    return [Event(*row) for row in rows]


def looks_between(
    connection: Connection, centre: str, since: datetime, until: datetime, by: history.By
) -> dict[str, tuple[int, int, int]]:
    """Window, department or centre → looks due, looks that saw anything, looks that saw somebody."""
    shares = history.staffed(connection, centre, since, until, by=by)
    return {share.key: (share.expected, share.valid, share.seen) for share in shares}


__all__ = [
    "AFTERLIFE", "ScoredFinding", "case_events", "cases_alive", "cases_at_issue", "findings_at_issue", "looks_between",
    "other_events", "ratings_between",
]  # fmt: skip
