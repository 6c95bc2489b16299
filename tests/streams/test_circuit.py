"""Many centres, one process: fair turns, one connection, and a centre that fails stops nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.centre import Centre
from domain.clock import Clock, FakeClock
from domain.events import Event
from store.connection import Connection, connect
from store.ingest import write_events
from store.rounds import beat_all, next_looks
from streams.circuit import FIRST_REST, VISIT_EVERY, Circuit
from streams.rule_loop import RuleLoop, TickResult

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)


def centre(code: str, promised: int = 7) -> Centre:
    return Centre.model_validate(
        {
            "centre": {"id": code},
            "items": [{"code": "A-001", "legal_limit": {"days": 20}, "promised_limit": {"days": promised}}],
            "windows": [{"id": "A01"}],
        }
    )


CENTRES = {code: centre(code, promised) for code, promised in (("530100", 7), ("530102", 3), ("530103", 5))}


def accepted(code: str, case: str) -> Event:
    return Event(
        event_id=f"{code}:{case}",
        kind="case.accepted",
        occurred_at=NOW,
        source="approval",
        received_at=NOW,
        centre=code,
        case=case,
        item="A-001",
    )


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


class Real:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def real_circuit(dsn: str, real: Callable[[], float] = time.monotonic, **options: int) -> Circuit:
    clock = FakeClock(NOW)

    def make(code: str, opened: Callable[[], Connection]) -> RuleLoop:
        return RuleLoop(
            dsn, CENTRES[code], clock, open_connection=opened, beats=False, real_time=real, **options
        )

    return Circuit(dsn, list(CENTRES), clock, make, real_time=real)


class Counted:
    """A loop that counts its ticks, and fails while it is told to."""

    def __init__(self, code: str, opened: Callable[[], Connection]) -> None:
        self.code, self.opened, self.ticks = code, opened, 0
        self.fails: Exception | None = None

    def tick(self, now: datetime) -> TickResult:
        self.ticks += 1
        if self.fails is not None:
            raise self.fails
        self.opened()
        return TickResult(judged=1)

    def detail(self) -> dict[str, object]:
        return {"of": self.code}


def counted(dsn: str, real: Real) -> tuple[Circuit, dict[str, Counted]]:
    loops: dict[str, Counted] = {}

    def make(code: str, opened: Callable[[], Connection]) -> Counted:
        loops[code] = Counted(code, opened)
        return loops[code]

    return Circuit(dsn, list(CENTRES), FakeClock(NOW), make, real_time=real), loops


def beating(db: Connection) -> set[str]:
    return {row[0] for row in db.execute("select instance from heartbeat where role = 'rules'")}


def test_each_centre_is_judged_by_its_own_limits(database: str, db: Connection):
    write_events(db, [accepted(code, "C1") for code in CENTRES], centre="", now=NOW)
    circuit = real_circuit(database)
    circuit.round(NOW)
    later = NOW + timedelta(days=6)
    circuit.round(later)
    rows = db.execute("select centre, rule from finding where state = 'open' order by 1, 2").fetchall()
    circuit.close()
    assert ("530102", "time_limit.promised") in rows
    assert ("530103", "time_limit.notice") in rows
    assert ("530100", "time_limit.promised") not in rows


def test_a_flood_in_one_centre_delays_the_others_by_its_turn_only(database: str, db: Connection):
    flood = [accepted("530100", f"C{number}") for number in range(40)]
    write_events(db, [*flood, accepted("530102", "C1"), accepted("530103", "C1")], centre="", now=NOW)
    circuit = real_circuit(database, batch=5, batches=2)
    result = circuit.round(NOW)
    judged = dict(
        db.execute(
            "select centre, count(*) from case_state where judged_at is not null group by 1"
        ).fetchall()
    )
    assert 0 < judged["530100"] < 40
    assert (judged["530102"], judged["530103"]) == (1, 1)
    assert result.more
    for _ in range(8):
        result = circuit.round(NOW)
    circuit.close()
    assert not result.more
    assert db.execute("select count(*) from case_state where judged_at is null").fetchone() == (0,)


def test_a_centre_that_fails_stops_nobody_and_falls_silent(database: str, db: Connection):
    real = Real()
    circuit, loops = counted(database, real)
    loops["530102"].fails = RuntimeError("rules that cannot be read")
    result = circuit.round(NOW)
    assert (result.judged, result.failed) == (2, 1)
    assert beating(db) == {"530100", "530103"}
    circuit.round(NOW)
    assert loops["530102"].ticks == 1  # it rests
    loops["530102"].fails = None
    real.now += max(FIRST_REST, 3.0)
    circuit.round(NOW)
    circuit.close()
    assert loops["530102"].ticks == 2
    assert beating(db) == set(CENTRES)


def test_a_statement_that_takes_too_long_is_its_own_centres_matter(database: str, db: Connection):
    circuit, loops = counted(database, Real())
    loops["530100"].fails = psycopg.errors.QueryCanceled("statement timeout")
    result = circuit.round(NOW)
    circuit.close()
    assert (result.judged, result.failed) == (2, 1)


def test_a_database_that_is_away_is_everybodys_matter():
    circuit, _ = counted("host=127.0.0.1 port=1 dbname=none", Real())
    with pytest.raises(psycopg.OperationalError):
        circuit.round(NOW)


def test_idle_centres_are_not_visited_but_live(database: str, db: Connection):
    real = Real()
    circuit, loops = counted(database, real)
    for _ in range(5):
        circuit.round(NOW)
        real.now += 3
    assert [loop.ticks for loop in loops.values()] == [1, 1, 1]  # the visit of the start
    first = db.execute("select max(real_at) from heartbeat where role = 'rules'").fetchone()
    write_events(db, [accepted("530103", "C1")], centre="", now=NOW)
    circuit.round(NOW)
    assert [loops[code].ticks for code in CENTRES] == [1, 1, 2]
    real.now += VISIT_EVERY
    circuit.round(NOW)
    circuit.close()
    assert min(loop.ticks for loop in loops.values()) == 2
    assert db.execute("select max(real_at) from heartbeat where role = 'rules'").fetchone() > first


def test_the_next_look_is_the_soonest_of_all_centres(database: str, db: Connection):
    write_events(db, [accepted("530100", "C1"), accepted("530102", "C1")], centre="", now=NOW)
    circuit = real_circuit(database)
    circuit.round(NOW)
    result = circuit.round(NOW)
    looks = next_looks(db, CENTRES)
    circuit.close()
    assert result.next_look == min(looks.values())
    assert set(looks) == {"530100", "530102"}


def test_all_centres_share_one_connection_and_one_pair_of_ears(database: str, db: Connection):
    circuit = real_circuit(database)
    clock = Clock(real_start=time.time(), sim_start=NOW.timestamp())
    circuit._clock = clock
    stop = threading.Event()
    thread = threading.Thread(target=circuit.run, args=(stop,))
    thread.start()
    try:
        end = time.monotonic() + 10
        while beating(db) != set(CENTRES) and time.monotonic() < end:
            time.sleep(0.02)
        names = db.execute(
            "select application_name from pg_stat_activity where application_name like 'mingjing rules%'"
            " and datname = current_database() order by 1"
        ).fetchall()
        write_events(db, [accepted("530103", "C1")], centre="", now=NOW)
        began = time.monotonic()
        judged = "select 1 from case_state where centre = '530103' and judged_at is not null"
        while db.execute(judged).fetchone() is None and time.monotonic() < end:
            time.sleep(0.01)
        took = time.monotonic() - began
    finally:
        stop.set()
        thread.join(10)
    assert names == [("mingjing rules",), ("mingjing rules listening",)]
    assert took < 0.9  # woken, not found by the look each second


def test_signs_of_life_keep_what_goes_with_each(db: Connection):
    beat_all(db, "rules", {"a": {"world": "x"}, "b": {"world": "y"}}, now=NOW)
    beat_all(db, "rules", {"a": {"world": "z"}}, now=NOW)
    rows = dict(db.execute("select instance, detail ->> 'world' from heartbeat").fetchall())
    assert rows == {"a": "z", "b": "y"}
