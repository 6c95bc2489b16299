"""With every family on, the live system says in the end what replay says: through the worker's writer, in any order, of two centres."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detectors.families import FAMILIES
from domain.centre import CASE_FAMILIES, Centre
from domain.centres import Centres
from domain.clock import FakeClock
from domain.events import parse_line
from mingjing.replay import Replay
from store.connection import connect
from store.reading import findings
from streams.circuit import Circuit
from streams.rule_loop import RuleLoop
from streams.writer import StoreWriter

pytestmark = pytest.mark.postgres

ON: dict[str, Any] = {name: {} for name in (*CASE_FAMILIES, *(family.name for family in FAMILIES))}
QUIET = {"sources": {"feed_silent": 1e6}}


def centre(code: str, rules: dict[str, Any]) -> Centre:
    return Centre.model_validate(
        {
            "centre": {"id": code, "name": code},
            "rules": QUIET | rules,
            "items": [
                {
                    "code": "A", "legal_limit": {"days": 5}, "promised_limit": {"days": 3}, "supplement_limit": 3,
                    "stages": {"check": {"days": 2}, "sign": {"days": 1}},
                    "fees": [{"name": "f", "amount": 10, "basis": "b"}],
                }
            ],
            "people": [{"id": "p1", "name": "p1"}],
            "windows": [{"id": "W1", "staff": ["p1"]}],
        }
    )  # fmt: skip


def lines(code: str) -> list[bytes]:
    """Cases with fees, tickets and ratings, and everything that belongs to no case."""
    told: list[tuple[str, str, dict[str, Any]]] = []
    for n in range(4):
        case = {"case": f"c{n}", "item": "A", "window": "W1", "staff": "p1"}
        told += [
            ("queue.ticket_issued", f"03-0{n + 2} 08:55", {"window": "W1", "data": {"ticket": f"t{n}"}}),
            ("queue.served", f"03-0{n + 2} 09:20", {"window": "W1", "data": {"ticket": f"t{n}"}}),
            ("case.received", f"03-0{n + 2} 09:00", case),
            ("case.accepted", f"03-0{n + 2} 09:{10 + n}", case | {"data": {"channel": "department"}}),
            ("case.stage_started", f"03-0{n + 3} 09:00", case | {"data": {"stage": "sign"}}),
            ("fee.charged", f"03-0{n + 3} 10:00", case | {"data": {"name": "x", "amount": 99}}),
            ("case.decided", f"03-1{n + 2} 19:0{n}", case | {"data": {"result": "denied"}}),
            ("rating.given", f"03-1{n + 2} 19:30", case | {"data": {"level": 1 + n, "real_name": True}}),
        ]
    told += [
        ("complaint.opened", "03-02 09:00", {"data": {"complaint": "k1"}}),
        ("complaint.assigned", "03-02 10:00", {"data": {"complaint": "k1", "unit": "u"}}),
        ("complaint.answered", "03-20 10:00", {"data": {"complaint": "k1"}}),
        ("complaint.opened", "03-02 09:00", {"data": {"complaint": "k2"}}),
        ("attendance.clock_in", "03-02 09:31", {"staff": "p1"}),
        ("attendance.clock_out", "03-02 15:00", {"staff": "p1"}),
        ("commission.started", "03-02 09:00", {"data": {"commission": "q", "agreed_days": 2}}),
        ("bid.submitted", "03-02 09:00", {"data": {"tender": "t", "bidder": "b1", "file_id": "F-7731-AA"}}),
        ("bid.submitted", "03-02 09:05", {"data": {"tender": "t", "bidder": "b2", "file_id": "F-7731-AA"}}),
        ("certificate.issued", "03-02 09:00", {"data": {"certificate_no": "z1"}}),
        ("fee.charged", "03-02 09:00", {"item": "A", "data": {"name": "x", "amount": 99}}),
        ("fee.charged", "03-02 09:00", {"case": "c-unknown", "item": "A", "data": {"name": "x", "amount": 99}}),
    ]  # fmt: skip
    rows = []
    for number, (kind, when, more) in enumerate(told):
        day, clock = when.split()
        moment = f"2026-{day}T{clock}:00+08:00"
        # Some rules look at when an event reached us: so that is said, and is not when the test writes it.
        row = {
            "event_id": f"e{number}", "kind": kind, "occurred_at": moment, "received_at": moment, "source": "s",
            "centre": code,
        }  # fmt: skip
        rows.append(json.dumps(row | more).encode())
    return rows


NOW = datetime(2026, 4, 10, 4, 0, tzinfo=UTC)
Row = tuple[object, ...]


def row_of(found: Any) -> Row:
    return (
        found.finding_id, found.rule, found.severity, found.centre, found.case, found.item, found.window, found.opened_at,
        found.closed_at, found.due_at, found.state, found.provisional,
    )  # fmt: skip


def replayed(centres: Centres, told: list[bytes]) -> tuple[set[Row], list[str]]:
    run = Replay(centres)
    run.read(told)
    assert not run.rejected
    found = [finding for group in run.judge(NOW) for finding in group]
    assert [f for f in found if f.shadow] == []
    return {row_of(f) for f in found}, [f.rule for f in found]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_live_system_ends_where_replay_does_with_every_family(database: str, seed: int) -> None:
    centres = Centres([centre("A1", ON), centre("B2", ON | {"complaints": None})])
    told = lines("A1") + lines("B2")
    clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    arriving = [parse_line(line, **centres.checks) for line in told]
    rng = random.Random(seed)
    rng.shuffle(arriving)
    circuit = Circuit(
        database, list(centres), clock,
        lambda code, opener: RuleLoop(database, centres[code], clock, open_connection=opener, beats=False, batches=1),
    )  # fmt: skip
    writer = StoreWriter(database, clock=clock, centres=centres)
    for start in range(0, len(arriving), 7):
        writer.write_events(arriving[start : start + 7])
        for _ in range(3):
            circuit.round(clock.now())
        if start == 28:  # killed, and started again
            writer.close()
            writer = StoreWriter(database, clock=clock, centres=centres)
        clock.set(clock.now() + timedelta(days=2))
    writer.close()
    clock.set(NOW)
    while circuit.round(NOW).judged:
        pass
    circuit.close()
    with connect(database) as db:
        live = {
            row_of(f)
            for code in centres
            for f in findings(db, code, state=None, limit=10_000)
            if f.state != "revoked"
        }
        assert (
            db.execute("select place, reason from dead_letter where code = 'judge_failed'").fetchall() == []
        )
    assert live == replayed(centres, told)[0]


def test_replay_says_the_cases_first_and_each_family_has_its_word() -> None:
    centres = Centres([centre("A1", ON)])
    told = lines("A1")
    found, rules = replayed(centres, told)
    heads = {rule.partition(".")[0] for rule in rules}
    assert heads >= {
        "time_limit", "procedure", "fees", "both_doors", "rating", "complaint", "attendance", "commission", "bid",
    }  # fmt: skip
    # Sorted, and the same whatever came first.
    again = replayed(centres, list(reversed(told)))
    assert again == (found, rules)
    last_of_a_case = max(i for i, rule in enumerate(rules) if rule.startswith("time_limit"))
    assert last_of_a_case < rules.index("complaint.overdue")


def test_with_no_family_on_nothing_else_is_kept_and_nothing_else_is_said() -> None:
    plain = Centres([centre("A1", {})])
    run = Replay(plain)
    run.read(lines("A1"))
    assert run.cases == 4
    assert {f.rule.partition(".")[0] for group in run.judge(NOW) for f in group} <= {
        "time_limit", "stage", "acceptance",
    }  # fmt: skip
