"""A real worker process: killed, stopped, without its database. Nothing lost, nothing counted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.local_transport import EventLog, make_address
from streams.publisher import open_publisher
from streams.rejections import rejection
from tests.conftest import ROOT
from tests.streams.fakes import event_bytes, read
from tests.streams.test_intake import NOW

pytestmark = pytest.mark.process


class House:
    """A data folder with a log, a store, and the worker between them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store.db"
        self.away, self.slow = folder / "store.away", folder / "store.slow"
        self.address = make_address(folder / "log.db")
        self.publisher = open_publisher(self.address)
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
        environ |= {"MINGJING_DATA": str(self.folder), "MINGJING_BATCH_SIZE": "100"}
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.worker_process", str(self.store)], cwd=ROOT, env=environ
        )
        return self.worker

    def end(self, how: signal.Signals) -> int:
        assert self.worker is not None
        self.worker.send_signal(how)
        return self.worker.wait(15)

    def publish(self, first: int, count: int) -> None:
        self.publisher.publish(
            "case-events", [(b"c%d" % (n % 97), event_bytes(n)) for n in range(first, first + count)]
        )

    def stored(self) -> int:
        try:
            return int(read(self.store, "SELECT count(*) FROM event")[0][0])
        except Exception:
            return 0  # the worker has not made its tables yet

    def committed(self) -> int:
        return sum(EventLog(self.folder / "log.db").committed("mingjing").values())


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    if house.worker is not None and house.worker.poll() is None:
        house.worker.kill()
        house.worker.wait()
    house.publisher.close()


def test_kill_9_in_the_middle_loses_nothing_and_counts_nothing_twice(house: House) -> None:
    house.slow.touch()
    house.publish(0, 6000)
    for goal in (600, 2500):
        house.start()
        eventually(lambda goal=goal: house.stored() >= goal)  # type: ignore[misc]
        house.end(signal.SIGKILL)
    assert house.stored() < 6000  # else it was not the middle
    house.slow.unlink()
    house.start()
    house.publish(6000, 500)
    eventually(lambda: house.stored() == 6500 and house.committed() == 6500)
    assert read(house.store, "SELECT count(*), count(DISTINCT event_id) FROM event") == [(6500, 6500)]
    assert read(house.store, "SELECT count(*) FROM letter") == [(0,)]


def test_a_clean_stop_in_the_middle_loses_nothing(house: House) -> None:
    house.slow.touch()
    house.publish(0, 4000)
    house.start()
    eventually(lambda: house.stored() >= 500)
    assert house.end(signal.SIGTERM) == 0
    assert house.committed() <= house.stored() < 4000
    house.slow.unlink()
    house.start()
    eventually(lambda: house.stored() == 4000)


def test_nothing_is_skipped_while_the_database_is_away(house: House) -> None:
    house.away.touch()
    house.publish(0, 300)
    house.publisher.publish(
        "rejected-lines",
        [(None, rejection(source="door", raw=b"x", code="c", reason="r", place="1", at=NOW))],
    )
    house.start()
    eventually(lambda: house.store.exists())
    time.sleep(0.5)
    assert (house.stored(), house.committed()) == (0, 0)
    started = time.monotonic()
    assert house.end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 5  # waiting for the database does not hold up a stop
    assert house.committed() == 0
    house.start()
    house.away.unlink()
    eventually(lambda: house.stored() == 300 and house.committed() == 301)
    assert read(house.store, "SELECT origin, code, raw FROM letter") == [("door", "c", b"x")]


def test_a_fault_of_the_program_ends_the_worker_and_loses_nothing(house: House) -> None:
    bug = house.folder / "store.bug"
    bug.touch()
    house.publish(0, 200)
    worker = house.start()
    assert worker.wait(30) != 0
    assert (house.stored(), house.committed()) == (0, 0)
    bug.unlink()
    house.start()
    eventually(lambda: house.stored() == 200)


def test_it_says_that_it_lives_and_what_it_did(house: House) -> None:
    house.publish(0, 10)
    house.publisher.publish("case-events", [(None, b"nonsense")])
    house.start()
    eventually(lambda: house.stored() == 10)
    seen = "SELECT count, json_extract(detail, '$.new'), json_extract(detail, '$.dead_letters') FROM beat"
    eventually(lambda: read(house.store, seen)[:1] >= [(2, 10, 1)])
    assert read(house.store, "SELECT place, code FROM letter")[0][1] == "bad_json"
