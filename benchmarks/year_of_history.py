"""A year of presence: what a screen waits for with and without aggregates, and what the year weighs.

    python -m benchmarks.year_of_history [--windows 3] [--days 365] [--json FILE]

Writes the summaries that a camera sends of each window every 15 s of nine hours a day, day by day, as the upkeep finds them, and
asks the questions of :mod:`store.history` of the aggregates, and the same of the raw rows. The server is the embedded one, or the one
of MINGJING_TEST_DSN; with TimescaleDB and its licence the aggregates are continuous ones and the rows are packed at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.figure import Figure, Parameter, write_figures
from store import aggregates, history
from store.connection import Connection, connect
from store.embedded import EmbeddedServer, dsn_for
from store.ground import OBSERVATION, drop_before, has_licence, has_timescale, make_ahead
from store.migrate import migrate
from store.retention import KEEP

CENTRE = "530502"
END = datetime(2026, 11, 20, tzinfo=UTC)
#: Nine hours from 08:30 in China.
OPENS, LOOKS = timedelta(minutes=30), 9 * 240
ASKED = 7


def fill_day(connection: Connection, day: datetime, windows: int) -> None:
    connection.execute(
        "insert into observation (centre, at, observation_id, kind, camera, window_id, post, department, state,"
        " looks_expected, looks_valid, looks_seen, received_at)"
        " select %(centre)s, t, 'o' || w || '-' || extract(epoch from t)::bigint, 'post.summary', 'K' || w,"
        "   'A' || lpad(w::text, 3, '0'), 'desk', 'D' || w %% 12, 'present', 7, 7 - (w %% 3), (extract(epoch from t)::bigint / 900 + w) %% 8 %% 8,"
        "   t + interval '1 second'"
        " from generate_series(%(from)s::timestamptz, %(from)s::timestamptz + %(last)s * interval '15 seconds', interval '15 seconds') t,"
        "   generate_series(1, %(windows)s) w",
        {"centre": CENTRE, "from": day + OPENS, "last": LOOKS - 1, "windows": windows},
    )


def fill(connection: Connection, days: int, windows: int) -> None:
    """Day by day, as time passes: partitions are made, the day comes, the upkeep adds it up."""
    native = not has_timescale(connection)
    for number in range(days, 0, -1):
        day = END - timedelta(days=number)
        if native:
            make_ahead(connection, OBSERVATION, day)
        fill_day(connection, day, windows)
        if native:
            while aggregates.roll_presence(connection, day + timedelta(hours=23), day - timedelta(days=30)):
                pass
    if not native and aggregates.continuous(connection):
        for name in reversed(aggregates.PRESENCE):
            aggregates.refresh(connection, name, f"timestamptz '{END - timedelta(days=2)}'")
    connection.execute("vacuum analyze")


#: What a screen asks, and the same of the raw rows.
_RAW_DAYS = (
    "select {key}, (at at time zone 'Asia/Shanghai')::date, sum(looks_expected), sum(looks_valid), sum(looks_seen)"
    " from observation where kind = 'post.summary' and centre = %s and at >= %s and at < %s group by 1, 2 order by 2, 1"
)
_RAW_HOURS = (
    "select extract(isodow from at at time zone 'Asia/Shanghai'), extract(hour from at at time zone 'Asia/Shanghai'),"
    " sum(looks_expected), sum(looks_valid), sum(looks_seen) from observation where kind = 'post.summary' and centre = %s"
    " and at >= %s and at < %s and window_id = 'A001' group by 1, 2"
)


def questions(
    connection: Connection, since: datetime
) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    def raw(text: str) -> Callable[[], object]:
        return lambda: connection.execute(text, [CENTRE, since, END]).fetchall()

    return {
        "centre by day": (
            lambda: history.staffed_by_day(connection, CENTRE, since, END),
            raw(_RAW_DAYS.format(key="''")),
        ),
        "departments by day": (
            lambda: history.staffed_by_day(connection, CENTRE, since, END, by="department"),
            raw(_RAW_DAYS.format(key="department")),
        ),
        "windows, the worst first": (
            lambda: history.staffed(connection, CENTRE, since, END),
            raw(_RAW_DAYS.format(key="window_id")),
        ),
        "one window by hour of the week": (
            lambda: history.staffed_by_hour(connection, CENTRE, "A001", since, END),
            raw(_RAW_HOURS),
        ),
    }


def ask(question: Callable[[], object], times: int) -> float:
    """Median milliseconds; the first answer warms the caches."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        assert question()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[1:])


def measure(connection: Connection, days: int, windows: int) -> list[Figure]:
    connection.execute("set statement_timeout = 0")
    fill(connection, days, windows)
    ground = "TimescaleDB" if has_licence(connection) else "PostgreSQL"
    parameters: dict[str, Parameter] = {"windows": windows, "days": days, "ground": ground}
    asked = questions(connection, END - timedelta(days=days))
    raw = {title: ask(question, 2) for title, (_, question) in asked.items()}
    figures = [Figure(f"{title}, raw rows", took, "ms", parameters=parameters) for title, took in raw.items()]
    plain = size(connection)
    figures.append(
        Figure("a year of one window", plain / windows * 365 / days / 2**20, "MiB", parameters=parameters)
    )
    if has_licence(connection):
        for (chunk,) in connection.execute("select show_chunks('observation')::text").fetchall():
            connection.execute(f"call convert_to_columnstore('{chunk}', if_not_columnstore => true)")
        packed = size(connection)
        figures.append(
            Figure(
                "a year of one window, packed", packed / windows * 365 / days / 2**20, "MiB",
                "a year of one window", packed / plain, parameters=parameters,
            )
        )  # fmt: skip
    # From here as a system lives: raw rows for some weeks, the year in the aggregates.
    drop_before(connection, OBSERVATION, END - KEEP.observation)
    for title, (question, _) in asked.items():
        took = ask(question, ASKED)
        # The bound is of the waiting itself, so it stands apart from the ratio.
        figures.append(Figure(title, took, "ms", goal="<= 100", parameters=parameters))
        figures.append(
            Figure(
                f"{title}, beside raw rows",
                took,
                "ms",
                "the raw rows",
                took / raw[title],
                parameters=parameters,
            )
        )
    return figures


def size(connection: Connection) -> float:
    """Bytes of the raw rows with their indexes."""
    query = (
        "select hypertable_size('observation')"
        if has_timescale(connection)
        else "select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'observation'::regclass"
    )
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    given = os.environ.get("MINGJING_TEST_DSN")
    server = None if given else EmbeddedServer(folder)
    name = f"mj_bench_{os.getpid()}"
    try:
        if server is not None:
            server.start()
        address = given or dsn_for(folder, "postgres")
        with psycopg.connect(address, autocommit=True) as admin:
            admin.execute(f"create database {name}")
        dsn = make_conninfo(address, dbname=name)
        migrate(dsn)
        with connect(dsn, autocommit=True) as connection:
            figures = measure(connection, options.days, options.windows)
        write_figures(options.json, figures)
        with psycopg.connect(address, autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)")
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
