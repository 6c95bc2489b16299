"""A real worker process: killed, stopped, without its database. Nothing lost, nothing counted twice."""

from __future__ import annotations

import signal
import time

import pytest

from streams.rejections import rejection
from tests.streams.fakes import read
from tests.streams.house import House, eventually
from tests.streams.test_intake import NOW

pytestmark = pytest.mark.process


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


@pytest.mark.parametrize("log_kind", ["local"])  # on Kafka: test_several_workers.py
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


@pytest.mark.parametrize("log_kind", ["local"])  # on Kafka: the next one
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


@pytest.mark.parametrize("log_kind", [pytest.param("kafka", marks=pytest.mark.kafka)])
def test_a_database_away_for_long_costs_a_worker_neither_its_place_nor_an_event(house: House) -> None:
    # More waits than the worker's buffers hold, so that it stops reading for longer than Kafka's clients allow.
    house.environ["MINGJING_MAX_POLL_INTERVAL"] = "1"
    house.away.touch()
    house.publish(0, 3000)
    worker = house.start()
    eventually(lambda: house.store.exists())
    started = time.monotonic()
    eventually(lambda: time.monotonic() - started > 4)
    house.away.unlink()
    eventually(lambda: house.stored() == 3000 and house.committed() == 3000)
    assert worker.poll() is None


@pytest.mark.parametrize("log_kind", [pytest.param("kafka", marks=pytest.mark.kafka)])
def test_brokers_that_are_away_for_longer_than_a_session_are_waited_for(house: House) -> None:
    house.environ["MINGJING_SESSION_TIMEOUT"] = "2"
    house.slow.touch()
    house.publish(0, 3000)
    worker = house.start()
    eventually(lambda: house.stored() >= 300)
    assert house.kafka is not None
    house.kafka.kill(0)
    house.slow.unlink()
    reads = "SELECT json_extract(detail, '$.reads') FROM beat"
    # Nobody can say what lies unread in the log: cases are not judged meanwhile.
    eventually(lambda: read(house.store, reads) == [("[]",)])
    house.kafka.start(0)
    house.publish(3000, 300)
    eventually(lambda: house.stored() == 3300 and house.committed() == 3300)
    assert read(house.store, "SELECT count(*), count(DISTINCT event_id) FROM event") == [(3300, 3300)]
    assert worker.poll() is None  # the same one


@pytest.mark.parametrize("log_kind", [pytest.param("kafka", marks=pytest.mark.kafka)])
def test_a_backlog_is_known_while_nothing_of_it_was_fetched(house: House) -> None:
    house.slow.touch()
    house.publish(0, 6000)
    house.start()
    eventually(lambda: house.stored() >= 100)
    # The first of these lie fetched and unwanted before the worker's full buffer: no fetch is made meanwhile.
    house.publish(6000, 100)
    started = time.monotonic()
    eventually(lambda: time.monotonic() - started > 0.5)
    house.publish(6100, 6000)
    lag = "SELECT json_extract(detail, '$.lag') FROM beat"
    # Cases judged now would be judged on half of their events.
    eventually(lambda: read(house.store, lag)[0][0] > 6100, 10)
    assert house.stored() < 6000  # before it came to what lay fetched


@pytest.mark.parametrize("log_kind", ["local"])  # nothing of it depends on the log
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


@pytest.mark.parametrize("log_kind", ["local"])  # on Kafka: test_several_workers.py
def test_it_says_that_it_lives_and_what_it_did(house: House) -> None:
    house.publish(0, 10)
    house.publisher.publish("case-events", [(None, b"nonsense")])
    house.start()
    eventually(lambda: house.stored() == 10)
    seen = "SELECT count, json_extract(detail, '$.new'), json_extract(detail, '$.dead_letters') FROM beat"
    eventually(lambda: read(house.store, seen)[:1] >= [(2, 10, 1)])
    assert read(house.store, "SELECT place, code FROM letter")[0][1] == "bad_json"
    eventually(lambda: house.committed() == 11)
    house.end(signal.SIGKILL)
    house.start()
    lag = "SELECT count, json_extract(detail, '$.new'), json_extract(detail, '$.lag') FROM beat"
    eventually(
        lambda: read(house.store, lag)[0][1:] == (0, 0)
    )  # the lag counts from the last commit, not from 0
