"""Steps of a life in PostgreSQL: one transaction with the chain, two clicks at once, manual findings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.centre import Centre
from domain.chain import Checker
from domain.errors import StepRefusedError, StoreError
from domain.findings import Finding
from store import chain
from store.connection import connect
from store.finding_life import open_manual, read_life, take_step
from store.findings import Change, Grounds, compare, stored_findings, write_changes
from tests.store.making import CENTRE, MORNING, at

pytestmark = pytest.mark.postgres

HALL = Centre.model_validate(
    {
        "centre": {"id": CENTRE},
        "people": [{"id": f"p{n}", "name": f"人{n}"} for n in range(1, 6)],
        "windows": [{"id": "A07", "handler": "p1", "superior": "p2", "leader": "p3"}],
        "messages": {"inspectors": ["p4"]},
    }
)
FOUND = Finding("f1", "time_limit.legal", "red", CENTRE, MORNING, case="C1", window="A07", due_at=MORNING)


@pytest.fixture
def db(database: str) -> Iterator[psycopg.Connection]:
    with connect(database, autocommit=True) as connection:
        write_changes(connection, "case:C1", [Change("opened", FOUND)], at(0))
        yield connection


def step(db: psycopg.Connection, name: Any, person: str, minutes: float = 1, **more: Any) -> str:
    text = more.pop("text", "说明")
    return take_step(db, HALL, "f1", name, person=person, now=at(minutes), text=text, **more).life.state


def kinds(db: psycopg.Connection) -> list[str]:
    checker = Checker()
    rows = list(chain.read(db, CENTRE))
    assert [checker.take(row) for row in rows] == [None] * len(rows)
    return [row.kind for row in rows]


def column(db: psycopg.Connection, name: str) -> Any:
    row = db.execute(f"select {name} from finding where finding_id = 'f1'").fetchone()
    assert row is not None
    return row[0]


def test_a_life_is_kept_step_by_step(db: psycopg.Connection) -> None:
    assert step(db, "acknowledge", "p1", text="") == "acknowledged"
    assert step(db, "answer", "p1", 2) == "answered"
    assert step(db, "appeal", "p2", 3) == "appealed"
    assert step(db, "uphold", "p4", 4) == "upheld"
    assert step(db, "rectify", "p3", 5) == "rectified"
    with pytest.raises(StepRefusedError, match="its cause goes on"):
        step(db, "close", "p4", 6)
    db.execute("update finding set state = 'closed', closed_at = %s", [at(6)])
    assert step(db, "close", "p4", 7) == "closed"
    found = read_life(db, HALL, "f1")
    assert [(act.step, act.person) for act in found.life.acts] == [
        ("opened", None), ("acknowledged", "p1"), ("answered", "p1"), ("appealed", "p2"), ("upheld", "p4"),
        ("rectified", "p3"), ("closed", "p4"),
    ]  # fmt: skip
    assert found.awaited == ()
    assert column(db, "life") == "closed"
    assert column(db, "acknowledged_by") == "p1"
    assert kinds(db) == [
        "act.acknowledged", "act.answered", "act.appealed", "act.upheld", "act.rectified", "act.closed",
    ]  # fmt: skip


def test_each_step_says_whether_it_came_in_time(db: psycopg.Connection) -> None:
    step(db, "acknowledge", "p1", 59)
    step(db, "answer", "p1", 24 * 60 + 1)
    acts = read_life(db, HALL, "f1").life.acts
    assert [act.detail.get("late") for act in acts] == [None, False, True]
    assert acts[2].detail["text"] == "说明"
    assert datetime.fromisoformat(acts[2].detail["due_at"]) == MORNING + timedelta(hours=24)


def test_of_two_clicks_at_once_one_is_told_of_the_other(db: psycopg.Connection, database: str) -> None:
    step(db, "appeal", "p1")
    saw = read_life(db, HALL, "f1").life.number
    at_once, said = threading.Barrier(2), []

    def click(name: str) -> None:
        with connect(database, autocommit=True) as mine:
            at_once.wait(10)
            try:
                said.append(step(mine, name, "p4", 2, saw=saw))
            except StepRefusedError as refused:
                said.append(refused.code)

    threads = [threading.Thread(target=click, args=(name,)) for name in ("uphold", "revoke")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(said) in (["revoked", "stale"], ["stale", "upheld"])
    assert len(read_life(db, HALL, "f1").life.acts) == 3


def test_a_refused_step_leaves_nothing(db: psycopg.Connection) -> None:
    with pytest.raises(StepRefusedError):
        step(db, "revoke", "p1")
    assert kinds(db) == []
    assert column(db, "life") == "open"


def test_a_step_whose_messages_cannot_be_written_is_not_taken(db: psycopg.Connection) -> None:
    def tell(*_: object) -> None:
        raise RuntimeError("no paper")

    with pytest.raises(RuntimeError):
        step(db, "revoke", "p4", tell=tell)
    assert (column(db, "state"), kinds(db)) == ("open", [])


def test_what_an_inspector_revoked_stays_on_record_and_revoked(db: psycopg.Connection) -> None:
    told: list[tuple[str, str]] = []
    step(
        db,
        "revoke",
        "p4",
        text="设备故障",
        tell=lambda _c, changes, _n: told.extend((f.state, k) for f, k in changes),
    )
    assert told == [("revoked", "revoked")]
    assert [column(db, name) for name in ("state", "life", "revoked_reason", "revoked_person")] == [
        "revoked", "revoked", "设备故障", "p4",
    ]  # fmt: skip
    stored = stored_findings(db, CENTRE, {"case:C1": None})["case:C1"]
    assert compare(stored, [FOUND], at(5), Grounds(None, "", "")) == []


def test_nothing_is_done_about_what_late_data_has_disproved(db: psycopg.Connection) -> None:
    db.execute("update finding set state = 'revoked'")
    with pytest.raises(StepRefusedError, match="late data"):
        step(db, "answer", "p1")
    with pytest.raises(StoreError, match="no finding f9"):
        read_life(db, HALL, "f9")


def manual(db: psycopg.Connection, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "rule": "manual.attitude",
        "severity": "yellow",
        "person": "p4",
        "text": "态度生硬",
    }
    return open_manual(db, HALL, **(given | {"now": at(1), "window": "A07"} | changes))


def test_an_inspector_opens_a_finding_with_the_same_life(db: psycopg.Connection) -> None:
    told: list[str] = []
    found = manual(db, tell=lambda _c, changes, _n: told.extend(kind for _, kind in changes))
    assert told == ["opened"]
    assert (found.life.state, [each.step for each in found.awaited]) == ("open", ["acknowledge", "answer"])
    identity = found.finding.finding_id
    take_step(db, HALL, identity, "answer", person="p1", now=at(2), text="已道歉")
    done = take_step(db, HALL, identity, "close", person="p4", now=at(3), text="属实")
    assert (done.finding.state, done.finding.closed_at, done.life.state) == ("closed", at(3), "closed")
    assert kinds(db) == ["finding.opened", "act.answered", "act.closed"]


def test_a_rule_does_not_take_back_what_an_inspector_said_of_a_case(db: psycopg.Connection) -> None:
    db.execute("insert into case_state (centre, case_id, window_id) values (%s, 'C1', 'A07')", [CENTRE])
    found = manual(db, window=None, case="C1")
    assert (found.finding.case, found.finding.window) == ("C1", "A07")
    stored = stored_findings(db, CENTRE, {"case:C1": None})["case:C1"]
    assert [each.finding_id for each in stored] == ["f1"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"person": "p1"}, "role"),
        ({"rule": "time_limit.legal"}, "rule"),
        ({"rule": "manual."}, "rule"),
        ({"text": " "}, "text"),
        ({"window": None}, "subject"),
        ({"window": "Z99"}, "subject"),
        ({"case": "nobody"}, "subject"),
    ],
)
def test_a_manual_finding_that_is_none_is_refused(db: psycopg.Connection, changes: dict, code: str) -> None:
    with pytest.raises(StepRefusedError) as refused:
        manual(db, **changes)
    assert refused.value.code == code
    assert kinds(db) == []
