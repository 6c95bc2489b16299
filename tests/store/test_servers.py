"""The schema on other servers: plain PostgreSQL as the system installs it, and TimescaleDB where a server offers it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from domain.clock import FakeClock
from store.aggregates import PRESENCE, refresh, roll_presence
from store.connection import Connection, connect
from store.embedded import EmbeddedServer
from store.ground import SERIES, has_licence, kind_of
from store.ingest import WriteResult, write_events
from store.judging import events_of_cases
from store.migrate import load_migrations, migrate, migrate_command
from store.observations import write_observations
from store.reading import case_history, wall_snapshot
from store.retention import KEEP, SHORTEST, Keep, apply_retention
from store.upkeep import Upkeep
from tests.store.making import CENTRE, at, event, look

pytestmark = [pytest.mark.postgres]

#: Where Debian and Ubuntu install the servers; one more may be named.
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) + [
    Path(name, "postgres") for name in filter(None, [os.environ.get("MINGJING_TEST_POSTGRES_BIN")])
]


def works_as_a_whole(dsn: str) -> None:
    """Migrated, written and read."""
    assert len(migrate(dsn)) == len(load_migrations())
    assert migrate(dsn) == []
    with connect(dsn, autocommit=True) as db:
        events = [event("case.received", 0), event("case.accepted", 5)]
        assert write_events(db, events, centre=CENTRE, now=at(5)) == WriteResult(2, 0, 0)
        assert write_events(db, events, centre=CENTRE, now=at(6)) == WriteResult(0, 2, 0)
        looks = [look("present", 1), look("absent", 1.5), look("absent", 2)]
        assert write_observations(db, looks + looks, now=at(2)).new == 3
        snapshot = wall_snapshot(db, CENTRE, at(10))
        assert [(row.window, row.presence) for row in snapshot.windows] == [("A01", "absent")]
        assert (snapshot.totals.received, snapshot.totals.open) == (1, 1)
        for name in ("minute", "hour", "day"):
            rows = db.execute(f"select sum(expected), sum(seen) from presence_{name}").fetchall()
            assert rows == [(21, 7)], name


@pytest.mark.process
@pytest.mark.skipif(not FOUND, reason="no PostgreSQL of the system in /usr/lib/postgresql")
@pytest.mark.parametrize("binary", FOUND, ids=lambda path: path.parent.parent.name)
def test_plain_postgresql_of_the_system_does_all_of_it(binary: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="mj-") as folder,
        EmbeddedServer(Path(folder) / "data", bin_dir=binary.parent, settings={"fsync": "off"}) as server,
    ):
        works_as_a_whole(server.dsn)
        assert "plain PostgreSQL" in migrate_command(server.dsn)
        with connect(server.dsn, autocommit=True) as db:
            for name in ("event", "observation", "metric"):
                assert kind_of(db, name) == "native"
            added_up_and_thinned_out(db)


@pytest.fixture
def timescale(postgres: str, empty_database: str) -> Iterator[str]:
    """A new database on a server that offers TimescaleDB: MINGJING_TEST_TIMESCALE_DSN, or the one of all tests."""
    server = os.environ.get("MINGJING_TEST_TIMESCALE_DSN", postgres)
    with psycopg.connect(server, autocommit=True) as connection:
        offered = connection.execute(
            "select 1 from pg_available_extensions where name = 'timescaledb'"
        ).fetchone()
        if offered is None:
            pytest.skip("this server does not offer TimescaleDB (set MINGJING_TEST_TIMESCALE_DSN)")
        if server == postgres:
            yield empty_database
            return
        name = f"mj_timescale_{os.getpid()}"
        connection.execute(f"create database {name}")
        yield make_conninfo(server, dbname=name)
        connection.execute(f"drop database {name} with (force)")


@pytest.mark.timescale
def test_timescaledb_does_all_of_it_and_more(timescale: str) -> None:
    works_as_a_whole(timescale)
    assert "TimescaleDB" in migrate_command(timescale)
    with connect(timescale, autocommit=True) as db:
        tables = db.execute(
            "select hypertable_name from timescaledb_information.hypertables order by 1"
        ).fetchall()
        assert {("metric",), ("observation",)} <= set(tables)
        assert ("event",) in tables
        if has_licence(db):
            views = "select view_name, materialized_only from timescaledb_information.continuous_aggregates order by 1"
            assert db.execute(views).fetchall() == [(name, False) for name in sorted(PRESENCE)]
            assert apply_retention(db, at(60)) == {}
            assert _retained(db) == RAW
            longer = Keep(observation=timedelta(days=50), event=timedelta(days=400))
            assert apply_retention(db, at(60), longer) == {"subject_event": 0}
            assert _retained(db) == RAW | {"event"}
            assert apply_retention(db, at(60)) == {}
            looks_back_less_than_is_kept(db)
            lives_on_in_the_columnstore(db)
        else:
            added_up_and_thinned_out(db)
        Upkeep(timescale, FakeClock(at(60))).round(db)
        assert db.execute("select detail from heartbeat where role = 'upkeep'").fetchone() == (
            {"failed": {}},
        )
        # No policy reaches evidence.
        assert _retained(db) <= RAW


@pytest.mark.timescale
def test_the_extension_may_be_added_to_a_server_later(
    timescale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["store.migrate"], "_offer_timescale", lambda connection: None)
        works_as_a_whole(timescale)
        with connect(timescale, autocommit=True) as db:
            assert {kind_of(db, series.table) for series in SERIES} == {"native"}
            # A day is added up, so that sums outlive the rows they come from.
            while roll_presence(db, at(24 * 60), at(-60)):
                pass
            before = [db.execute(f"select * from {name}").fetchall() for name in (*PRESENCE, "event_day")]
            history = case_history(db, CENTRE, "C1")

    assert "TimescaleDB" in migrate_command(timescale)

    with connect(timescale, autocommit=True) as db:
        assert {kind_of(db, series.table) for series in SERIES} == {"hypertable"}
        assert [db.execute(f"select * from {name}").fetchall() for name in (*PRESENCE, "event_day")] == before
        assert case_history(db, CENTRE, "C1") == history
        assert write_events(db, [event("case.decided", 9)], centre=CENTRE, now=at(9)).new == 1
        late = look("present", 3)
        assert write_observations(db, [late], now=at(24 * 60)).new == 1
        roll_presence(db, at(24 * 60), at(-60))
        assert db.execute("select sum(expected) from presence_day").fetchone() == (21 + 7,)
        if has_licence(db):
            apply_retention(db, at(60))
            assert _retained(db) == {"observation", "metric"}
            packed = "select hypertable_name from timescaledb_information.hypertables where compression_enabled order by 1"
            assert db.execute(packed).fetchall() == [("event",), ("metric",), ("observation",)]


def added_up_and_thinned_out(db: Connection) -> None:
    """Where no continuous aggregate does it: the sums stay when the raw rows are dropped."""
    later = at(60) + KEEP.observation + timedelta(days=2)
    before = {name: db.execute(f"select sum(seen) from {name}").fetchone() for name in PRESENCE}
    while roll_presence(db, later, later - KEEP.observation):
        pass
    assert {name: db.execute(f"select sum(seen) from {name}").fetchone() for name in PRESENCE} == before
    apply_retention(db, later)
    assert db.execute("select count(*) from observation").fetchone() == (0,)
    assert {name: db.execute(f"select sum(seen) from {name}").fetchone() for name in PRESENCE} == before


def looks_back_less_than_is_kept(db: Connection) -> None:
    """A refresh that looks back beyond what retention leaves would wipe the aggregate of what was dropped."""
    rows = db.execute(
        "select coalesce(a.view_name, j.hypertable_name), (j.config ->> 'start_offset')::interval"
        " from timescaledb_information.jobs j left join timescaledb_information.continuous_aggregates a"
        " on a.materialization_hypertable_name = j.hypertable_name where proc_name = 'policy_refresh_continuous_aggregate'"
    ).fetchall()
    back = dict(rows)
    assert set(back) == set(PRESENCE)
    from_rows = ("presence_minute", "presence_minute_department")
    assert all(back[name] < SHORTEST < KEEP.observation for name in from_rows)
    from_minutes = ("presence_hour", "presence_hour_department", "presence_minute_centre")
    assert all(back[name] < SHORTEST < KEEP.minute for name in from_minutes)


#: What a retention policy may reach; the hours and days are kept for ever.
RAW = {"observation", "metric", "presence_minute", "presence_minute_department", "presence_minute_centre"}


def lives_on_in_the_columnstore(db: Connection) -> None:
    """Aggregates filled and raw rows packed change no sum; what comes twice or late is taken as before."""

    def refresh_all() -> None:
        for name in reversed(PRESENCE):
            refresh(db, name, sleep=lambda _: time.sleep(0.1))

    refresh_all()
    chunks = db.execute("select show_chunks('observation')::text").fetchall()
    assert chunks
    for (chunk,) in chunks:
        db.execute("call convert_to_columnstore(%s::regclass)", [chunk])
    again = look("present", 1, name="same")
    assert write_observations(db, [again], now=at(3)).new == 1
    assert write_observations(db, [again, look("present", 3)], now=at(3)).new == 1
    # What is newer than the last refresh is there at once; what comes late, with the next one.
    assert db.execute("select sum(expected) from presence_minute").fetchone() == (21 + 7,)
    refresh_all()
    for name in PRESENCE:
        assert db.execute(f"select sum(expected) from {name}").fetchone() == (21 + 14,), name
    # Events: a case is read out of a packed chunk, a late event lies in one that is not.
    before = case_history(db, CENTRE, "C1").events
    for (chunk,) in db.execute("select show_chunks('event')::text").fetchall():
        db.execute("call convert_to_columnstore(%s::regclass)", [chunk])
    assert case_history(db, CENTRE, "C1").events == before
    late = event("case.decided", 3, data={"result": "granted"})
    assert write_events(db, [late, late], centre=CENTRE, now=at(60 * 24 * 60)) == WriteResult(1, 1, 0)
    arrivals = events_of_cases(db, CENTRE, ["C1"])["C1"]
    assert [arrival.event.kind for arrival in arrivals] == ["case.received", "case.accepted", "case.decided"]
    packed = db.execute(
        "select is_compressed from timescaledb_information.chunks where hypertable_name = 'event' order by range_start"
    ).fetchall()
    assert packed == [(True,), (False,)]


def _retained(db: Connection) -> set[str]:
    rows = db.execute(
        "select coalesce(a.view_name, j.hypertable_name) from timescaledb_information.jobs j"
        " left join timescaledb_information.continuous_aggregates a on a.materialization_hypertable_name = j.hypertable_name"
        " where proc_name = 'policy_retention'"
    )
    return {row[0] for row in rows}


def test_no_migration_needs_the_extension_where_it_is_not() -> None:
    """Every statement of the extension's stands inside ``execute``; the WITH form of it nowhere (plain servers refuse it)."""
    for migration in load_migrations():
        assert "tsdb." not in migration.sql
        outside = "".join(part for number, part in enumerate(migration.sql.split("$q$")) if number % 2 == 0)
        for word in (
            "create_hypertable",
            "timescaledb.continuous",
            "time_bucket",
            "add_retention_policy",
            "columnstore",
        ):
            assert word not in outside, (migration.name, word)
