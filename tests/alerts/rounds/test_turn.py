"""All rounds together, called by the rule loop: of several loops each thing is done once, and nothing is lost between two."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerts.planner import Planner
from alerts.rounds.turn import REST, Rounds
from domain.centre import Centre
from store.connection import Connection, connect
from streams.circuit import Circuit
from streams.rule_loop import ROUNDS_GRACE, ROUNDS_WAIT, RuleLoop
from tests.alerts.conftest import LINKS, NOW, make_centre
from tests.alerts.rounds.conftest import Board

ROUTE = {"id": "r", "to": ["handler"], "remind_every": 30, "most_reminders": 2}
SETTINGS: dict[str, Any] = {"routes": [ROUTE], "group": None, "flood": None, "digest": {"at": "18:00"}}


@pytest.fixture
def board(board: Board) -> Iterator[Board]:
    board.centre = make_centre(**SETTINGS)
    yield board
    for loop in LOOPS:
        loop.close()
    LOOPS.clear()


LOOPS: list[RuleLoop] = []


def planner_of(centre: Centre) -> Planner:
    return Planner(centre, LINKS, correction_hold=timedelta(0))


def loop_of(board: Board, **given: Any) -> RuleLoop:
    planner = planner_of(board.centre)
    made = RuleLoop(
        board.dsn,
        board.centre,
        board.clock,
        plan=planner,
        remind=planner.remind,
        **({"rounds": Rounds(board.centre, planner)} | given),
    )
    LOOPS.append(made)
    return made


def open_one(board: Board, number: int = 1, **changes: Any) -> None:
    finding = board.finding(number, opened_at=board.now, **changes)
    planner_of(board.centre)(board.connection, [(finding, "opened")], board.now)


def sent(board: Board) -> list[tuple[float, str]]:
    rows = board.rows("created_at, template", "state = 'ready'")
    return [((at - NOW).total_seconds() / 60, template) for at, template in rows]


def test_the_loop_sleeps_until_the_next_and_does_it(board: Board) -> None:
    """It is 17:30: a reminder at 18:00 and, at the same moment, the digest of the day; another reminder at 18:30."""
    open_one(board)
    board.held(board.finding(2), minutes=5, gather=None)
    loop = loop_of(board)
    loop.tick(board.now)
    for minutes in (5, 30, 60):
        at = NOW + timedelta(minutes=minutes)
        result = loop.tick(board.now)
        assert (result.next_look, result.more) == (at, False)
        board.clock.set(at)
    loop.tick(board.now)
    assert sent(board) == [
        (0, "finding.yellow"), (0, "finding.yellow"), (30, "finding.again"), (30, "digest.daily"), (60, "finding.again"),
    ]  # fmt: skip


def test_a_part_that_fails_rests_and_the_others_go_on(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    open_one(board)
    board.held(board.finding(2), minutes=30, gather=None)
    monkeypatch.setattr("alerts.rounds.digest.Daily.__call__", lambda *given: 1 // 0)
    rounds = Rounds(board.centre, planner_of(board.centre))
    board.clock.advance(30 * 60)
    assert rounds(board.connection, board.now) == board.now + REST
    assert [each[1] for each in sent(board)] == ["finding.yellow", "finding.yellow", "finding.again"]
    monkeypatch.undo()
    assert rounds(board.connection, board.now) == board.now + REST
    board.clock.advance(REST.total_seconds())
    rounds(board.connection, board.now)
    assert "digest.daily" in [each[1] for each in sent(board)]


def test_a_database_that_is_away_is_said(board: Board) -> None:
    rounds = Rounds(board.centre, planner_of(board.centre))
    board.connection.close()
    with pytest.raises(psycopg.OperationalError):
        rounds(board.connection, board.now)


def test_several_loops_at_once_send_nothing_twice(board: Board) -> None:
    for number in range(40):
        open_one(board, number)
    for number in range(100, 140):
        board.held(board.finding(number), f"p{number % 4 + 1}", minutes=30)
    board.clock.advance(30 * 60)
    failures: list[BaseException] = []

    def run() -> None:
        rounds = Rounds(board.centre, planner_of(board.centre))
        try:
            with connect(board.dsn, autocommit=True) as connection:
                ends = time.monotonic() + 20
                while time.monotonic() < ends:
                    ahead = rounds(connection, board.now)
                    if ahead is not None and ahead > board.now + timedelta(seconds=1):
                        return
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(board.rows("person", "template = 'finding.again'")) == 40
    assert len(board.rows("person", "template = 'digest.group'")) == 4
    assert len(board.rows("person", "state = 'gathered'")) == 40
    # p3, the leader of all of them; nothing new for p1, who leads A08.
    assert board.rows("person", "template = 'digest.daily' and state = 'ready'") == ["p3"]


def test_messages_that_come_later_give_way_to_a_backlog_but_not_for_ever(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = [0.0]
    asked: list[datetime] = []

    def rounds(_connection: Connection, now: datetime) -> datetime | None:
        asked.append(now)
        return None

    loop = loop_of(board, rounds=rounds, real_time=lambda: real[0])
    loop.tick(board.now)
    assert len(asked) == 1
    monkeypatch.setattr("streams.rule_loop.remind_due", lambda *given: (0, True))
    loop.tick(board.now)
    assert len(asked) == 1
    real[0] += ROUNDS_WAIT
    loop.tick(board.now)
    assert len(asked) == 2
    monkeypatch.undo()
    monkeypatch.setattr("streams.rule_loop.reason_to_hold", lambda connection: "unread")
    loop.tick(board.now)
    assert len(asked) == 2
    real[0] += ROUNDS_GRACE
    loop.tick(board.now)
    assert len(asked) == 3


def test_a_circuit_of_centres_wakes_for_the_digest_of_one(board: Board) -> None:
    """It stands in no table when the next one is due."""
    other = make_centre()
    centres = {
        "530502": board.centre,
        "530100": other.model_copy(update={"centre": other.centre.model_copy(update={"id": "530100"})}),
    }
    open_one(board)

    def make_loop(code: str, open_connection: Any) -> RuleLoop:
        planner = planner_of(centres[code])
        rounds = Rounds(centres[code], planner)
        return RuleLoop(
            board.dsn,
            centres[code],
            board.clock,
            plan=planner,
            rounds=rounds,
            open_connection=open_connection,
            beats=False,
        )

    circuit = Circuit(board.dsn, list(centres), board.clock, make_loop, real_time=lambda: 0.0)
    try:
        assert circuit.round(board.now).next_look == NOW + timedelta(minutes=30)
        board.connection.execute("delete from escalation")
        board.clock.advance(30 * 60)
        circuit.round(board.now)
    finally:
        circuit.close()
    assert board.rows("person", "template = 'digest.daily' and state = 'ready'") == ["p3"]
