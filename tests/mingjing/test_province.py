"""Two centres with the same case numbers, windows, people and sources in one system: nothing of one is taken for the other's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg.rows import dict_row

from alerts.ack_app import create_ack_app
from alerts.links import AckLinks
from alerts.planner import Planner
from benchmarks.province import make_centre
from dashboard.province_source import ProvinceSource
from dashboard.source import StoreSource
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import FakeClock
from domain.findings import finding_to_json
from domain.observations import Observation, observation_to_json
from mingjing.replay import replay
from store.connection import Connection, connect
from store.dead_letters import list_dead_letters
from streams.circuit import Circuit
from streams.intake import Arrived, Counts, event_intake, observation_intake
from streams.rule_loop import RuleLoop
from streams.writer import StoreWriter, WriterThread

pytestmark = pytest.mark.postgres

ONE, TWO = "530502", "530521"
LINKS = AckLinks(b"0123456789abcdef0123456789abcdef", "http://127.0.0.1:8050")


def centre(code: str, promised: int, legal: int) -> Centre:
    made = make_centre(code, code, windows=2)
    made["items"] = [{"code": "A", "promised_limit": {"days": promised}, "legal_limit": {"days": legal}}]
    made["messages"] = {"notice": [], "max_age_hours": 24 * 365}
    return Centre.model_validate(made)


CENTRES = Centres([centre(ONE, 3, 5), centre(TWO, 10, 20)])


def at(day: int, hour: float = 9.5) -> datetime:
    """A moment of March 2026 in China."""
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=hour - 8)


def line(event_id: str, kind: str, when: datetime, case: str, code: str | None = None) -> bytes:
    row = {
        "event_id": event_id, "kind": kind, "occurred_at": when.isoformat(), "source": "approval", "case": case,
        "item": "A", "window": "A01", "data": {},
    }  # fmt: skip
    return json.dumps(row | ({"centre": code} if code else {})).encode()


def course(code: str | None) -> list[bytes]:
    """The same in both centres: same sources, ids, cases, windows."""
    return [
        line("1", "case.accepted", at(2), "C1", code),
        line("2", "case.accepted", at(2, 10), "C2", code),
        line("3", "case.closed", at(3), "C2", code),
        line("4", "case.accepted", at(4), "C3", code),
        line("5", "case.suspended", at(5), "C3", code).replace(
            b'"data": {}', b'"data": {"ground": "hearing"}'
        ),
    ]


def looked(code: str, state: str, when: datetime) -> bytes:
    row = Observation(
        f"{code}:{when.timestamp()}", "post.summary", code, "K01", when, state, window="A01", post="post",  # type: ignore[arg-type]
        since=when - timedelta(seconds=15), until=when, looks_expected=7, looks_valid=7,
    )  # fmt: skip
    return json.dumps(observation_to_json(row)).encode()


class System:
    """Worker's intake, circuit, outbox and walls on one database, with the clock in the test's hands."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.clock = dsn, FakeClock(at(6))
        self.db: Connection = connect(dsn, autocommit=True)
        writer = WriterThread(lambda: StoreWriter(dsn, clock=self.clock, centres=CENTRES))
        common: dict[str, Any] = {"clock": self.clock, "counts": Counts()}
        self._writer = writer
        self.events = event_intake(writer, **CENTRES.checks, **common)
        self.looks = observation_intake(writer, centres=frozenset(CENTRES), **common)
        self.circuit = Circuit(dsn, list(CENTRES), self.clock, self._loop)

    def _loop(self, code: str, opened: Callable[[], Connection]) -> RuleLoop:
        plan = Planner(CENTRES[code], LINKS, channel="log")
        return RuleLoop(self.dsn, CENTRES[code], self.clock, plan=plan, open_connection=opened, beats=False)

    def take(self, intake: Any, *lines: bytes) -> None:
        asyncio.run(intake.handle([Arrived(f"t/0:{n}", raw) for n, raw in enumerate(lines)]))

    def judge(self, now: datetime) -> None:
        self.clock.set(now)
        self.circuit.round(now)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self.db.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()

    def close(self) -> None:
        self._writer.close()
        self.circuit.close()
        self.db.close()


@pytest.fixture
def system(database: str) -> Iterator[System]:
    made = System(database)
    yield made
    made.close()


def stored(system: System, code: str) -> list[tuple[Any, ...]]:
    rows = system.rows(
        "select finding_id, rule, case_id, state, opened_at, closed_at, due_at from finding"
        " where centre = %s and case_id is not null order by case_id, opened_at, rule",
        code,
    )
    return [tuple(row.values()) for row in rows]


def replayed(code: str, until: datetime) -> list[tuple[Any, ...]]:
    found = [
        (f.finding_id, f.rule, f.case, f.state, f.opened_at, f.closed_at, f.due_at)
        for f in replay(CENTRES[code], course(None), until).findings
    ]
    return sorted(found, key=lambda row: (row[2], row[4], row[1]))


def test_findings_equal_those_of_two_replays(system: System):
    system.take(system.events, *course(ONE), *course(TWO))
    for day in (6, 10, 12):
        system.judge(at(day, 17.5))
    now = at(12, 17.5)
    one, two = stored(system, ONE), stored(system, TWO)
    assert one == replayed(ONE, now)
    assert two == replayed(TWO, now)
    assert {row[1] for row in one} > {"time_limit.promised", "time_limit.legal"}
    assert "time_limit.legal" not in {row[1] for row in two}
    assert not {row[0] for row in one} & {row[0] for row in two}
    whole = replay(CENTRES, [*course(ONE), *course(TWO)], now)
    assert {finding_to_json(f, CENTRES[f.centre].zone)["finding_id"] for f in whole.findings} == {
        row[0] for row in one + two
    }


def test_a_decision_in_one_centre_closes_nothing_in_the_other(system: System):
    system.take(system.events, *course(ONE), *course(TWO))
    system.judge(at(25))
    assert {row[3] for row in stored(system, TWO) if row[2] == "C1"} == {"open", "closed"}
    system.clock.set(at(25, 10))
    system.take(system.events, line("9", "case.closed", at(24), "C1", ONE))
    system.judge(at(25, 11))
    open_cases = system.rows(
        "select centre, case_id from finding where state = 'open' and rule = 'time_limit.legal'"
    )
    assert {"centre": ONE, "case_id": "C1"} not in open_cases
    states = {
        row["centre"]: row["status"] for row in system.rows("select * from case_state where case_id = 'C1'")
    }
    assert states[ONE] != states[TWO]


def test_what_does_not_say_whose_it_is_lies_in_the_dead_letters(system: System):
    strange = [line("7", "case.accepted", at(2), "C9", code) for code in (None, "110000")]
    system.take(system.events, *strange, line("8", "case.accepted", at(2), "C9", ONE))
    system.take(system.looks, looked("110000", "present", at(2)))
    letters = list_dead_letters(system.db)
    assert sorted(letter.code for letter in letters) == ["missing_centre", "unknown_centre", "unknown_centre"]
    assert system.rows("select centre from case_state") == [{"centre": ONE}]
    # Whoever it names has it on the wall; what names nobody is on the wall of all centres only.
    bad = line("7", "case.accepted", at(2), "C9", TWO).replace(b'"A01"', b'"Z99"')
    system.take(system.events, bad)
    walls = [StoreSource(system.dsn, CENTRES[code], beats=False, several=True) for code in CENTRES]
    everything = ProvinceSource(system.dsn, CENTRES, lambda seconds: False)
    assert [wall.read(at(6)).totals.dead for wall in walls] == [0, 1]
    assert everything.read(at(6)).totals.dead == 4
    for source in (*walls, everything):
        source.close()


def test_an_empty_window_in_one_centre_is_not_empty_in_the_other(system: System):
    for minute in range(0, 20):
        moment = at(3, 10) + timedelta(minutes=minute)
        system.clock.set(moment)
        system.take(system.looks, looked(ONE, "absent", moment), looked(TWO, "present", moment))
    system.judge(at(3, 10) + timedelta(minutes=19))
    rows = system.rows("select centre, rule from finding where rule like 'absence.%%' order by rule")
    assert {row["centre"] for row in rows} == {ONE}
    assert rows


def test_messages_and_acknowledgements_stay_apart(system: System):
    system.take(system.events, *course(ONE), *course(TWO))
    system.judge(at(25))
    sent = system.rows("select * from outbox where state = 'ready' order by message_id")
    by_centre = {code: [row for row in sent if row["centre"] == code] for code in CENTRES}
    assert by_centre[ONE]
    assert by_centre[TWO]
    for code, rows in by_centre.items():
        assert {row["phone"][3:9] for row in rows} == {code}
        assert {row["params"]["centre_name"] for row in rows} == {CENTRES[code].centre.name}
    own = next(row for row in by_centre[ONE] if row["params"]["case"] == "C1")
    app = create_ack_app(system.dsn, system.clock)

    async def press() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://wall") as client:
            return (await client.post(f"/{LINKS.token(own['idempotency_key'])}")).status_code

    assert asyncio.run(press()) == 200
    rows = system.rows("select centre, case_id, finding_id from finding where acknowledged_at is not null")
    assert rows == [{"centre": ONE, "case_id": "C1", "finding_id": own["finding_id"]}]


def test_each_wall_shows_its_own_and_the_wall_of_all_shows_both(system: System):
    system.take(system.events, *course(ONE), *course(TWO))
    system.judge(at(12, 10))
    now = at(12, 10)
    walls = {code: StoreSource(system.dsn, CENTRES[code], beats=False) for code in CENTRES}
    shown = {code: wall.read(now) for code, wall in walls.items()}
    everything = ProvinceSource(system.dsn, CENTRES, lambda seconds: False)
    province = everything.read(now)
    worst = {f.finding_id for f in shown[ONE].findings if f.rule == "time_limit.legal"}
    detail = [walls[code].detail(None, finding, now).findings for code in CENTRES for finding in worst]
    for source in (*walls.values(), everything):
        source.close()
    assert shown[ONE].totals.red > 0 == shown[TWO].totals.red
    assert [(c.code, c.red, c.yellow) for c in province.centres] == [(ONE, 1, 0), (TWO, 0, 0)]
    assert province.centres[0].worst is not None
    assert province.centres[0].worst.case == "C1"
    assert province.centres[0].windows == 2
    assert {c.watched - c.unknown for c in province.centres} == {0}
    assert all(c.rules_silent is not None and c.rules_silent < 30 for c in province.centres)
    assert (province.totals.red, province.totals.overdue, province.totals.open) == (1, 1, 4)
    # A finding of one is no business of the other's wall.
    assert [len(found) for found in detail] == [1] * len(worst) + [0] * len(worst)


def test_what_cannot_be_judged_in_one_centre_is_not_mended_by_the_other(system: System):
    from detectors.cases import judge_case
    from streams.judges import Rules

    broken = [ONE]

    def judge(events: Any, centre: Centre, now: datetime) -> Any:
        if centre.centre.id in broken:
            raise RuntimeError("odd")
        return judge_case(events, centre, now)

    def make(code: str, opened: Callable[[], Connection]) -> RuleLoop:
        return RuleLoop(system.dsn, CENTRES[code], system.clock, Rules(case=judge), open_connection=opened)

    system.take(system.events, *(line("1", "case.accepted", at(2), "C1", code) for code in CENTRES))
    circuit = Circuit(system.dsn, list(CENTRES), system.clock, make)
    system.clock.set(at(6, 10))
    circuit.round(at(6, 10))
    broken[:] = [TWO]
    system.take(
        system.events,
        line("2", "case.extended", at(2, 10), "C1", TWO).replace(b'"data": {}', b'"data": {"days": 1}'),
    )
    circuit.round(at(6, 10))
    letters = [letter for letter in list_dead_letters(system.db, state=None) if letter.origin == "rules"]
    circuit.close()
    assert sorted((json.loads(letter.raw)["centre"], letter.state) for letter in letters) == [
        (ONE, "waiting"),
        (TWO, "waiting"),
    ]
