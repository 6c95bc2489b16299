"""Who is away and who covers: the events that say so, as the roster of messages wants them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain import cover, leave
from domain.centre import Centre
from domain.events import Event
from domain.finding_life import Role, roles_of
from domain.roster import Grounds, Roster
from store.connection import Connection
from store.judging import COLUMNS, EARLIEST_ARRIVAL

#: A leave that was granted longer ago than this is granted anew, or its person is taken out of the centre file: so that of years
#: of pieces only those of these days are asked.
LONGEST_LEAVE = timedelta(days=400)
#: Ends are written in any offset: a day more, and the reader is exact.
_SLACK = timedelta(days=1)


def roster_events(connection: Connection, centre: Centre, now: datetime) -> list[Event]:
    """The events of every leave that has not ended by ``now`` (also of those to come, as far as granted) and of today's covers.

    One statement over the index by kind; a centre without any costs next to nothing. Of what happens after ``now`` nothing is
    known. Raises psycopg.Error.
    """
    calendar = centre.working_time
    today = calendar.local_date(now)
    rows = connection.execute(
        f"with granted as materialized (select {COLUMNS} from event where centre = %(centre)s and kind = '{leave.GRANTED}'"
        "     and occurred_at <= %(now)s and occurred_at >= %(oldest)s and arrived_at >= %(oldest)s::timestamptz - %(ahead)s"
        "     and left(data->>'to', 10) >= %(yesterday)s)"
        " select * from granted union all"
        f" select {COLUMNS} from event where centre = %(centre)s and kind = '{leave.ENDED}' and occurred_at <= %(now)s"
        "     and occurred_at >= (select min(left(data->>'from', 10))::timestamptz - %(slack)s from granted)"
        "     and staff in (select staff from granted) and arrived_at >= %(oldest)s::timestamptz - %(ahead)s"
        f" union all select {COLUMNS} from event where centre = %(centre)s"
        f"     and kind in ('{cover.STARTED}', '{cover.ENDED}') and occurred_at >= %(midnight)s and occurred_at <= %(now)s"
        "     and arrived_at >= %(midnight)s::timestamptz - %(ahead)s"
        " order by seq",
        {
            "centre": centre.centre.id,
            "now": now,
            "oldest": now - LONGEST_LEAVE,
            "ahead": EARLIEST_ARRIVAL,
            "slack": _SLACK,
            "yesterday": (calendar.local(now) - _SLACK).date().isoformat(),
            "midnight": calendar.day_start(today),
        },
    )
    return [Event(*values) for _, *values in rows]


def roles_at(
    connection: Connection, centre: Centre, window: str | None, person: str, now: datetime
) -> Mapping[Role, Grounds]:
    """What a person is to a finding at a window at this moment, and why: see :meth:`domain.roster.Roster.roles_of`."""
    if window is None or not person:
        return dict.fromkeys(roles_of(centre, window, person), ())
    return Roster(centre, roster_events(connection, centre, now)).roles_of(person, window, now)


def windows_at(connection: Connection, centre: Centre, person: str, now: datetime) -> frozenset[str]:
    """Windows whose findings concern a person at this moment: see :meth:`domain.roster.Roster.windows_of`."""
    if not person:
        return frozenset()
    return Roster(centre, roster_events(connection, centre, now)).windows_of(person, now)


__all__ = ["LONGEST_LEAVE", "roles_at", "roster_events", "windows_at"]
