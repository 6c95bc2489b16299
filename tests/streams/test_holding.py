"""No card is written on half of the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from domain.centre import Centre
from domain.clock import FakeClock
from domain.events import Event
from store import connect
from store.connection import Connection
from store.ingest import heartbeat, write_events
from streams.holding import BACKLOG, reason_to_hold
from streams.rule_loop import RuleLoop

CENTRE = Centre.model_validate(
    {"centre": {"id": "c"}, "items": [{"code": "A", "legal_limit": {"days": 5}}], "windows": [{"id": "A01"}]}
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}:00+08:00")


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def worker(
    db: Connection, *, lag: int = 0, silent: float = 0.0, instance: str = "", reads: list[int] | None = None
) -> None:
    of = 4 if reads else None  # unknown to a worker that has just come
    detail = {"lag": lag} if reads is None else {"lag": lag, "reads": reads, "of": of}
    heartbeat(db, "worker", now=day("11-12 09:00"), instance=instance, detail=detail)
    db.execute(
        "update heartbeat set real_at = now() - make_interval(secs => %s) where role = 'worker' and instance = %s",
        [silent, instance],
    )


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ([], None),
        ([{}], None),
        ([{"lag": BACKLOG}], None),
        ([{"lag": BACKLOG + 1}], "backlog"),
        ([{"silent": 6.0}], "worker_silent"),
        ([{"lag": BACKLOG, "instance": "1"}, {"lag": 1, "instance": "2"}], "backlog"),
        ([{"lag": 9_999, "silent": 60.0, "instance": "1"}, {"instance": "2"}], None),
        ([{"reads": [0, 1], "instance": "1"}, {"reads": [2, 3], "instance": "2"}], None),
        ([{"reads": [0, 1], "instance": "1", "silent": 6.0}, {"reads": [2, 3], "instance": "2"}], "unread"),
        ([{"reads": [0, 1], "instance": "1", "silent": 60}, {"reads": [0, 1, 2, 3], "instance": "2"}], None),
        ([{"reads": [1, 2], "instance": "1"}, {"reads": [1, 2, 3], "instance": "2"}], "unread"),
        ([{"reads": []}], "unread"),
        ([{"reads": [0, 1, 2, 3], "instance": "1"}, {"reads": [], "instance": "2"}], None),
    ],
    ids=[
        "no worker",
        "caught up",
        "at the limit",
        "behind",
        "silent",
        "two behind together",
        "one gone, one well",
        "two share the partitions",
        "one gone, its partitions unread",
        "one gone, its partitions taken over",
        "one names what another has",
        "none read",
        "one has just come",
    ],
)
def test_cases_wait_while_the_worker_is_behind_or_away(
    db: Connection, signs: list[Any], expected: str | None
) -> None:
    for sign in signs:
        worker(db, **sign)
    assert reason_to_hold(db) == expected


def test_a_decision_that_lies_unread_is_no_red_card(db: Connection, database: str) -> None:
    def event(kind: str, when: str) -> Event:
        return Event(kind, f"case.{kind}", day(when), "s", centre="c", case="C1", item="A", window="A01",
                     data={"result": "granted"} if kind == "decided" else {})  # fmt: skip

    loop = RuleLoop(database, CENTRE, FakeClock(day("11-12 09:00")))
    write_events(db, [event("accepted", "11-02 10:00")], centre="c", now=day("11-02 10:00"))
    worker(db, silent=60)
    assert loop.tick(day("11-12 09:00")).held == "worker_silent"
    assert db.execute("select count(*) from finding").fetchone() == (0,)
    write_events(db, [event("decided", "11-05 10:00")], centre="c", now=day("11-12 09:00"))
    worker(db)
    assert loop.tick(day("11-12 09:00")).held is None
    assert db.execute("select rule from finding where severity = 'red'").fetchall() == []
    assert db.execute("select stopped_at from case_state").fetchone() == (day("11-05 10:00"),)
    loop.close()


def test_the_loop_says_how_long_it_has_held_back(db: Connection, database: str) -> None:
    seconds = [100.0]
    loop = RuleLoop(database, CENTRE, FakeClock(day("11-12 09:00")), real_time=lambda: seconds[0])
    worker(db, silent=60)
    loop.tick(day("11-12 09:00"))
    seconds[0] += 42
    loop.tick(day("11-12 09:01"))
    said = "select detail ->> 'held', (detail ->> 'held_for')::float from heartbeat where role = 'rules'"
    assert db.execute(said).fetchone() == ("worker_silent", 42.0)
    worker(db)
    seconds[0] += 2
    loop.tick(day("11-12 09:02"))
    assert db.execute(said).fetchone() == (None, 0.0)
    loop.close()
