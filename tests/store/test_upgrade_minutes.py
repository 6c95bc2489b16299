"""Minutes of departments come into a system that has added up hours and days for long: no sum is lost on any ground."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from store.aggregates import continuous, refresh, roll_presence
from store.connection import Connection, connect
from store.ground import OBSERVATION as SERIES
from store.ground import drop_before, kind_of
from store.migrate import FOLDER, load_migrations, migrate, schema_version
from tests.store.making import CENTRE
from tests.store.test_servers import timescale  # noqa: F401

pytestmark = pytest.mark.postgres

#: The extension's policies go by the real clock.
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
#: As 0006 made them, the first those others stand on.
BEFORE = ("presence_minute", "presence_hour", "presence_day", "presence_hour_department", "presence_hour_centre",
          "presence_day_department", "presence_day_centre")  # fmt: skip
KEPT = BEFORE[1:]


@pytest.fixture
def version_10(tmp_path: Path) -> Path:
    """The migrations before minutes of departments."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in sorted(FOLDER.glob("*.sql")):
        if path.name < "0011":
            shutil.copy(path, folder)
    return folder


def looks(db: Connection, since: timedelta, until: timedelta) -> None:
    """A look every two hours at a window of each of two departments; what is ago is ``timedelta``."""
    db.execute(
        "insert into observation (centre, at, observation_id, kind, camera, window_id, post, department, state, looks_expected,"
        " looks_valid, looks_seen, received_at) select %s, t, d || t::text, 'post.summary', 'K' || d, 'A' || d, 'desk', 'D' || d,"
        " 'present', 7, 6, 5 + d, t from generate_series(%s::timestamptz, %s::timestamptz, interval '2 hours') t,"
        " generate_series(0, 1) d",
        [CENTRE, NOW - since, NOW - until],
    )


def sums(db: Connection, *names: str) -> dict[str, list[tuple]]:
    return {name: db.execute(f"select * from {name} order by 1, 2, 3, 4").fetchall() for name in names}


def agrees_with_the_rows(db: Connection) -> None:
    for name, columns in (("department", "centre, department"), ("centre", "centre")):
        rows = db.execute(
            f"select date_trunc('minute', at, 'UTC'), {columns}, sum(looks_expected), sum(looks_valid), sum(looks_seen)"
            f" from observation group by 1, {columns} order by 1, {columns}"
        ).fetchall()
        assert len(rows) > 20
        found = db.execute(f"select * from presence_minute_{name} order by bucket, {columns}").fetchall()
        assert found == rows, name


def run_job(db: Connection, job: int) -> None:
    """Now; the server's own scheduler may be at it."""
    for attempt in range(50):
        try:
            db.execute("call run_job(%s)", [job])
        except psycopg.errors.LockNotAvailable:
            if attempt == 49:
                raise
            time.sleep(0.2)
        else:
            return


@pytest.mark.timescale
@pytest.mark.parametrize("newest", [timedelta(), timedelta(days=12)], ids=["lives", "stood still for days"])
def test_continuous_aggregates_keep_what_no_row_holds_any_more(
    timescale: str,  # noqa: F811
    version_10: Path,
    newest: timedelta,
) -> None:
    migrate(timescale, version_10)
    with connect(timescale, autocommit=True) as db:
        if not db.execute(
            "select 1 from timescaledb_information.continuous_aggregates where view_name = 'presence_day'"
        ).fetchone():
            pytest.skip("without the Timescale Licence there are no continuous aggregates")
        db.execute("select remove_retention_policy('observation')")
        looks(db, timedelta(days=60), newest)
        for name in BEFORE:
            refresh(db, name, "now() - interval '3 days'")
        drop_before(db, SERIES, NOW - timedelta(days=35))
        before = sums(db, *KEPT)
    migrate(timescale)
    with connect(timescale, autocommit=True) as db:
        assert schema_version(db) == len(load_migrations())
        assert continuous(db)
        assert before["presence_day_centre"][0][0] < NOW - timedelta(days=58)
        for step in ("migrated", "refreshed"):
            after = sums(db, *KEPT)
            for name in KEPT:
                assert after[name] == before[name], (step, name)
            agrees_with_the_rows(db)
            jobs = db.execute(
                "select job_id from timescaledb_information.jobs where proc_name = 'policy_refresh_continuous_aggregate'"
            ).fetchall()
            for (job,) in jobs:
                run_job(db, job)
        # The newest minute is in at once.
        now = datetime.now(UTC)
        looks(db, NOW - now, NOW - now)
        minute = now.replace(second=0, microsecond=0)
        found = db.execute("select expected from presence_minute_centre where bucket = %s", [minute])
        assert found.fetchone() in ((14,), (28,)), "28 in the first minute of an hour"


def test_sums_in_tables_stay_and_minutes_are_made_of_the_rows_there_are(
    empty_database: str, version_10: Path
) -> None:
    migrate(empty_database, version_10)
    line = NOW - timedelta(hours=2)
    with connect(empty_database, autocommit=True) as db:
        if kind_of(db, "observation") == "hypertable":
            pytest.skip("here TimescaleDB adds up by itself")
        looks(db, timedelta(days=60), timedelta())
        for unit, zone in (("hour", "UTC"), ("day", "Asia/Shanghai")):
            db.execute(
                f"insert into presence_{unit}_department_rolled select date_trunc('{unit}', at, '{zone}'), centre, department,"
                " sum(looks_expected), sum(looks_valid), sum(looks_seen) from observation"
                f" where at < date_trunc('{unit}', %s::timestamptz, '{zone}') group by 1, 2, 3",
                [line],
            )
        db.execute("insert into rollup values ('presence', %s, date_trunc('day', %s::timestamptz, 'Asia/Shanghai'))",
                   [line, line])  # fmt: skip
        before = sums(db, "presence_hour_department_rolled", "presence_day_department_rolled")
        db.execute("delete from observation where at < %s", [NOW - timedelta(days=35)])
    migrate(empty_database)
    with connect(empty_database, autocommit=True) as db:
        assert sums(db, *before) == before
        for _ in range(2):
            agrees_with_the_rows(db)
            first = db.execute("select min(bucket) from presence_day_centre").fetchone()
            assert first is not None
            assert first[0] < NOW - timedelta(days=59)
            while roll_presence(db, NOW + timedelta(hours=2), NOW - timedelta(days=35)):
                pass
