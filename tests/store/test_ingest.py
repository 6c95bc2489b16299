"""Writing events: once each, whatever comes twice, contradicts or arrives late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from store.connection import Connection, connect
from store.dead_letters import list_dead_letters
from store.ingest import WriteResult, write_events
from tests.store.making import CENTRE, at, event

pytestmark = pytest.mark.postgres


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def write(db: Connection, *events, minutes: float = 0) -> WriteResult:
    return write_events(db, list(events), centre=CENTRE, now=at(minutes))


def test_it_counts_the_same_event_once(db: Connection) -> None:
    first = event("case.received", event_id="1")
    assert write(db, first, event("case.accepted", 5, event_id="2")) == WriteResult(2, 0, 0)
    again = replace(first, received_at=at(60))
    assert write(db, again, again) == WriteResult(0, 2, 0)
    assert db.execute("select count(*) from event").fetchone() == (2,)


def test_the_same_id_twice_in_one_batch_is_one_event(db: Connection) -> None:
    twice = event("case.received", event_id="1")
    assert write(db, twice, twice) == WriteResult(1, 1, 0)


def test_the_same_id_of_another_source_is_another_event(db: Connection) -> None:
    assert (
        write(
            db, event("case.received", event_id="1"), event("case.received", event_id="1", source="queue")
        ).new
        == 2
    )


def test_other_content_under_the_same_id_is_a_conflict_and_lies_in_the_dead_letters(db: Connection) -> None:
    first = event("case.received", 0, event_id="1")
    other = replace(first, case="C2")
    assert write(db, first, other) == WriteResult(1, 0, 1)
    assert write(db, replace(first, data={"a": 1})) == WriteResult(0, 0, 1)
    assert db.execute("select case_id from event").fetchall() == [("C1",)]
    letters = list_dead_letters(db)
    assert [letter.code for letter in letters] == ["conflict", "conflict"]
    assert "'1' of 'approval' came before" in letters[0].reason
    # The case that only the refused event speaks of is not opened.
    assert db.execute("select case_id from case_state").fetchall() == [("C1",)]


def test_every_touched_case_is_to_be_judged_now(db: Connection) -> None:
    write(db, event("case.received", item="A-001", window="A01"))
    db.execute("update case_state set look_at = '2027-01-01'")
    write(db, event("case.accepted", 5, item="A-001"), event("case.received", 5, case="C2"))
    rows = db.execute("select case_id, item, window_id, look_at::text from case_state order by 1").fetchall()
    assert rows == [("C1", "A-001", "A01", "-infinity"), ("C2", None, None, "-infinity")]


def test_a_repeated_event_does_not_wake_the_rules(db: Connection) -> None:
    first = event("case.received")
    write(db, first)
    db.execute("update case_state set look_at = null")
    write(db, first)
    assert db.execute("select look_at from case_state").fetchone() == (None,)


def test_the_newest_word_about_a_desk_counts_also_when_it_came_first(db: Connection) -> None:
    write(db, event("window.paused", 30, case=None, window="A01"))
    write(db, event("window.opened", 10, case=None, window="A01"))
    assert db.execute("select desk from window_state").fetchone() == ("paused",)
    write(
        db,
        event("cover.started", 40, case=None, window="A01"),
        event("window.opened", 35, case=None, window="A01"),
    )
    assert db.execute("select desk, desk_at from window_state").fetchone() == ("open", at(35))


def test_a_source_that_only_repeats_itself_is_alive(db: Connection) -> None:
    first = event("case.received")
    write(db, first, minutes=0)
    write(db, first, minutes=90)
    assert db.execute("select at from heartbeat where role = 'feed:approval'").fetchone() == (at(90),)
    assert db.execute("select name, last_at, last_event from source_state").fetchone() == (
        "feed:approval",
        at(90),
        at(0),
    )


def test_a_batch_is_written_whole_or_not_at_all(db: Connection) -> None:
    with pytest.raises(psycopg.DataError):
        write(db, event("case.received"), event("case.received", data={"name": "a\x00b"}))
    assert db.execute(
        "select (select count(*) from event), (select count(*) from case_state)"
    ).fetchone() == (0, 0)


def test_it_announces_what_is_new(db: Connection, database: str) -> None:
    with connect(database, autocommit=True) as listener:
        listener.execute("listen mingjing")
        write(db, event("case.received"), event("window.opened", case=None, window="A01"))
        heard = {note.payload for note in listener.notifies(timeout=5, stop_after=2)}
    assert heard == {"event", "window"}


def test_two_writers_with_the_same_events_in_opposite_order_both_end(database: str) -> None:
    events = [
        event("case.received", number, event_id=f"{number:03}", case=f"C{number}") for number in range(60)
    ]
    results: list[WriteResult] = []
    barrier = threading.Barrier(2)

    def work(ordered: list) -> None:
        with connect(database, autocommit=True) as connection:
            barrier.wait()
            for start in range(0, 60, 20):
                results.append(
                    write_events(connection, ordered[start : start + 20], centre=CENTRE, now=at(0))
                )

    threads = [threading.Thread(target=work, args=(ordered,)) for ordered in (events, events[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(result.new for result in results) == 60
    assert sum(result.duplicates for result in results) == 60


def test_two_centres_may_have_a_source_an_event_and_a_case_of_one_name(db):
    both = [event("case.accepted", 1, "e1", centre=code, source="approval") for code in ("530100", "530102")]
    assert write_events(db, both, centre="", now=at(2)).new == 2
    again = write_events(db, both, centre="", now=at(3))
    assert (again.new, again.duplicates, again.conflicts) == (0, 2, 0)
    changed = event("case.accepted", 2, "e1", centre="530102", source="approval")
    assert write_events(db, [changed], centre="", now=at(4)).conflicts == 1
    rows = db.execute("select centre, case_id from case_state order by 1").fetchall()
    assert rows == [("530100", "C1"), ("530102", "C1")]
    feeds = db.execute("select instance from heartbeat where role = 'feed:approval' order by 1").fetchall()
    assert feeds == [("530100",), ("530102",)]
