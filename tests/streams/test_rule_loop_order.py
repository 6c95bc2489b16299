"""The order of arrival does not change what is found in the end: contract, rule 10, through the store and the real loop."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.cases import judge_case
from domain.centre import Centre, load_centre
from domain.clock import FakeClock
from domain.errors import EventError
from domain.events import Event, parse_line, parse_moment
from domain.findings import finding_to_json
from store.connection import connect
from store.ingest import write_events
from store.reading import findings
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop import CENTRE, CODE, day, event

pytestmark = pytest.mark.postgres

Row = tuple[object, ...]
_TABLES = "event, event_key, case_state, finding, finding_step, dead_letter, source_state, window_state, heartbeat, outbox"


def live(dsn: str, centre: Centre, arriving: Sequence[tuple[Event, ...]], moments: Sequence) -> set[Row]:
    """What the live system says at the last moment, if the batches arrive at those moments and it looks after each."""
    loop = RuleLoop(dsn, centre, FakeClock(moments[0]), batch=50)
    with connect(dsn, autocommit=True) as connection:
        connection.execute(f"truncate {_TABLES} cascade")
        for batch, now in zip(arriving, moments, strict=True):
            write_events(connection, list(batch), centre=centre.centre.id, now=now)
            while loop.tick(now).more:
                pass
        loop.close()
        found = findings(connection, centre.centre.id, state=None, limit=100_000)
    return {
        (
            row.finding_id,
            row.rule,
            row.case,
            row.opened_at,
            row.closed_at,
            row.due_at,
            row.state,
            row.provisional,
        )
        for row in found
        if row.state != "revoked" and row.case is not None
    }


def pure(centre: Centre, events: Sequence[Event], now) -> set[Row]:
    """What the rules say of the whole set at once: what ``mingjing replay`` says."""
    cases: dict[str, list[Event]] = {}
    for each in events:
        if each.case is not None:
            cases.setdefault(each.case, []).append(each)
    return {
        (f.finding_id, f.rule, f.case, f.opened_at, f.closed_at, f.due_at, f.state, f.provisional)
        for each in cases.values()
        for f in judge_case(each, centre, now).findings
    }


KINDS = [
    ("received", {}),
    ("accepted", {}),
    ("supplement_requested", {"materials": "x"}),
    ("supplement_received", {}),
    ("suspended", {"ground": "hearing", "days": 2}),
    ("suspended", {"ground": "testing"}),
    ("resumed", {}),
    ("extended", {"days": 3, "approver": "p", "reason": "r"}),
    ("decided", {"result": "granted"}),
    ("withdrawn", {}),
]
MOMENTS = st.tuples(st.integers(2, 28), st.sampled_from(["09:00", "10:30", "16:59", "17:00", "18:00"]))


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    count = draw(st.integers(2, 7))
    events = []
    for number in range(count):
        kind, data = draw(st.sampled_from(KINDS))
        date, clock = draw(MOMENTS)
        events.append(event(kind, f"11-{date:02} {clock}", f"e{number}", **data))
    return events


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=histories(), data=st.data())
def test_any_order_of_arrival_ends_where_replay_does(
    database: str, events: list[Event], data: st.DataObject
) -> None:
    arriving = data.draw(st.permutations(events))
    start = data.draw(st.integers(2, 20))
    now = [day(f"11-{start:02} 09:00") + timedelta(days=2 * step) for step in range(len(arriving))]
    now.append(day("12-20 09:00"))
    batches = [(each,) for each in arriving] + [
        (arriving[0],)
    ]  # the last comes twice, and nothing else happens
    assert live(database, CENTRE, batches, now) == pure(CENTRE, events, now[-1])


@pytest.mark.parametrize("name", ["time-limits", "time-limits-midnight"])
@pytest.mark.parametrize("seed", [0])
def test_the_examples_of_the_contract_sent_through_the_store_in_any_order(
    database: str, shared: Path, name: str, seed: int
) -> None:
    folder = shared / "contract" / "examples" / name
    centre = load_centre(folder / "centre.yaml")
    until = parse_moment((folder / "until.txt").read_text().strip(), "until")
    events: list[Event] = []
    for line in (folder / "events.jsonl").read_bytes().splitlines():
        try:
            events.append(parse_line(line, centre=centre.centre.id))
        except EventError:
            continue
    # Which of two with the same identity stands is the order of arrival itself, so the first of them alone is sent.
    unique = list({each.identity: each for each in reversed(events)}.values())
    random.Random(seed).shuffle(unique)
    unique = [each for each in unique if each.occurred_at <= until]
    size = len(unique) // 4 + 1
    batches = [tuple(unique[start : start + size]) for start in range(0, len(unique), size)]
    first = min(each.occurred_at for each in unique)
    moments = [first + (until - first) * (step + 1) / len(batches) for step in range(len(batches))]
    moments[-1] = until
    said = live(database, centre, batches, moments)
    assert said == pure(centre, unique, until)
    rows = [json.loads(line) for line in (folder / "expected.jsonl").read_text().splitlines()]
    columns = ("opened_at", "closed_at", "due_at")
    expected = {
        (row["rule"], row["case"], *(row[name] and parse_moment(row[name], name) for name in columns))
        for row in rows
    }
    rules = {row["rule"] for row in rows}
    assert {row[1:6] for row in said if row[1] in rules} == expected


def test_what_the_store_says_is_the_contracts_finding() -> None:
    """The rows compared above stand for the whole finding."""
    verdict = judge_case([event("accepted", "11-02 10:00")], CENTRE, day("11-12 09:00"))
    row = finding_to_json(verdict.findings[0], CENTRE.zone)
    assert (row["centre"], row["case"], row["item"]) == (CODE, "C1", "A-001")
