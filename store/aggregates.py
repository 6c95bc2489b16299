"""What was seen and what happened, added up by minute, hour and day: plain names on every ground.

With TimescaleDB and its licence ``presence_…`` are continuous aggregates (migrations 0002, 0006 and 0011). Elsewhere they are views
over tables that :func:`roll_presence` fills: everything before a line is added up, everything after it is added up while
reading, so that the newest minute is never missing. What comes in late, before the line, leaves a note of its hour, and that
hour is added up again. ``event_…`` are made in the second way on every ground.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from store.connection import Connection
from store.ground import Series, has_licence, has_timescale

#: Views that depend on each other, the last first.
PRESENCE = (
    "presence_day_centre", "presence_hour_centre", "presence_day_department", "presence_day",
    "presence_hour_department", "presence_hour", "presence_minute_centre", "presence_minute_department", "presence_minute",
)  # fmt: skip
#: Policies of those that migration 0011 makes: from when, until when (both as time before now), and how often. What stands on
#: minutes looks back less than retention ever leaves of them; hours and days are kept for ever.
BACK = {
    "presence_day_centre": ("30 days", "2 days", "6 hours"),
    "presence_day_department": ("30 days", "2 days", "6 hours"),
    "presence_hour_centre": ("30 days", "3 hours", "30 minutes"),
    "presence_hour_department": ("7 days", "2 hours", "30 minutes"),
    "presence_minute_centre": ("7 days", "3 minutes", "1 minute"),
    "presence_minute_department": ("7 days", "2 minutes", "1 minute"),
}
EVENTS = ("event_day_centre", "event_day", "event_hour")
#: Minutes are thinned out; they lie in native partitions on every ground.
MINUTES = tuple(
    Series(table, "bucket", "month", "30 days", "", "", timedelta())
    for table in ("presence_minute_rolled", "presence_minute_department_rolled")
)

#: What is younger is added up while reading: no transaction that writes is open for so long.
SETTLED = timedelta(minutes=10)
#: At most so much is added up in one transaction.
STRIDE = timedelta(days=1)
#: Late hours added up again in one transaction.
LATE = 24
#: Arrivals of events counted in one transaction.
EVENT_STRIDE = timedelta(days=7)


def continuous(connection: Connection) -> bool:
    """Whether the extension keeps the aggregates by itself."""
    if not has_timescale(connection):
        return False
    row = connection.execute(
        "select count(*) from timescaledb_information.continuous_aggregates where view_name = any(%s)",
        [list(PRESENCE)],
    ).fetchone()
    return row is not None and row[0] == len(PRESENCE)


def drop_views(connection: Connection) -> None:
    """Takes the plain names away while the tables below them change; a view of somebody else's on them is an error."""
    for name in EVENTS if continuous(connection) else (*EVENTS, *PRESENCE):
        connection.execute(f"drop view if exists {name}")


def create_views(connection: Connection) -> None:
    """Writes the plain names anew."""
    folder = Path(__file__).parent
    files = ["events_views.sql"] if continuous(connection) else ["presence_views.sql", "events_views.sql"]
    for name in files:
        connection.execute((folder / name).read_text(encoding="utf-8"))  # type: ignore[arg-type]


def fill(connection: Connection, *, sleep: Callable[[float], object] = time.sleep) -> None:
    """Adds up what there is for continuous aggregates made just now, and then gives them the policies that go on with it.

    Those of hours and days begin where the sums end that a migration has put there: a refresh from the beginning would take out
    of them what retention has taken out of the rows. What was broken off goes on with the next call.

    Raises:
        psycopg.Error: as for :func:`refresh`.
    """
    if not (continuous(connection) and has_licence(connection)) or _has_policy(connection, next(iter(BACK))):
        return
    for name in reversed(BACK):
        if name in ("presence_minute_department", "presence_minute_centre"):
            # Not to the very end, or what comes in today would count as late.
            refresh(connection, name, "now() - interval '1 day'", sleep=sleep)
            continue
        unit = "day" if name.startswith("presence_day") else "hour"
        row = connection.execute(
            f"select (max(bucket) + interval '1 {unit}')::text, coalesce(max(bucket) + interval '1 {unit}' <= now() - interval '4 days', true)"
            f" from {_rows_of(connection, name)}"
        ).fetchone()
        assert row is not None
        if row[1]:
            since = "null" if row[0] is None else f"timestamptz '{row[0]}'"
            refresh(connection, name, "now() - interval '3 days'", since=since, sleep=sleep)
    with connection.transaction():
        for name, (start, end, every) in BACK.items():
            connection.execute(
                "select add_continuous_aggregate_policy(%s::regclass, start_offset => %s::interval, end_offset => %s::interval,"
                " schedule_interval => %s::interval)",
                [name, start, end, every],
            )


def _has_policy(connection: Connection, name: str) -> bool:
    row = connection.execute(
        "select count(*) from timescaledb_information.jobs j join timescaledb_information.continuous_aggregates a"
        " on a.materialization_hypertable_name = j.hypertable_name or a.view_name = j.hypertable_name"
        " where j.proc_name = 'policy_refresh_continuous_aggregate' and a.view_name = %s",
        [name],
    ).fetchone()
    return row is not None and row[0] > 0


def _rows_of(connection: Connection, name: str) -> str:
    """The table in which an aggregate's rows lie."""
    row = connection.execute(
        "select format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)"
        " from timescaledb_information.continuous_aggregates where view_name = %s",
        [name],
    ).fetchone()
    assert row is not None
    return str(row[0])


def refresh(
    connection: Connection,
    name: str,
    until: str = "null",
    *,
    since: str = "null",
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Refreshes a continuous aggregate, without more from its beginning; waits while a policy of the extension is at it.

    Args:
        until, since: expressions of SQL.

    Raises:
        psycopg.errors.LockNotAvailable: it is at it for over a minute.
    """
    for left in range(120, -1, -1):
        try:
            connection.execute(f"call refresh_continuous_aggregate('{name}', {since}, {until})")  # type: ignore[arg-type]
            return
        except psycopg.errors.LockNotAvailable:
            if not left:
                raise
            sleep(0.5)


def note_late(connection: Connection, moments: Iterable[tuple[str, datetime]], now: datetime) -> None:
    """Notes the hours of (centre, moment) that have been added up already, or may be before this transaction ends."""
    hours = sorted({(centre, _hour(at)) for centre, at in moments})
    if hours:
        connection.execute(
            "insert into rollup_late (centre, hour) select c, h from unnest(%s::text[], %s::timestamptz[]) as u (c, h)"
            " where h < greatest(%s, (select upto from rollup where name = 'presence')) order by c, h on conflict do nothing",
            [*(list(column) for column in zip(*hours, strict=True)), _hour(now - SETTLED)],
        )


# -- adding up -------------------------------------------------------------------------------------------------------


def roll_presence(connection: Connection, now: datetime, kept: datetime) -> bool:
    """Moves the line forward by at most a :data:`STRIDE`, and adds up late hours again; True if there is more to do.

    Where continuous aggregates do it there is only the notes of late hours to clear away.

    Args:
        kept: the moment from which raw rows are complete: an hour of which some rows are gone is never added up again.
    """
    if continuous(connection):
        connection.execute("delete from rollup_late")
        return False
    with connection.transaction():
        row = connection.execute(
            "select upto, days_upto from rollup where name = 'presence' for update"
        ).fetchone()
        if row is None:
            first = connection.execute(
                "select min(at) from observation where kind = 'post.summary'"
            ).fetchone()
            if first is None or first[0] is None:
                return False
            upto = _hour(first[0])
            days = _day(connection, upto)
            connection.execute("insert into rollup values ('presence', %s, %s)", [upto, days])
        else:
            upto, days = row
        end = min(_hour(now - SETTLED), upto + STRIDE)
        if end > upto:
            _add_hours(connection, upto, end)
            whole = _day(connection, end)
            if whole > days:
                _add_days(connection, days, whole)
            connection.execute(
                "update rollup set upto = %s, days_upto = greatest(days_upto, %s) where name = 'presence'",
                [end, whole],
            )
            days = max(days, whole)
            upto = end
    # Apart, and few at a time: whoever has a late row for one of these hours waits until it is done.
    with connection.transaction():
        late = _add_late(connection, upto, days, kept)
    return late or upto < _hour(now - SETTLED)


_SUMS = "sum(looks_expected), sum(looks_valid), sum(looks_seen)"
_AGAIN = "sum(expected), sum(valid), sum(seen)"
_BETWEEN = (
    "where bucket >= %(start)s and bucket < %(end)s and (%(centre)s::text is null or centre = %(centre)s)"
)


def _add_hours(connection: Connection, start: datetime, end: datetime, centre: str | None = None) -> None:
    values = {"start": start, "end": end, "centre": centre}
    raw = (
        "from observation where kind = 'post.summary' and at >= %(start)s and at < %(end)s"
        " and (%(centre)s::text is null or centre = %(centre)s)"
    )
    connection.execute(
        f"insert into presence_minute_rolled select date_trunc('minute', at, 'UTC'), centre, window_id, camera, post, {_SUMS}"
        f" {raw} group by 1, 2, 3, 4, 5",
        values,
    )
    connection.execute(
        f"insert into presence_hour_rolled select date_trunc('hour', at, 'UTC'), centre, window_id, camera, post, {_SUMS}"
        f" {raw} group by 1, 2, 3, 4, 5",
        values,
    )
    connection.execute(
        f"insert into presence_minute_department_rolled select date_trunc('minute', at, 'UTC'), centre, department, {_SUMS}"
        f" {raw} group by 1, 2, 3",
        values,
    )
    connection.execute(
        "insert into presence_hour_department_rolled"
        f" select date_trunc('hour', bucket, 'UTC'), centre, department, {_AGAIN} from presence_minute_department_rolled"
        f" {_BETWEEN} group by 1, 2, 3",
        values,
    )


def _add_days(connection: Connection, start: datetime, end: datetime, centre: str | None = None) -> None:
    values = {"start": start, "end": end, "centre": centre}
    day = "date_trunc('day', bucket, 'Asia/Shanghai')"
    connection.execute(
        f"insert into presence_day_rolled select {day}, centre, window_id, camera, post, {_AGAIN}"
        f" from presence_hour_rolled {_BETWEEN} group by 1, 2, 3, 4, 5",
        values,
    )
    connection.execute(
        f"insert into presence_day_department_rolled select {day}, centre, department, {_AGAIN}"
        f" from presence_hour_department_rolled {_BETWEEN} group by 1, 2, 3",
        values,
    )


def _add_late(connection: Connection, upto: datetime, days: datetime, kept: datetime) -> bool:
    """Late hours, and the whole days they lie in, taken out and added up again; True if there were as many as one takes."""
    late = connection.execute(
        "delete from rollup_late where (centre, hour) in (select centre, hour from rollup_late order by hour limit %s)"
        " returning centre, hour, date_trunc('day', hour, 'Asia/Shanghai')",
        [LATE],
    ).fetchall()
    again: set[tuple[str, datetime]] = set()
    for centre, hour, day in late:
        if kept <= hour < upto:
            for table in (
                "presence_minute_rolled",
                "presence_hour_rolled",
                "presence_minute_department_rolled",
                "presence_hour_department_rolled",
            ):
                connection.execute(
                    f"delete from {table} where centre = %s and bucket >= %s and bucket < %s",
                    [centre, hour, hour + timedelta(hours=1)],
                )
            _add_hours(connection, hour, hour + timedelta(hours=1), centre)
            if day < days:
                again.add((centre, day))
    for centre, day in again:
        for table in ("presence_day_rolled", "presence_day_department_rolled"):
            connection.execute(f"delete from {table} where centre = %s and bucket = %s", [centre, day])
        _add_days(connection, day, day + timedelta(days=1), centre)
    return len(late) == LATE


def roll_events(connection: Connection, now: datetime) -> bool:
    """Counts the events that have arrived since the line, by when they occurred; True if there is more to do."""
    with connection.transaction():
        row = connection.execute("select upto from rollup where name = 'events' for update").fetchone()
        if row is None:
            first = connection.execute("select min(arrived_at) from event").fetchone()
            if first is None or first[0] is None:
                return False
            row = (_hour(first[0]),)
            connection.execute("insert into rollup values ('events', %s, %s)", [row[0], row[0]])
        upto, last = row[0], _hour(now - SETTLED)
        end = min(last, upto + EVENT_STRIDE)
        if end <= upto:
            return False
        for part, zone in (("hour", "UTC"), ("day", "Asia/Shanghai")):
            connection.execute(
                f"insert into event_{part}_rolled as old (bucket, centre, kind, window_id, number)"
                f" select date_trunc('{part}', occurred_at, '{zone}') as bucket, centre, kind, coalesce(window_id, '') as at, count(*)"
                " from event where arrived_at >= %s and arrived_at < %s group by 1, 2, 3, 4 order by 2, 3, 4, 1"
                " on conflict (centre, kind, window_id, bucket) do update set number = old.number + excluded.number",
                [upto, end],
            )
        connection.execute(
            "insert into event_day_centre_rolled as old (bucket, centre, kind, number)"
            " select date_trunc('day', occurred_at, 'Asia/Shanghai') as bucket, centre, kind, count(*) from event"
            " where arrived_at >= %s and arrived_at < %s group by 1, 2, 3 order by 2, 3, 1"
            " on conflict (centre, kind, bucket) do update set number = old.number + excluded.number",
            [upto, end],
        )
        connection.execute("update rollup set upto = %s, days_upto = %s where name = 'events'", [end, end])
    return end < last


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _day(connection: Connection, moment: datetime) -> datetime:
    """China's midnight at or before a moment."""
    row = connection.execute(
        "select date_trunc('day', %s::timestamptz, 'Asia/Shanghai')", [moment]
    ).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found
