"""Ingest beside raw binary COPY into the same table, on one server, in turn.

    python -m benchmarks.ingest_copy [--events 50000] [--rounds 3] [--json FILE]

Raw COPY checks nothing, recognises nothing that comes twice and marks no case to be judged; it is the ceiling of what the
server takes. Ingest is :func:`store.ingest.write_events` in the worker's batches, a transaction each. The third figure is the
same events once more, every one recognised.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.figure import Figure, write_figures
from domain.events import Event, content_hash
from store.connection import Connection, connect
from store.embedded import EmbeddedServer, dsn_for
from store.ingest import write_events
from store.migrate import has_timescale, migrate

CENTRE = "530502"
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
KINDS = ("case.received", "case.accepted", "case.stage_finished", "case.decided")
BATCH = 500


def make_events(count: int) -> list[Event]:
    """Cases of four events each, as they follow one another in a day."""
    return [
        Event(
            f"e{number}",
            KINDS[number % 4],
            NOW + timedelta(milliseconds=10 * number),
            "approval",
            received_at=NOW + timedelta(milliseconds=10 * number + 800),
            centre=CENTRE,
            window=f"A{1 + number // 4 % 60:02}",
            case=f"C{number // 4}",
            item=f"A-{1 + number // 4 % 20:03}",
            staff=f"S{number // 4 % 90:02}",
            data={"stage": "review"} if number % 4 == 2 else {},
        )
        for number in range(count)
    ]


def copy(connection: Connection, events: list[Event]) -> float:
    """Rows a second by COPY … (FORMAT BINARY), one transaction."""
    columns = {
        "source": ("text", lambda e: e.source),
        "event_id": ("text", lambda e: e.event_id),
        "kind": ("text", lambda e: e.kind),
        "occurred_at": ("timestamptz", lambda e: e.occurred_at),
        "received_at": ("timestamptz", lambda e: e.received_at),
        "centre": ("text", lambda e: e.centre),
        "window_id": ("text", lambda e: e.window),
        "case_id": ("text", lambda e: e.case),
        "item": ("text", lambda e: e.item),
        "staff": ("text", lambda e: e.staff),
        "content_hash": ("bytea", content_hash),
    }
    there = {
        row[0]
        for row in connection.execute("select attname from pg_attribute where attrelid = 'event'::regclass")
    }
    chosen = {name: how for name, how in columns.items() if name in there}
    rows = [tuple(take(event) for _, take in chosen.values()) for event in events]
    began = time.perf_counter()
    with (
        connection.transaction(),
        connection.cursor() as cursor,
        cursor.copy(f"copy event ({', '.join(chosen)}) from stdin (format binary)") as stream,
    ):
        stream.set_types([kind for kind, _ in chosen.values()])
        for row in rows:
            stream.write_row(row)
    return len(events) / (time.perf_counter() - began)


def ingest(connection: Connection, events: list[Event]) -> float:
    """Rows a second through the worker's way."""
    began = time.perf_counter()
    for start in range(0, len(events), BATCH):
        write_events(connection, events[start : start + BATCH], centre=CENTRE, now=NOW)
    return len(events) / (time.perf_counter() - began)


def empty(connection: Connection) -> None:
    for table in ("event", "event_key", "case_state", "window_state", "source_state"):
        if connection.execute("select to_regclass(%s)", [table]).fetchone() != (None,):
            connection.execute(f"truncate {table} cascade")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    events = make_events(options.events)
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
        measured: dict[str, list[float]] = {"raw binary COPY": [], "ingest": [], "ingest, all known": []}
        with connect(dsn, autocommit=True) as connection:
            ground = "TimescaleDB" if has_timescale(connection) else "PostgreSQL"
            for _ in range(options.rounds):
                empty(connection)
                measured["raw binary COPY"].append(copy(connection, events))
                empty(connection)
                measured["ingest"].append(ingest(connection, events))
                measured["ingest, all known"].append(ingest(connection, events))
        raw = statistics.median(measured["raw binary COPY"])
        parameters: dict[str, str | int | float | bool] = {"events": options.events, "ground": ground}
        figures = [Figure("raw binary COPY", raw, "events/s", parameters=parameters)]
        for title in ("ingest", "ingest, all known"):
            value = statistics.median(measured[title])
            figures.append(
                Figure(title, value, "events/s", "raw binary COPY", value / raw, parameters=parameters)
            )
        write_figures(options.json, figures)
        with psycopg.connect(address, autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)")
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
