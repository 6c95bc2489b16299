"""The number of open cases is what a count of them would be, whatever happens to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from store.connection import Connection, connect
from store.ingest import write_events
from store.judging import CaseAnswer, save_cases
from store.open_cases import gather_open_cases
from store.reading import wall_snapshot
from tests.store.making import CENTRE, at, event

pytestmark = pytest.mark.postgres

COUNT = "select centre, coalesce(window_id, '') as w, count(*) from case_state where stopped_at is null group by 1, 2 order by 1, 2"
KEPT = (
    "select centre, window_id, sum(number) from open_case group by 1, 2 having sum(number) <> 0 order by 1, 2"
)


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def same(db: Connection) -> bool:
    return db.execute(COUNT).fetchall() == db.execute(KEPT).fetchall()


def accepted(db: Connection, first: int, count: int, window: str | None = "A01") -> None:
    rows = [event("case.accepted", 1, window=window, case=f"C{n}") for n in range(first, first + count)]
    write_events(db, rows, centre=CENTRE, now=at(1))


def answer(case: str, stopped_at: datetime | None, window: str | None = None) -> CaseAnswer:
    return CaseAnswer(case, {"phase": "accepted", "stopped_at": stopped_at, "window": window}, None, None, 1)


def test_it_follows_cases_that_come_move_stop_and_open_again(db: Connection) -> None:
    accepted(db, 0, 5)
    accepted(db, 5, 3, window=None)
    assert same(db)
    save_cases(
        db, CENTRE, [answer("C0", at(9)), answer("C1", None, "A02"), answer("C5", None, "A03")], at(10)
    )
    assert same(db)
    totals = wall_snapshot(db, CENTRE, at(60)).totals
    assert totals.open == 7
    save_cases(db, CENTRE, [answer("C0", None), answer("C6", at(9))], at(11))
    accepted(db, 0, 5)  # once more: nothing new
    assert same(db)
    db.execute("delete from case_state where case_id in ('C0', 'C6')")
    assert same(db)
    db.execute("update case_state set centre = 'other' where case_id = 'C2'")
    assert same(db)
    assert gather_open_cases(db) > 0
    assert same(db)
    assert gather_open_cases(db) == 0
    db.execute("truncate case_state cascade")
    assert same(db)
    assert wall_snapshot(db, CENTRE, at(60)).totals.open == 0


def test_what_is_not_committed_does_not_count(db: Connection) -> None:
    accepted(db, 0, 2)
    with db.transaction(force_rollback=True):
        accepted(db, 2, 4)
        assert same(db)
    assert same(db)
    assert wall_snapshot(db, CENTRE, at(60)).totals.open == 2


def test_writers_and_upkeep_together_lose_no_difference(database: str, db: Connection) -> None:
    def write(first: int) -> None:
        with connect(database, autocommit=True) as mine:
            for batch in range(first, first + 200, 20):
                accepted(mine, batch, 20, window=f"A{batch % 3}")
                stops = [answer(f"C{n}", at(9)) for n in range(batch, batch + 20, 4)]
                save_cases(mine, CENTRE, stops, at(10))

    writers = [threading.Thread(target=write, args=(number * 1000,)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        with connect(database, autocommit=True) as other:
            gather_open_cases(other)
        gather_open_cases(db)
    assert same(db)
    assert wall_snapshot(db, CENTRE, at(60)).totals.open == 450
    gather_open_cases(db)
    assert db.execute("select count(*), sum(number) from open_case").fetchone() == (3, 450)
