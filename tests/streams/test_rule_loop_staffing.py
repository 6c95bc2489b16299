"""Leave, cover and queue reach the judge of absence through the store, where the centre file asks for them, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from domain.centre import Centre
from domain.clock import FakeClock
from domain.events import Event
from store.connection import Connection, connect
from store.ingest import write_events
from store.observations import write_observations
from streams.linking import linking_of
from streams.rule_loop import RuleLoop
from tests.store.making import look
from tests.streams.test_rule_loop import CODE, WATCHED, day

pytestmark = pytest.mark.postgres


def office(**rules: Any) -> Centre:
    whole = WATCHED.model_dump(mode="json")
    people = [{"id": "a", "name": "a"}, {"id": "b", "name": "b"}]
    windows = [{"id": "A01", "staff": ["a"], "queues": ["tax"]}]
    return Centre.model_validate(
        whole | {"people": people, "windows": windows, "rules": whole["rules"] | rules}
    )


PLAIN, STAFFED = office(), office(staffing={})


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def told(kind: str, when: str, **more: Any) -> Event:
    top = {name: more.pop(name) for name in ("window", "staff") if name in more}
    return Event(
        event_id=f"{kind}@{when}",
        kind=kind,
        occurred_at=day(when),
        source="people",
        received_at=day(when),
        centre=CODE,
        data={name.rstrip("_"): value for name, value in more.items()},
        **top,
    )


LEAVE = told("leave.granted", "10-09 10:00", staff="a", from_="2026-11-20", to="2026-11-20")


def absences(database: str, db: Connection, centre: Centre) -> list[str]:
    """Nobody is there from 09:06 to 09:20; what is found by then."""
    loop = RuleLoop(database, centre, FakeClock(day("11-20 09:00")))
    for step in range(57):
        minutes = 6 + step / 4
        moment = day("11-20 09:00") + timedelta(minutes=minutes)
        write_observations(db, [look("absent", minutes)], now=moment)
        loop.tick(moment)
    loop.close()
    rows = db.execute(
        "select rule from finding where subject like 'window:%' and state = 'open' order by opened_at"
    )
    return [rule for (rule,) in rows.fetchall()]


def write(db: Connection, centre: Centre, event: Event, now: str) -> None:
    write_events(db, [event], centre=CODE, now=day(now), linking=linking_of({CODE: centre}))


def test_a_leave_granted_weeks_ago_excuses_the_window_of_its_person(database: str, db: Connection) -> None:
    write(db, STAFFED, LEAVE, "10-09 10:00")
    assert absences(database, db, STAFFED) == ["staffing.no_substitute"]


def test_without_the_section_a_leave_is_looked_at_by_nobody(database: str, db: Connection) -> None:
    write(db, PLAIN, LEAVE, "10-09 10:00")
    assert absences(database, db, PLAIN) == ["absence.notice"]
    assert db.execute("select count(*) from subject_event").fetchone() == (0,)


def test_a_leave_stored_before_the_section_was_set_is_linked_first(database: str, db: Connection) -> None:
    write(db, PLAIN, LEAVE, "10-09 10:00")
    assert absences(database, db, STAFFED) == ["staffing.no_substitute"]


def test_a_cover_ends_an_absence_and_its_end_begins_another(database: str, db: Connection) -> None:
    write(db, STAFFED, told("cover.started", "11-20 09:01", window="A01", staff="b"), "11-20 09:01")
    assert absences(database, db, STAFFED) == []
    write(db, STAFFED, told("cover.ended", "11-20 09:08", window="A01", staff="b"), "11-20 09:21")
    loop = RuleLoop(database, STAFFED, FakeClock(day("11-20 09:21")))
    loop.tick(day("11-20 09:21"))
    loop.close()
    rows = db.execute(
        "select rule, opened_at from finding where subject = 'window:A01' and state = 'open'"
    ).fetchall()
    assert rows == [("absence.notice", day("11-20 09:18"))]


def test_who_waits_is_told_by_the_finding_and_the_window_is_due_at_once(
    database: str, db: Connection
) -> None:
    ticket = told("queue.ticket_issued", "11-20 09:02", ticket="7", queue="tax")
    write(db, STAFFED, ticket, "11-20 09:02")
    assert db.execute("select window_id, look_at::text from window_state").fetchall() == [
        ("A01", "-infinity")
    ]
    assert absences(database, db, STAFFED) == ["absence.notice"]
    row = db.execute("select explain -> 'waiting' ->> 'count' from finding where rule = 'absence.notice'")
    assert row.fetchone() == ("1",)


def test_in_the_shadow_what_is_issued_stays_what_it_was(database: str, db: Connection) -> None:
    shadow = office(staffing={"shadow": True})
    write(db, shadow, LEAVE, "10-09 10:00")
    assert absences(database, db, shadow) == ["absence.notice"]
    rows = db.execute("select rule from shadow_finding where state = 'open'").fetchall()
    assert rows == [("staffing.no_substitute",)]
