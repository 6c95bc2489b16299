"""The evidence chain in PostgreSQL: it only grows, never forks, and a killed writer leaves it whole."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import psycopg
import pytest

from domain.chain import Checker, Entry
from domain.findings import Finding
from store import chain
from store.connection import connect
from store.findings import (
    Change,
    Grounds,
    Said,
    as_entries,
    compare,
    stored_findings,
    write_changes,
    write_said,
)
from tests.store.making import CENTRE, MORNING, at

pytestmark = pytest.mark.postgres


def entries(count: int, name: str = "C") -> list[Entry]:
    return [Entry("finding.opened", f"case:{name}{n}", {"n": n}, f"{name}{n}") for n in range(count)]


def whole(connection: psycopg.Connection, centre: str = CENTRE) -> int:
    """How many rows the chain has; none is broken."""
    checker = Checker()
    for row in chain.read(connection, centre):
        assert checker.take(row) is None
    assert (checker.last.seq if checker.last else 0) == chain.end(connection, centre).seq
    return checker.count


def test_rows_come_back_as_they_were_hashed(database: str) -> None:
    with connect(database) as db:
        chain.append(db, CENTRE, entries(3), MORNING)
        chain.append(db, CENTRE, [], MORNING)
        chain.append(db, CENTRE, entries(2, "明"), at(1.000001))
        chain.append(db, "other", entries(1), MORNING)
        assert whole(db) == 5
        assert whole(db, "other") == 1
        assert [row.seq for row in chain.read(db, CENTRE, 2, 4)] == [2, 3, 4]
        assert chain.numbers_about(db, CENTRE, ["case:C1"], ["明0"]) == [2, 4]


@pytest.mark.parametrize("table", ["evidence", "evidence_head"])
@pytest.mark.parametrize("what", ["update {} set seq = 9", "delete from {}", "truncate {}"])
def test_the_database_refuses_to_change_it(database: str, table: str, what: str) -> None:
    with connect(database, autocommit=True) as db:
        chain.append(db, CENTRE, entries(3), MORNING)
        chain.append(db, CENTRE, entries(1), MORNING + timedelta(days=1))
        with pytest.raises(psycopg.errors.RestrictViolation, match="only grows"):
            db.execute(what.format(table))
        assert whole(db) == 4


def test_the_end_of_each_day_is_kept(database: str) -> None:
    with connect(database) as db:
        for day in range(3):
            chain.append(db, CENTRE, entries(2), MORNING + timedelta(days=day))
        kept = chain.heads(db, CENTRE)
    assert [(each.head.seq, each.day.day) for each in kept] == [(2, 20), (4, 21)]


def test_a_writer_that_dies_leaves_it_whole(database: str) -> None:
    with connect(database) as db:
        chain.append(db, CENTRE, entries(2), MORNING)
    victim = connect(database)
    chain.append(victim, CENTRE, entries(5, "V"), MORNING)
    with connect(database, autocommit=True) as db:
        db.execute("select pg_terminate_backend(%s)", [victim.info.backend_pid])
        chain.append(db, CENTRE, entries(1, "W"), MORNING)
        assert whole(db) == 3
    victim.close()


def test_two_writers_never_fork_it(database: str) -> None:
    """Each in transactions of its own, at once, and one also rolls back."""
    rounds, at_once = 40, threading.Barrier(3)
    errors: list[Exception] = []

    def write(name: str, *, fails: bool = False) -> None:
        try:
            with connect(database, autocommit=True) as db:
                at_once.wait(10)
                for number in range(rounds):
                    with db.transaction(force_rollback=fails and number % 2 == 1):
                        chain.append(db, CENTRE, entries(3, f"{name}{number}-"), at(number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,), kwargs={"fails": n == "c"}) for n in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    with connect(database) as db:
        assert whole(db) == 3 * (rounds * 2 + rounds // 2)


def test_ten_thousand_rows_are_verified_quickly(database: str) -> None:
    with connect(database) as db:
        began = time.perf_counter()
        for batch in range(100):
            chain.append(db, CENTRE, entries(100, f"{batch}-"), at(batch))
        written = time.perf_counter()
        assert whole(db) == 10_000
        read = time.perf_counter()
    print(
        f"\nchain: {10_000 / (written - began):,.0f} rows/s written, {10_000 / (read - written):,.0f} rows/s verified"
    )
    assert read - written < 10


def finding(**changes: object) -> Finding:
    given = {
        "finding_id": "f1",
        "rule": "time_limit.legal",
        "severity": "red",
        "centre": CENTRE,
        "opened_at": at(1),
    }
    return Finding(**(given | {"case": "C1"} | changes))  # type: ignore[arg-type]


def test_every_change_of_a_finding_is_kept_with_its_grounds(database: str) -> None:
    changes = [Change("opened", finding(explain={"days": (1, 2)}))]
    said = [Said("case:C1", changes)]
    with connect(database) as db:
        write_said(db, said, at(2))
        chain.append(db, CENTRE, as_entries(said), at(2))
        row = next(chain.read(db, CENTRE))
    assert row.kind == "finding.opened"
    assert '"explain":{"days":[1,2]}' in (row.body or "")


def test_what_a_person_revoked_is_not_opened_again(database: str) -> None:
    grounds = Grounds(None, "晚到", "late")
    with connect(database) as db:
        write_changes(db, "case:C1", [Change("opened", finding())], at(2))
        db.execute("update finding set state = 'revoked', revoked_at = %s", [at(3)])
        stored = stored_findings(db, CENTRE, {"case:C1": None})["case:C1"]
        assert [change.kind for change in compare(stored, [finding()], at(4), grounds)] == ["reopened"]
        db.execute("update finding set revoked_person = 'p4'")
        stored = stored_findings(db, CENTRE, {"case:C1": None})["case:C1"]
        assert compare(stored, [finding()], at(4), grounds) == []
        assert compare(stored, [], at(4), grounds) == []


def test_any_text_comes_back_as_it_was_hashed(database: str) -> None:
    odd = 'a\x00b\n"quoted"\\u0000 \\ 明镜 😀 \u2028 \x7f'
    with connect(database) as db:
        chain.append(db, CENTRE, [Entry("act.answered", "case:奇", {"text": odd})], MORNING)
        assert whole(db) == 1
        (row,) = list(chain.read(db, CENTRE))
    assert json.loads(row.body or "")["payload"]["text"] == odd
