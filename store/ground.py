"""What the long tables stand on: hypertables where TimescaleDB is, native partitions of PostgreSQL elsewhere.

Which of the two it is does not depend on the version of the schema but on the server, and may change: the extension can be
added to a server later, or a backup be brought to a server without it. So it is no migration but is looked after at each
``mingjing migrate``: a table that stands on something else is put into a new one, all of it in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from psycopg import sql

from store.connection import Connection

log = logging.getLogger(__name__)

Part = Literal["day", "month"]
Kind = Literal["plain", "native", "hypertable"]


@dataclass(frozen=True, slots=True)
class Series:
    """A table cut into pieces by time.

    Args:
        column: the moment it is cut by.
        part: span of a native partition, in UTC.
        chunk: span of a hypertable's chunk, as PostgreSQL writes intervals.
        segment, order: how TimescaleDB's columnstore packs a chunk: rows of one segment together, and in which order.
        pack_after: age at which a chunk is packed, where the licence allows it.
    """

    table: str
    column: str
    part: Part
    chunk: str
    segment: str
    order: str
    pack_after: timedelta


#: A case is read by its number, so a packed chunk lies by number: its blocks say from which to which they reach.
EVENT = Series("event", "arrived_at", "month", "7 days", "centre", "case_id, arrived_at", timedelta(days=30))
OBSERVATION = Series("observation", "at", "day", "1 day", "centre, camera", "at desc", timedelta(days=7))
METRIC = Series("metric", "at", "month", "7 days", "centre, name", "at desc", timedelta(days=30))
SERIES: Sequence[Series] = (EVENT, OBSERVATION, METRIC)

#: Partitions made ahead of need. What finds none lies in the default partition until one is made for it.
AHEAD: dict[Part, int] = {"day": 7, "month": 2}
#: At most so many partitions are made for old rows when a table is converted; older ones stay in the default partition.
MOST_OLD = 240


def has_timescale(connection: Connection) -> bool:
    """True if this database has the extension."""
    return (
        connection.execute("select 1 from pg_extension where extname = 'timescaledb'").fetchone() is not None
    )


def has_licence(connection: Connection) -> bool:
    """True if the extension may pack, thin out and aggregate by itself (Timescale Licence, not the Apache build)."""
    return has_timescale(connection) and connection.execute(
        "select current_setting('timescaledb.license', true)"
    ).fetchone() == ("timescale",)


def kind_of(connection: Connection, table: str) -> Kind:
    """What a table stands on now."""
    row = connection.execute(
        "select relkind::text from pg_class where oid = to_regclass(%s)", [table]
    ).fetchone()
    assert row is not None, f"a migration has made {table}"
    if row[0] == "p":
        return "native"
    if not has_timescale(connection):
        return "plain"
    row = connection.execute(
        "select 1 from timescaledb_information.hypertables where hypertable_name = %s"
        " and hypertable_schema = current_schema()",
        [table],
    ).fetchone()
    return "plain" if row is None else "hypertable"


def unsettled(connection: Connection) -> list[Series]:
    """Tables that do not stand on what this server offers."""
    wanted = "hypertable" if has_timescale(connection) else "native"
    return [series for series in SERIES if kind_of(connection, series.table) != wanted]


def settle(connection: Connection, series: Series, now: datetime) -> None:
    """Puts a table on what the server offers, with all its rows. Views on it must be gone; the caller holds a transaction."""
    table, old = sql.Identifier(series.table), sql.Identifier(f"{series.table}_before")
    log.info("putting the table %s on another ground; with many rows this takes a while", series.table)
    indexes = _indexes(connection, series.table)
    connection.execute(sql.SQL("alter table {} rename to {}").format(table, old))
    like = sql.SQL(
        "create table {} (like {} including defaults including constraints including storage including comments)"
    ).format(table, old)
    if has_timescale(connection):
        connection.execute(like)
        connection.execute(
            "select create_hypertable(%s::regclass, by_range(%s, %s::interval), create_default_indexes => false)",
            [series.table, series.column, series.chunk],
        )
    else:
        connection.execute(sql.SQL("{} partition by range ({})").format(like, sql.Identifier(series.column)))
        connection.execute(
            sql.SQL("create table {} partition of {} default").format(sql.Identifier(rest_of(series)), table)
        )
        for moment in [*_parts_in(connection, series, old)[:MOST_OLD], *_parts_ahead(series, now)]:
            _make_partition(connection, series, moment)
    connection.execute(sql.SQL("insert into {} select * from {}").format(table, old))
    connection.execute(sql.SQL("drop table {}").format(old))
    for definition in indexes:
        connection.execute(definition)  # type: ignore[arg-type]
    connection.execute(sql.SQL("analyze {}").format(table))


def pack(connection: Connection, series: Series) -> None:
    """Lets TimescaleDB pack old chunks of a hypertable by columns, where its licence allows it and it does not yet."""
    row = connection.execute(
        "select compression_enabled from timescaledb_information.hypertables where hypertable_name = %s"
        " and hypertable_schema = current_schema()",
        [series.table],
    ).fetchone()
    if row != (False,):
        return
    connection.execute(
        sql.SQL(
            "alter table {} set (timescaledb.enable_columnstore, timescaledb.segmentby = {}, timescaledb.orderby = {})"
        ).format(sql.Identifier(series.table), sql.Literal(series.segment), sql.Literal(series.order))
    )
    connection.execute(
        sql.SQL("call add_columnstore_policy({}, after => {}::interval, if_not_exists => true)").format(
            sql.Literal(series.table), sql.Literal(series.pack_after)
        )
    )


def make_ahead(connection: Connection, series: Series, now: datetime) -> int:
    """Makes the native partitions of this time and the next; what lay in the default partition moves over. How many."""
    return sum(_make_partition(connection, series, moment) for moment in _parts_ahead(series, now))


def drop_before(connection: Connection, series: Series, moment: datetime) -> list[str]:
    """Drops the pieces that end before a moment; their names. What lies in the default partition stays."""
    if kind_of(connection, series.table) == "hypertable":
        rows = connection.execute(
            "select drop_chunks(%s::regclass, older_than => %s::timestamptz)::text", [series.table, moment]
        )
        return [row[0] for row in rows]
    gone = []
    for name, end in partitions(connection, series):
        if end <= moment:
            connection.execute(sql.SQL("drop table {}").format(sql.Identifier(name)))
            gone.append(name)
    return gone


def partitions(connection: Connection, series: Series) -> list[tuple[str, datetime]]:
    """The native partitions of a table and where each ends, oldest first; without the default one."""
    rows = connection.execute(
        "select c.relname, substring(pg_get_expr(c.relpartbound, c.oid) from $$TO \\('([^']+)'\\)$$)::timestamptz as ends"
        " from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = %s::regclass"
        " and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' order by ends",
        [series.table],
    )
    return [(name, end) for name, end in rows]


def earliest(connection: Connection, series: Series) -> datetime | None:
    """A moment before which the table holds nothing; None where that is not known."""
    if kind_of(connection, series.table) == "hypertable":
        row = connection.execute(
            "select min(range_start) from timescaledb_information.chunks where hypertable_name = %s"
            " and hypertable_schema = current_schema()",
            [series.table],
        ).fetchone()
        return None if row is None else row[0]
    row = connection.execute(
        "select min(substring(pg_get_expr(c.relpartbound, c.oid) from $$FROM \\('([^']+)'\\)$$)::timestamptz)"
        " from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = %s::regclass",
        [series.table],
    ).fetchone()
    if row is None or row[0] is None:
        return None
    first: datetime = row[0]
    # Old rows without a piece of their own are thinned out bit by bit.
    old = connection.execute(
        sql.SQL("select min({}) from {} where {} < %s").format(
            sql.Identifier(series.column), sql.Identifier(rest_of(series)), sql.Identifier(series.column)
        ),
        [first],
    ).fetchone()
    return first if old is None or old[0] is None else min(first, old[0])


def rest_of(series: Series) -> str:
    """Name of the default partition."""
    return f"{series.table}_rest"


def start_of(part: Part, moment: datetime) -> datetime:
    """Start of the part a moment lies in, UTC."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.replace(day=1) if part == "month" else day


def _next(part: Part, start: datetime) -> datetime:
    return start_of(part, start + timedelta(days=1 if part == "day" else 31))


def _parts_ahead(series: Series, now: datetime) -> list[datetime]:
    moments = [start_of(series.part, now)]
    for _ in range(AHEAD[series.part]):
        moments.append(_next(series.part, moments[-1]))
    return moments


def _parts_in(connection: Connection, series: Series, table: sql.Identifier) -> list[datetime]:
    """The parts that a table's rows lie in, newest first."""
    rows = connection.execute(
        sql.SQL("select distinct date_trunc({}, {}, 'UTC') as start from {} order by start desc").format(
            sql.Literal(series.part), sql.Identifier(series.column), table
        )
    )
    return [row[0] for row in rows]


def _make_partition(connection: Connection, series: Series, start: datetime) -> bool:
    """Makes one native partition if it is not there; True if it was made.

    Made apart and attached then: writers to the other partitions wait only for the attaching.
    """
    name = f"{series.table}_p{start:%Y_%m_%d}" if series.part == "day" else f"{series.table}_p{start:%Y_%m}"
    if connection.execute("select to_regclass(%s)", [name]).fetchone() != (None,):
        return False
    span = {"start": sql.Literal(start), "end": sql.Literal(_next(series.part, start))}
    words = {
        **span,
        "part": sql.Identifier(name),
        "table": sql.Identifier(series.table),
        "rest": sql.Identifier(rest_of(series)),
        "column": sql.Identifier(series.column),
    }
    with connection.transaction():
        for statement in (
            "create table {part} (like {table} including all)",
            # Nothing may arrive in the default partition between the moving and the attaching.
            "lock table {rest} in access exclusive mode",
            "with moved as (delete from {rest} where {column} >= {start} and {column} < {end} returning *)"
            " insert into {part} select * from moved",
            "alter table {table} attach partition {part} for values from ({start}) to ({end})",
        ):
            connection.execute(sql.SQL(statement).format(**words))
    return True


def _indexes(connection: Connection, table: str) -> list[str]:
    """What makes the table's primary key and indexes again."""
    keys = connection.execute(
        "select format('alter table %%s add constraint %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
        " from pg_constraint where conrelid = %s::regclass and contype in ('p', 'u')",
        [table],
    ).fetchall()
    others = connection.execute(
        "select replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') from pg_index where indrelid = %s::regclass"
        " and not exists (select 1 from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))",
        [table],
    ).fetchall()
    return [row[0] for row in (*keys, *others)]


__all__ = [
    "EVENT", "METRIC", "OBSERVATION", "SERIES", "Series", "drop_before", "has_licence", "has_timescale", "kind_of",
    "make_ahead", "pack", "partitions", "rest_of", "settle", "start_of", "unsettled",
]  # fmt: skip
