"""kill -9 in the middle of the rounds: each reminder, each message that waited and each digest leaves once. Real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.alerts.conftest import NOW, make_centre
from tests.alerts.rounds.conftest import Board
from tests.alerts.rounds.rounds_process import SETTINGS
from tests.alerts.rounds.test_turn import planner_of

COURSES, GROUPS, EACH, ALONE = 200, 20, 25, 100
#: Kills in the middle.
KILLS = 3


class Crew:
    """Processes that are killed."""

    def __init__(self, board: Board) -> None:
        self.environment = os.environ | {
            "TEST_DSN": board.dsn,
            "TEST_NOW": (NOW + timedelta(minutes=30)).isoformat(),
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        made = subprocess.Popen(
            [sys.executable, "-m", "tests.alerts.rounds.rounds_process"], env=self.environment
        )
        self.running.append(made)
        return made

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        self.running.remove(process)


@pytest.fixture
def crew(board: Board) -> Iterator[Crew]:
    board.centre = make_centre(**SETTINGS)
    made = Crew(board)
    yield made
    for process in list(made.running):
        made.kill(process)


@pytest.mark.process
def test_killed_rounds_lose_nothing_and_repeat_nothing(
    board: Board, crew: Crew, wait_for: Callable[..., None]
) -> None:
    planner = planner_of(board.centre)
    findings = [board.finding(number, opened_at=NOW) for number in range(COURSES)]
    planner(board.connection, [(each, "opened") for each in findings], NOW)
    for group in range(GROUPS):
        for number in range(EACH):
            finding = board.finding(10_000 + group * EACH + number)
            board.held(finding, f"p{group % 4 + 1}", minutes=30, gather=f"group{group}")
    for number in range(ALONE):
        board.held(board.finding(20_000 + number), minutes=30, gather=None)

    def reminders() -> int:
        return len(board.rows("message_id", "template = 'finding.again'"))

    for kill in range(KILLS):
        process = crew.start()
        done = reminders()
        wait_for(lambda done=done: reminders() > done or reminders() == COURSES)
        if kill == KILLS - 2:
            time.sleep(0.05)
        crew.kill(process)
    assert reminders() < COURSES, "everything was done before the kills were over"
    for _ in range(2):
        crew.start()
    wait_for(lambda: not board.rows("message_id", "state = 'held'") and reminders() >= COURSES)
    assert reminders() == COURSES
    assert len(board.rows("message_id", "state = 'gathered'")) == GROUPS * EACH
    told = [
        key
        for (params,) in board.connection.execute(
            "select params from outbox where template = 'digest.group'"
        ).fetchall()
        for key in params["told"]
    ]
    assert len(told) == len(set(told)) == GROUPS * EACH
    assert len(board.rows("message_id", "template = 'digest.group'")) == GROUPS
    assert len(board.rows("message_id", "state = 'ready' and finding_id ~ '^f2....$'")) == ALONE
    wait_for(lambda: board.rows("person", "template = 'digest.daily' and state = 'ready'") == ["p3"])
