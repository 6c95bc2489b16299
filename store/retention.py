"""Keeping the raw series short. Nothing else is ever deleted.

Findings, steps, messages, dead letters, keys of events and presence spans are evidence: their tables are not named here, and
a test holds this file to that. Events are kept for ever unless somebody says how long. What is dropped are whole pieces
(partitions, chunks), which costs the same however many rows they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from store.aggregates import MINUTES, continuous
from store.connection import Connection
from store.ground import (
    EVENT,
    METRIC,
    OBSERVATION,
    Series,
    drop_before,
    earliest,
    has_licence,
    kind_of,
    rest_of,
)

#: Rows deleted from a default partition in one statement: some tens of milliseconds.
SLICE = 20_000
#: Aggregates look so far back for what comes late; less than that is never left of their source.
SHORTEST = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long raw rows are kept; None = for ever.

    Raises:
        ValueError: less than :data:`SHORTEST`.
    """

    observation: timedelta = timedelta(days=35)
    minute: timedelta = timedelta(days=90)
    metric: timedelta = timedelta(days=400)
    event: timedelta | None = None

    def __post_init__(self) -> None:
        for name in ("observation", "minute", "metric", "event"):
            span = getattr(self, name)
            if span is not None and span < SHORTEST:
                raise ValueError(f"{name}: at least {SHORTEST.days} days have to be kept")


KEEP = Keep()


def apply_retention(connection: Connection, now: datetime, keep: Keep = KEEP) -> dict[str, int]:
    """Drops what is older than kept, or sees to it that TimescaleDB does.

    Returns:
        How many pieces of each table were dropped here; nothing where a policy of the extension does it.
    """
    aggregated = continuous(connection)
    if has_licence(connection):
        _set_policies(connection, keep, aggregated=aggregated)
    gone: dict[str, int] = {}
    for series, span in ((OBSERVATION, keep.observation), (METRIC, keep.metric), (EVENT, keep.event)):
        if span is None:
            continue
        before = now - span
        if has_licence(connection) and kind_of(connection, series.table) == "hypertable":
            if series is EVENT:
                gone["subject_event"] = _drop_links(connection, before)
            continue
        if series is not METRIC and not (series is OBSERVATION and aggregated):
            line = _line(connection, series)
            if line is None:
                continue
            before = min(before, line)  # nothing goes before it is added up
        gone[series.table] = len(drop_before(connection, series, before))
        if kind_of(connection, series.table) == "native":
            _thin_out(connection, series, before)
        if series is EVENT:
            gone["subject_event"] = _drop_links(connection, before)
    if not aggregated:
        for series in MINUTES:
            gone[series.table] = len(drop_before(connection, series, now - keep.minute))
            _thin_out(connection, series, now - keep.minute)
    return gone


def _drop_links(connection: Connection, before: datetime) -> int:
    """Links to events that are gone; their subjects are told. Where the oldest piece of events reaches further back than what is
    kept, its links stay with it."""
    floor = earliest(connection, EVENT)
    if floor is None:
        return 0
    row = connection.execute(
        "with gone as (delete from subject_event where ctid = any(array("
        "   select ctid from subject_event where arrived_at < %s limit %s)) returning centre, subject, occurred_at),"
        " lost as (select centre, subject, max(occurred_at) as until from gone group by 1, 2),"
        " told as (update subject_state s set lost_until = greatest(s.lost_until, lost.until) from lost"
        "   where s.centre = lost.centre and s.subject = lost.subject)"
        " select count(*) from gone",
        [min(floor, before), SLICE],
    ).fetchone()
    return 0 if row is None else int(row[0])


def _line(connection: Connection, series: Series) -> datetime | None:
    """Up to where the upkeep has added up; None: nowhere yet."""
    name = "presence" if series is OBSERVATION else "events"
    row = connection.execute("select upto from rollup where name = %s", [name]).fetchone()
    return None if row is None else row[0]


def _thin_out(connection: Connection, series: Series, before: datetime) -> int:
    """Old rows in the default partition, which is never dropped."""
    rest = sql.Identifier(rest_of(series))
    return connection.execute(
        sql.SQL("delete from {} where ctid = any(array(select ctid from {} where {} < %s limit %s))").format(
            rest, rest, sql.Identifier(series.column)
        ),
        [before, SLICE],
    ).rowcount


def _set_policies(connection: Connection, keep: Keep, *, aggregated: bool) -> None:
    """Retention policies as the settings say."""
    wanted = {"observation": keep.observation, "metric": keep.metric, "event": keep.event}
    if aggregated:
        names = ("presence_minute", "presence_minute_department", "presence_minute_centre")
        wanted |= dict.fromkeys(names, keep.minute)
    rows = connection.execute(
        "select hypertable_name, (config ->> 'drop_after')::interval from timescaledb_information.jobs"
        " where proc_name = 'policy_retention'"
    ).fetchall()
    known = dict(rows)
    # Of an aggregate the job names the table its rows lie in.
    places = dict(
        connection.execute(
            "select view_name, materialization_hypertable_name from timescaledb_information.continuous_aggregates"
        ).fetchall()
    )
    for table, span in wanted.items():
        found = known.get(table, known.get(places.get(table, "")))
        if found == span:
            continue
        with connection.transaction():
            if found is not None:
                connection.execute("select remove_retention_policy(%s::regclass)", [table])
            if span is not None:
                connection.execute(
                    "select add_retention_policy(%s::regclass, drop_after => %s::interval)", [table, span]
                )
