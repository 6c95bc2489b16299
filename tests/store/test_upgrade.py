"""From one version of the schema to the next with data in it: same answers afterwards, or nothing changed at all."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from domain.centre import Centre
from domain.clock import FakeClock
from domain.errors import StoreError
from domain.events import Event, content_hash
from store.aggregates import continuous
from store.connection import Connection, connect
from store.ground import SERIES, kind_of, partitions
from store.ingest import WriteResult, write_events
from store.judging import events_of_cases
from store.migrate import FOLDER, load_migrations, migrate, schema_version
from store.observations import write_observations
from streams.rule_loop import RuleLoop
from tests.store.making import CENTRE, at, event, look

pytestmark = pytest.mark.postgres

CENTRE_FILE = Centre.model_validate(
    {
        "centre": {"id": CENTRE},
        "items": [{"code": "A-001", "legal_limit": {"days": 5}, "promised_limit": {"days": 2}}],
        "windows": [{"id": "A01"}],
    }
)
DAY = 24 * 60
NOW = at(0)
#: Three months of cases: some in time, some late, one still open; a desk that opened once, long ago.
EVENTS = [
    event("window.opened", -90 * DAY, event_id="desk", case=None, window="A01"),
    *(
        each
        for number in range(30)
        for each in (
            event("case.received", -(90 - 3 * number) * DAY, f"r{number}", f"C{number}", window="A01", item="A-001"),
            event("case.accepted", -(90 - 3 * number) * DAY + 5, f"a{number}", f"C{number}", item="A-001"),
            event(
                "case.decided", -(90 - 3 * number - number % 9) * DAY + 9, f"d{number}", f"C{number}",
                data={"result": "granted"},
            ),
        )
        if number < 29 or each.kind != "case.decided"
    ),
]  # fmt: skip


@pytest.fixture
def version_4(tmp_path: Path) -> Path:
    """The migrations as they were at schema 4."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in sorted(FOLDER.glob("000[1-4]_*.sql")):
        shutil.copy(path, folder)
    return folder


def write_as_version_4(db: Connection, events: list[Event]) -> None:
    """As the program of schema 4 wrote them."""
    for each in events:
        db.execute(
            "insert into event (source, event_id, kind, occurred_at, received_at, centre, window_id, case_id, item, data,"
            " content_hash) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [each.source, each.event_id, each.kind, each.occurred_at, each.received_at, CENTRE, each.window, each.case,
             each.item, json.dumps(dict(each.data)), content_hash(each)],
        )  # fmt: skip
        if each.case is not None:
            db.execute(
                "insert into case_state (centre, case_id, look_at) values (%s, %s, '-infinity') on conflict do nothing",
                [CENTRE, each.case],
            )
    db.execute(
        "insert into window_state (centre, window_id, desk, desk_at) values (%s, 'A01', 'open', %s)",
        [CENTRE, EVENTS[0].occurred_at],
    )
    for minute in (-60 * DAY, -1, 0):
        db.execute(
            "insert into observation (centre, at, observation_id, kind, camera, window_id, post, state, looks_expected,"
            " looks_valid, looks_seen, received_at) values (%s, %s, %s, 'post.summary', 'K1', 'A01', 'p1', 'present', 7, 7, 6, %s)",
            [CENTRE, at(minute), f"o{minute}", at(minute)],
        )
    db.execute("insert into metric values (%s, %s, 'x', '', 1)", [CENTRE, at(-300 * DAY)])


def findings(dsn: str) -> list[tuple]:
    loop = RuleLoop(dsn, CENTRE_FILE, FakeClock(NOW))
    try:
        while loop.tick(NOW).more:
            pass
    finally:
        loop.close()
    with connect(dsn) as db:
        return db.execute(
            "select finding_id, rule, severity, case_id, opened_at, closed_at, state, due_at, explain from finding order by 1"
        ).fetchall()


def test_data_of_schema_4_gives_the_same_findings_and_answers_in_the_newest(
    database: str, empty_database: str, version_4: Path
) -> None:
    assert len(migrate(empty_database, version_4)) == 4
    with connect(empty_database, autocommit=True) as db:
        write_as_version_4(db, EVENTS)
        last = db.execute("select max(seq) from event").fetchone()
        presence = {
            name: db.execute(f"select * from presence_{name} order by 1").fetchall()
            for name in ("minute", "hour", "day")
        }
    migrate(empty_database)

    with connect(empty_database, autocommit=True) as db:
        assert schema_version(db) == len(load_migrations())
        assert [kind_of(db, series.table) for series in SERIES] in (["native"] * 3, ["hypertable"] * 3)
        # Continuous aggregates are not touched; their policies and retention run by the real clock meanwhile.
        for name, rows in () if continuous(db) else presence.items():
            assert db.execute(f"select * from presence_{name} order by 1").fetchall() == rows, name
        # Known is known, other content is a conflict, and what is new comes after what was.
        assert write_events(db, EVENTS, centre=CENTRE, now=NOW) == WriteResult(0, len(EVENTS), 0)
        assert write_events(
            db, [event("case.received", 1, "r0", "C99")], centre=CENTRE, now=NOW
        ) == WriteResult(0, 0, 1)
        for name in ("r0", "a0", "d0"):
            assert db.execute("select count(*) from event where event_id = %s", [name]).fetchone() == (1,)
        arrivals = events_of_cases(db, CENTRE, ["C0", "C29"])
        assert [each.event.event_id for each in arrivals["C0"]] == ["r0", "a0", "d0"]
        assert [each.event.event_id for each in arrivals["C29"]] == ["r29", "a29"]
        assert write_events(db, [event("case.withdrawn", 0, "late", "C29")], centre=CENTRE, now=NOW).new == 1
        newest = events_of_cases(db, CENTRE, ["C29"])["C29"][-1]
        assert newest.event.event_id == "late"
        assert last is not None
        assert newest.seq > last[0]
        assert write_observations(db, [look("present", 1)], now=at(1)).new == 1
        assert db.execute("select count(*) from metric").fetchone() == (1,)
        assert db.execute("select to_regclass('event_before')").fetchone() == (None,)
        if kind_of(db, "event") == "native":
            assert db.execute("select count(*) from event_rest").fetchone() == (0,)
            assert len(partitions(db, SERIES[0])) >= 5

    with connect(database, autocommit=True) as db:
        write_events(db, [*EVENTS, event("case.withdrawn", 0, "late", "C29")], centre=CENTRE, now=NOW)
    upgraded = findings(empty_database)
    assert upgraded == findings(database)
    assert {row[1] for row in upgraded} >= {"time_limit.promised", "time_limit.legal"}


def test_a_migration_that_fails_leaves_the_old_schema_as_it_was(empty_database: str, version_4: Path) -> None:
    migrate(empty_database, version_4)
    with connect(empty_database, autocommit=True) as db:
        write_as_version_4(db, EVENTS)
        # Somebody's own report on a column that goes away.
        db.execute("create view theirs as select event_id, content_hash from event")
    with pytest.raises(StoreError, match=r"(?s)0005_event_key failed: .*theirs"):
        migrate(empty_database)
    with connect(empty_database, autocommit=True) as db:
        assert schema_version(db) == 4
        assert db.execute("select to_regclass('event_key')").fetchone() == (None,)
        assert db.execute("select count(content_hash) from theirs").fetchone() == (len(EVENTS),)
        db.execute("drop view theirs")
    migrate(empty_database)
    with connect(empty_database, autocommit=True) as db:
        assert write_events(db, EVENTS, centre=CENTRE, now=NOW) == WriteResult(0, len(EVENTS), 0)


def test_a_view_of_somebody_elses_on_ours_stops_the_moving_and_loses_nothing(
    empty_database: str, version_4: Path
) -> None:
    migrate(empty_database, version_4)
    with connect(empty_database, autocommit=True) as db:
        write_as_version_4(db, EVENTS)
        db.execute("create view theirs as select bucket, seen from presence_day")
        migrate_fails = kind_of(db, "observation") == "plain"
    if not migrate_fails:
        pytest.skip("TimescaleDB has them as aggregates already: nothing has to move")
    with pytest.raises(StoreError, match="theirs"):
        migrate(empty_database)
    with connect(empty_database, autocommit=True) as db:
        assert [kind_of(db, series.table) for series in SERIES] == ["plain"] * 3
        assert write_events(db, EVENTS, centre=CENTRE, now=NOW) == WriteResult(0, len(EVENTS), 0)
        db.execute("drop view theirs")
    migrate(empty_database)
    with connect(empty_database, autocommit=True) as db:
        assert write_events(db, EVENTS, centre=CENTRE, now=NOW) == WriteResult(0, len(EVENTS), 0)
        assert [kind_of(db, series.table) for series in SERIES] == ["native"] * 3


def test_two_that_migrate_at_once_do_it_once(empty_database: str, version_4: Path) -> None:
    migrate(empty_database, version_4)
    with connect(empty_database, autocommit=True) as db:
        write_as_version_4(db, EVENTS)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(migrate, [empty_database] * 2))
    assert sorted(len(each) for each in done) == [0, len(load_migrations()) - 4]
    with connect(empty_database) as db:
        assert db.execute("select count(*) from event").fetchone() == (len(EVENTS),)


def test_rows_of_years_ago_find_their_place(empty_database: str, version_4: Path) -> None:
    """A log that was imported: each month has its partition, none is refused."""
    migrate(empty_database, version_4)
    old = [event("case.received", -number * 30 * DAY, f"o{number}", f"O{number}") for number in range(60)]
    with connect(empty_database, autocommit=True) as db:
        write_as_version_4(db, old)
    migrate(empty_database)
    with connect(empty_database) as db:
        assert db.execute("select count(*) from event").fetchone() == (60,)
        found = events_of_cases(db, CENTRE, [f"O{number}" for number in range(60)])
        assert all(len(arrivals) == 1 for arrivals in found.values())
        assert found["O59"][0].event.occurred_at == NOW - timedelta(days=59 * 30)
