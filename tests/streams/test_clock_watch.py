"""A clock that was set ahead accuses nobody before it has stood by what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.clock import FakeClock
from store.connection import Connection, connect
from store.ingest import write_events
from streams.clock_watch import BELIEVED_AFTER, ClockWatch, since_boot
from streams.holding import CLOCK_JUMPED
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop import CENTRE, CODE, day, event, shown


class Machine:
    """Its wall clock can be set, the other one only goes on."""

    def __init__(self) -> None:
        self.since_boot, self.ahead = 1000.0, 0.0

    def watch(self) -> ClockWatch:
        return ClockWatch(
            lambda: 1.7e9 + self.since_boot + self.ahead, lambda: self.since_boot, lambda: "boot-1"
        )


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_clock_that_goes_on_or_is_corrected_a_little_is_believed(machine: Machine) -> None:
    watch = machine.watch()
    for _ in range(100):
        machine.since_boot += 3600
        machine.ahead += 2
        assert not watch.distrusts()


def test_a_clock_set_ahead_is_not_believed_until_it_is_back(machine: Machine) -> None:
    watch = machine.watch()
    machine.ahead = 3600
    assert watch.distrusts()
    machine.since_boot += BELIEVED_AFTER - 1
    assert watch.distrusts()
    machine.ahead = 0
    assert not watch.distrusts()


def test_a_clock_that_stands_by_it_is_believed_in_the_end(machine: Machine) -> None:
    watch = machine.watch()
    machine.ahead = 3600
    assert watch.distrusts()
    machine.since_boot += BELIEVED_AFTER
    assert not watch.distrusts()
    machine.since_boot += 1
    assert not watch.distrusts()


def test_one_that_goes_on_jumping_is_waited_for_anew(machine: Machine) -> None:
    watch = machine.watch()
    machine.ahead = 3600
    assert watch.distrusts()
    machine.since_boot += BELIEVED_AFTER - 1
    machine.ahead = 7200
    assert watch.distrusts()
    machine.since_boot += 2
    assert watch.distrusts()


def test_a_clock_set_back_is_believed_at_once(machine: Machine) -> None:
    watch = machine.watch()
    machine.ahead = -3600
    assert not watch.distrusts()


def test_the_steady_clock_of_this_machine_goes_forward() -> None:
    assert 0 < since_boot() <= since_boot()


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


@pytest.mark.postgres
def test_nothing_is_judged_by_a_clock_that_jumped_nor_by_a_process_that_starts_under_it(
    database: str, db: Connection, machine: Machine
) -> None:
    write_events(db, [event("accepted", "11-02 09:30")], centre=CODE, now=day("11-02 10:00"))
    clock = FakeClock(day("11-02 10:00"))
    before = RuleLoop(database, CENTRE, clock, watch=machine.watch())
    before.tick(day("11-02 10:00"))
    machine.ahead = timedelta(days=60).total_seconds()
    assert before.tick(day("12-31 10:00")).held == CLOCK_JUMPED
    before.close()
    after = RuleLoop(database, CENTRE, clock, watch=machine.watch())
    assert after.tick(day("12-31 10:00")).held == CLOCK_JUMPED
    assert shown(db) == []
    machine.since_boot += BELIEVED_AFTER
    assert after.tick(day("12-31 10:00")).held is None
    assert ("time_limit.legal", "open") in shown(db)
    after.close()


@pytest.mark.postgres
def test_a_card_written_by_a_clock_that_was_ahead_falls_at_its_own_moment(
    database: str, db: Connection
) -> None:
    """The decision comes after the clock is right again, and before the deadline: then nothing asks for the case again."""
    write_events(db, [event("accepted", "11-02 09:30")], centre=CODE, now=day("11-02 10:00"))
    loop = RuleLoop(database, CENTRE, FakeClock(day("11-02 10:00")))
    loop.tick(day("12-31 10:00"))
    write_events(db, [event("decided", "11-03 09:30", result="denied")], centre=CODE, now=day("11-03 10:00"))
    loop.tick(day("11-03 10:00"))
    db.execute("update heartbeat set real_at = now()")
    loop.tick(day("12-30 10:00"))
    assert {state for _, state in shown(db)} == {"revoked"}
    loop.close()
