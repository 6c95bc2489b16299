"""What is added up says the same as the rows, whenever it was added up and whatever came in late."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.centre import Centre
from domain.clock import FakeClock
from store import aggregates
from store.aggregates import roll_events, roll_presence
from store.connection import Connection, connect
from store.departments import keep_departments
from store.ground import EVENT, OBSERVATION, kind_of, partitions, rest_of
from store.ingest import write_events
from store.judging import events_of_cases
from store.observations import write_observations
from store.reading import case_history, wall_snapshot
from store.upkeep import ADVISORY_LOCK, Upkeep
from tests.store.making import CENTRE, at, event, look

pytestmark = pytest.mark.postgres
HOUR, DAY = 60, 24 * 60


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        if aggregates.continuous(connection):
            pytest.skip("here TimescaleDB adds up by itself: see test_servers.py")
        yield connection


def roll(db: Connection, minutes: float) -> None:
    while roll_presence(db, at(minutes), at(minutes - 35 * DAY)):
        pass
    while roll_events(db, at(minutes)):
        pass


def centre(**departments: str) -> Centre:
    return Centre.model_validate(
        {
            "centre": {"id": CENTRE},
            "departments": [{"id": each, "name": each} for each in sorted(set(departments.values()))],
            "windows": [{"id": window, "department": each} for window, each in departments.items()],
        }
    )


def expected(db: Connection, unit: str, columns: str) -> list[tuple]:
    zone = "Asia/Shanghai" if unit == "day" else "UTC"
    return db.execute(
        f"select date_trunc('{unit}', at, '{zone}'), {columns}, sum(looks_expected), sum(looks_valid), sum(looks_seen)"
        f" from observation where kind = 'post.summary' group by 1, {columns} order by 1, {columns}"
    ).fetchall()


def test_views_agree_with_the_rows_before_while_and_after_they_are_added_up(db: Connection) -> None:
    keep_departments(db, centre(A01="D1", A02="D1", A03="D2"), at(-9 * DAY))
    rng = random.Random(5)
    rows = [
        replace(
            look(rng.choice(("present", "absent")), minute, window=window, camera=f"K{window}"), window=window
        )
        for minute in range(-3 * DAY, 0, 97)
        for window in ("A01", "A02", "A03", "A04")
    ]
    late = rng.sample(rows, 40)
    # Late ones come when their hours and days have been added up, and once more while the line stands.
    steps = [
        ([row for row in rows if row not in late and row.at < at(-DAY)], -DAY + 20),
        (late[:15], -DAY + 30),
        ([row for row in rows if row not in late and row.at >= at(-DAY)], 5),
        (late[15:], 10),
    ]
    post = "centre, window_id, camera, post"
    for batch, minute in steps:
        write_observations(db, batch, now=at(minute))
        for rolled in (False, True, True):
            if rolled:
                roll(db, minute)
            if rolled or batch[0] not in late:
                for unit in ("minute", "hour", "day"):
                    names = f"bucket, {post}, expected, valid, seen"
                    found = db.execute(
                        f"select {names} from presence_{unit} order by bucket, {post}"
                    ).fetchall()
                    assert found == expected(db, unit, post), (unit, minute, rolled)
                for unit in ("minute", "hour", "day"):
                    for of, columns in (("department", "centre, department"), ("centre", "centre")):
                        found = db.execute(
                            f"select * from presence_{unit}_{of} order by bucket, {columns}"
                        ).fetchall()
                        assert found == expected(db, unit, columns), (unit, of, minute, rolled)
    assert db.execute("select count(*) from presence_day_rolled").fetchone() != (0,)
    assert db.execute("select count(*) from rollup_late").fetchone() == (0,)


def test_a_late_row_of_an_hour_whose_rows_are_gone_takes_nothing_away(db: Connection) -> None:
    write_observations(db, [look("present", 0), look("present", 1)], now=at(2))
    roll(db, DAY)
    db.execute("delete from observation")  # as retention does
    write_observations(db, [look("present", 2)], now=at(40 * DAY))
    roll(db, 40 * DAY)
    assert db.execute("select sum(seen) from presence_day where bucket < %s", [at(DAY)]).fetchone() == (14,)


def test_a_day_is_chinas(db: Connection) -> None:
    write_observations(db, [look("present", 15 * HOUR - 1), look("present", 15 * HOUR)], now=at(16 * HOUR))
    midnights = [
        datetime(2026, 11, 19, 16, tzinfo=UTC),
        datetime(2026, 11, 20, 16, tzinfo=UTC),
    ]  # 00:00 of the 20th and the 21st in China
    for _ in range(2):
        assert [row[0] for row in db.execute("select bucket from presence_day order by 1")] == midnights
        roll(db, 3 * DAY)


def test_a_window_that_changes_hands_leaves_its_history_where_it_was(db: Connection) -> None:
    assert keep_departments(db, centre(A01="D1"), at(-DAY)) == 1
    assert keep_departments(db, centre(A01="D1"), at(-5)) == 0
    write_observations(db, [look("present", 0)], now=at(0))
    assert keep_departments(db, centre(A01="D2"), at(1)) == 1
    write_observations(db, [look("present", 2)], now=at(2))
    assert db.execute(
        "select department, seen from presence_hour_department order by department"
    ).fetchall() == [("D1", 7), ("D2", 7)]
    assert db.execute("select seen from presence_hour_centre").fetchall() == [(14,)]
    history = db.execute("select department, since, until from window_department order by since").fetchall()
    assert history == [("D1", at(-DAY), at(1)), ("D2", at(1), None)]
    assert keep_departments(db, centre(), at(3)) == 1
    assert db.execute("select count(*) from window_department where until is null").fetchone() == (0,)


def test_events_are_counted_by_when_they_occurred_also_late_ones_and_when_the_clock_was_set_back(
    db: Connection,
) -> None:
    counted = "select bucket, kind, number from event_day order by bucket, kind"
    write_events(db, [event("case.received", 0), event("case.received", 1)], centre=CENTRE, now=at(2))
    day = datetime(2026, 11, 19, 16, tzinfo=UTC)
    assert db.execute(counted).fetchall() == [(day, "case.received", 2)]
    roll(db, 3 * DAY)
    assert db.execute(counted).fetchall() == [(day, "case.received", 2)]
    write_events(
        db, [event("case.received", 2), event("case.accepted", 2 * DAY)], centre=CENTRE, now=at(4 * DAY)
    )
    # A clock set back by days: what arrives then is counted all the same, and its case is read in full.
    write_events(db, [event("case.decided", DAY, case="C2")], centre=CENTRE, now=at(DAY))
    whole = [
        (day, "case.received", 3),
        (day + timedelta(days=1), "case.decided", 1),
        (day + timedelta(days=2), "case.accepted", 1),
    ]
    for minutes in (4 * DAY, 5 * DAY, 30 * DAY):
        assert db.execute(counted).fetchall() == whole
        roll(db, minutes)
    assert db.execute("select sum(number) from event_hour").fetchone() == (5,)
    assert len(events_of_cases(db, CENTRE, ["C2"])["C2"]) == 1


# -- upkeep ----------------------------------------------------------------------------------------------------------


def native(db: Connection) -> None:
    if kind_of(db, "event") != "native":
        pytest.skip("hypertables make their chunks themselves")


def test_nothing_is_refused_for_want_of_a_partition_and_what_lay_apart_moves_into_one(
    database: str, db: Connection
) -> None:
    native(db)
    later = 400 * DAY
    write_events(db, [event("case.received", later)], centre=CENTRE, now=at(later))
    write_observations(db, [look("present", later)], now=at(later))
    before = {each: db.execute(f"select * from {each.table}").fetchall() for each in (EVENT, OBSERVATION)}
    for series in before:
        assert db.execute(f"select count(*) from {rest_of(series)}").fetchone() == (1,)
    Upkeep(database, FakeClock(at(later))).round(db)
    for series, rows in before.items():
        assert db.execute(f"select count(*) from {rest_of(series)}").fetchone() == (0,)
        assert db.execute(f"select * from {series.table}").fetchall() == rows
        assert partitions(db, series)[-1][1] > at(later + 7 * DAY)
    write_events(db, [event("case.accepted", later + 1)], centre=CENTRE, now=at(later + 1))
    assert db.execute("select count(*) from event_rest").fetchone() == (0,)


def test_reading_a_case_and_today_touches_only_the_pieces_they_lie_in(db: Connection, database: str) -> None:
    native(db)
    keeper = Upkeep(database, FakeClock(at(0)))
    for month in range(6):
        keeper._clock = FakeClock(at((month - 6) * 30 * DAY))
        keeper.round(db)
        moment = (month - 6) * 30 * DAY
        write_events(
            db,
            [
                event("case.received", moment, case=f"C{month}"),
                event("case.accepted", moment + 9, case=f"C{month}"),
            ],
            centre=CENTRE,
            now=at(moment),
        )
    read = touched(db, lambda: events_of_cases(db, CENTRE, ["C2"]))
    assert len(read) == 1, read
    read = touched(db, lambda: case_history(db, CENTRE, "C2"))
    assert len(read) == 1, read
    read = touched(db, lambda: wall_snapshot(db, CENTRE, at(0)))
    assert min(read) == "event_p2026_11", read


def touched(db: Connection, read) -> set[str]:
    """Partitions of ``event`` whose rows or indexes were scanned."""

    def scans() -> dict[str, int]:
        # Our own counters, handed over at once; they are not cached.
        db.execute("select pg_stat_force_next_flush()")
        db.execute("select pg_stat_clear_snapshot()")
        return dict(
            db.execute(
                "select relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) from pg_stat_user_tables"
                " where relname ~ '^event_(p|rest)'"
            ).fetchall()
        )

    before = scans()
    read()
    after = scans()
    return {name for name, number in after.items() if number > before.get(name, 0)}


def test_of_several_upkeeps_one_works(database: str, db: Connection) -> None:
    with connect(database, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", [ADVISORY_LOCK])
        Upkeep(database, FakeClock(at(0))).round(db)
        assert db.execute("select count(*) from heartbeat where role = 'upkeep'").fetchone() == (0,)
    Upkeep(database, FakeClock(at(0))).round(db)
    assert db.execute("select detail from heartbeat where role = 'upkeep'").fetchone() == ({"failed": {}},)


def test_a_step_that_cannot_be_done_now_leaves_the_others_and_is_said(
    database: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_observations(db, [look("present", 0)], now=at(0))

    def locked(connection: Connection, now: datetime) -> bool:
        connection.execute("set lock_timeout = '20ms'")
        connection.execute("lock table event")
        return False

    monkeypatch.setattr(aggregates, "roll_events", locked)
    with connect(database) as other:
        other.execute("lock table event in access exclusive mode")
        Upkeep(database, FakeClock(at(DAY))).round(db)
    row = db.execute("select detail -> 'failed' ->> 'events' from heartbeat where role = 'upkeep'").fetchone()
    assert row is not None
    assert "lock" in row[0]
    assert db.execute("select count(*) from presence_hour_rolled").fetchone() == (1,)


def test_it_runs_until_it_is_stopped(database: str) -> None:
    stop = threading.Event()
    thread = Upkeep(database, FakeClock(at(0)), every=0.05).start(stop)
    try:
        with connect(database, autocommit=True) as db:
            for _ in range(200):
                if db.execute("select 1 from heartbeat where role = 'upkeep'").fetchone():
                    break
                stop.wait(0.05)
            else:
                pytest.fail("no round within ten seconds")
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
