"""Signs of life that mean something."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest

from domain.clock import FakeClock
from mingjing import heartbeats
from mingjing.heartbeats import Heart

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def transaction(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def beats(monkeypatch) -> list:
    kept: list = []
    monkeypatch.setattr(
        heartbeats,
        "heartbeat",
        lambda connection, role, now, detail, instance="": kept.append((role, now, detail)),
    )
    return kept


def test_it_says_who_and_when_on_the_clock_of_the_house(beats):
    heart = Heart(
        "door", "", FakeClock(NOW), detail=lambda: {"model": None}, connector=lambda dsn: Connection()
    )
    assert heart.beat()
    assert beats == [("door", NOW, {"model": None})]


def test_a_process_that_hangs_does_not_look_alive(beats):
    assert not Heart(
        "cameras", "", FakeClock(NOW), alive=lambda: False, connector=lambda dsn: Connection()
    ).beat()
    assert beats == []


def test_it_goes_on_when_the_database_comes_back(beats, monkeypatch):
    opened: list[Connection] = []

    def connector(dsn: str) -> Connection:
        if not opened:
            opened.append(Connection())
            raise psycopg.OperationalError("away")
        opened.append(Connection())
        return opened[-1]

    heart = Heart("door", "", FakeClock(NOW), connector=connector)
    assert not heart.beat()
    assert heart.beat()
    assert len(beats) == 1


def test_a_broken_connection_is_let_go(monkeypatch):
    made: list[Connection] = []

    def broken(*_, **__):
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(heartbeats, "heartbeat", broken)
    heart = Heart("door", "", FakeClock(NOW), connector=lambda dsn: made.append(Connection()) or made[-1])
    assert not heart.beat()
    assert not heart.beat()
    assert len(made) == 2
    assert made[0].closed


def test_it_beats_until_told_to_stop(beats):
    stop = threading.Event()
    connection = Connection()
    heart = Heart("door", "", FakeClock(NOW), every=0.01, connector=lambda dsn: connection)
    thread = threading.Thread(target=heart.run, args=(stop,))
    thread.start()
    end = time.monotonic() + 5
    while len(beats) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(beats) >= 3
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert connection.closed
