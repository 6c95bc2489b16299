"""Many walls of centres read over few connections, and one listener wakes them all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from dashboard.source import StoreSource
from dashboard.switchboard import READERS, Switchboard
from tests.dashboard.province_scenes import province

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


@pytest.fixture
def board(database: str) -> Iterator[Switchboard]:
    made = Switchboard(database)
    yield made
    made.close()


def connections(database: str) -> dict[str, int]:
    with psycopg.connect(database, autocommit=True) as db:
        return dict(
            db.execute(
                "select application_name, count(*) from pg_stat_activity where datname = current_database()"
                " and application_name like 'mingjing wall%' group by 1"
            ).fetchall()
        )


def test_many_walls_share_few_connections(database: str, board: Switchboard):
    sources = [
        StoreSource(database, each, beats=False, several=True, lend=board.lend, listen=board.listener())
        for each in province(12, windows=2).values()
    ]
    read: list[str] = []

    def look(source: StoreSource) -> None:
        for _ in range(5):
            read.append(source.read(NOW).windows[0].window)

    threads = [threading.Thread(target=look, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    found = connections(database)
    for source in sources:
        source.close()
    assert len(read) == 60
    assert found["mingjing wall"] <= READERS
    assert found["mingjing wall listening"] == 1


def test_one_notification_wakes_every_wall(database: str, board: Switchboard):
    waits = [board.listener() for _ in range(3)]
    while any(wait(0.3) for wait in waits):
        pass  # that somebody listens now is news as well
    woken: list[float] = []

    def wait_for(wait: object) -> None:
        began = time.monotonic()
        if wait(5.0):  # type: ignore[operator]
            woken.append(time.monotonic() - began)

    threads = [threading.Thread(target=wait_for, args=(wait,)) for wait in waits]
    for thread in threads:
        thread.start()
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("select pg_notify('mingjing', 'judged')")
    for thread in threads:
        thread.join(10)
    assert len(woken) == 3
    assert max(woken) < 4
    assert not waits[0](0.01)
