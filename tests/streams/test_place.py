"""Two workers of one name: the second is told so and leaves the first alone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import psycopg
import pytest

from domain.errors import SettingsError
from store import connect
from store.ingest import heartbeat
from streams import place
from streams.place import wait_for_name

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


class Beating(threading.Event):
    """Stands for the stop signal; whoever waits a step for it, meanwhile the other beats, or time goes by."""

    def __init__(self, dsn: str, statement: str) -> None:
        super().__init__()
        self.dsn, self.statement, self.steps = dsn, statement, 0

    def wait(self, timeout: float | None = None) -> bool:
        self.steps += 1
        with psycopg.connect(self.dsn) as db:
            db.execute(self.statement)  # type: ignore[call-overload]
        return self.is_set()


@pytest.fixture
def dsn(database: str) -> str:
    with connect(database) as db:
        heartbeat(db, "worker", now=NOW, instance="hall-1")
    return database


def test_a_name_that_nobody_has_is_free_at_once(dsn: str) -> None:
    stop = Beating(dsn, "select 1")
    wait_for_name(dsn, "hall-2", stop)
    assert stop.steps == 0


def test_a_living_worker_keeps_its_name(dsn: str) -> None:
    with pytest.raises(SettingsError, match=r"'hall-1'.*MINGJING_INSTANCE"):
        wait_for_name(dsn, "hall-1", Beating(dsn, "update heartbeat set real_at = clock_timestamp()"))


def test_a_dead_one_s_successor_waits_until_it_is_sure(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "FREE_AFTER", 0.1)
    stop = threading.Event()
    wait_for_name(dsn, "hall-1", stop)


def test_a_stop_ends_the_waiting(dsn: str) -> None:
    stop = threading.Event()
    stop.set()
    wait_for_name(dsn, "hall-1", stop)


def test_a_database_that_is_away_knows_of_nobody() -> None:
    wait_for_name("host=127.0.0.1 port=1 connect_timeout=1", "hall-1", threading.Event())
