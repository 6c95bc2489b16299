"""The rule loop and the evidence chain: all or nothing, also when the loop dies, and whole with several loops."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from domain.chain import Checker, Row
from domain.clock import FakeClock
from store import chain
from store.connection import Connection, connect
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop import CENTRE, CODE, day, event, write

pytestmark = pytest.mark.postgres


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def rows(db: Connection) -> list[Row]:
    checker = Checker()
    found = list(chain.read(db, CODE))
    assert [broken for row in found if (broken := checker.take(row)) is not None] == []
    return found


def told(db: Connection) -> list[tuple[str, str]]:
    """(kind, finding) of the rows about findings, which are the steps of the findings and nothing else."""
    bodies = [(row.kind, json.loads(row.body or "")) for row in rows(db)]
    kept = [
        (kind.removeprefix("finding."), body["finding"])
        for kind, body in bodies
        if kind.startswith("finding.")
    ]
    steps = db.execute("select step, finding_id from finding_step order by step_id").fetchall()
    assert kept == steps
    return kept


def test_what_the_rules_say_and_what_is_in_force_is_in_the_chain(db: Connection, database: str) -> None:
    loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")))
    write(db, event("accepted", "11-02 09:00"))
    loop.tick(day("12-20 09:00"))
    late = event("decided", "11-03 09:00", "too-late", result="granted")
    write(db, late, now="12-21 09:00")
    loop.tick(day("12-21 09:01"))
    loop.close()
    kinds = [kind for kind, _ in told(db)]
    assert kinds.count("opened") >= 2
    assert "revoked" in kinds
    whole = rows(db)
    assert whole[0].kind == "settings.in_force"
    assert json.loads(whole[0].body or "")["payload"].keys() == {"settings", "world", "calendar"}
    reasons = [json.loads(row.body or "")["payload"] for row in whole if row.kind == "finding.revoked"]
    assert {reason["detail"]["event_id"] for reason in reasons} == {"too-late"}
    again = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")))
    again.tick(day("12-21 09:02"))
    again.close()
    assert len(rows(db)) == len(whole), "the same settings are not said twice"


def test_a_loop_that_dies_in_the_middle_leaves_neither_finding_nor_row(db: Connection, database: str) -> None:
    write(db, event("accepted", "11-02 09:00"))

    def dies(connection: Connection, *_: Any) -> None:
        with connect(database, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("select 1")

    mortal = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")), plan=dies)
    with pytest.raises(psycopg.OperationalError):
        mortal.tick(day("12-20 09:00"))
    mortal.close()
    assert told(db) == []
    heir = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")))
    heir.tick(day("12-20 09:00"))
    heir.close()
    assert len(told(db)) >= 2


def test_several_loops_write_one_chain(db: Connection, database: str) -> None:
    write(db, *[event("accepted", "11-02 09:00", f"e{n}", case=f"C{n}") for n in range(60)])
    errors: list[Exception] = []

    def work() -> None:
        loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")), batch=5)
        try:
            while loop.tick(day("12-20 09:00")).judged:
                pass
        except Exception as error:
            errors.append(error)
        finally:
            loop.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    checker = Checker()
    assert [checker.take(row) for row in chain.read(db, CODE)] == [None] * checker.count
    count = db.execute("select count(*) from finding_step").fetchone()
    assert count is not None
    kept = [row for row in rows(db) if row.kind.startswith("finding.")]
    assert len(kept) == count[0] >= 120
