"""The door before a Kafka that dies and comes back: 503 while it is away, nothing lost that was accepted, the rest repeated."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from aiokafka import AIOKafkaConsumer

from domain.clock import Clock
from domain.errors import LogError
from streams.door import create_door
from streams.kafka_admin import KafkaAdmin
from streams.kafka_publisher import KafkaPublisher
from streams.publisher import Publisher, open_publisher
from streams.sending import Sent, send_lines
from streams.topic_plan import plan_topics
from tests.kafka.cluster import KafkaCluster
from tests.streams.fakes import event_bytes
from tests.streams.house import eventually
from tests.streams.test_door import HEADERS, KEY

pytestmark = [pytest.mark.kafka, pytest.mark.process]

COUNT = 1500


@contextmanager
def served(publisher: Publisher) -> Iterator[str]:
    """A door before the publisher, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_door(publisher, {"hall": KEY}, None, Clock())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


def make_topics(cluster: KafkaCluster, prefix: str = "") -> None:
    async def ask() -> None:
        async with KafkaAdmin(cluster.servers) as admin:
            await admin.create(plan_topics(partitions=4, replication=1, prefix=prefix))

    asyncio.run(ask())


def read(cluster: KafkaCluster, topic: str) -> list[tuple[bytes | None, bytes]]:
    async def ask() -> list[tuple[bytes | None, bytes]]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=cluster.plain_servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[tuple[bytes | None, bytes]] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.key, record.value) for record in records]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(ask())


def test_a_broker_killed_under_the_door_loses_nothing_that_was_accepted(
    kafka: KafkaCluster, topic_prefix: str
) -> None:
    handed, result = [0], list[Sent]()
    make_topics(kafka, topic_prefix)

    def lines() -> Iterator[bytes]:
        for number in range(COUNT):
            if number % 100 == 0:
                time.sleep(0.02)
            handed[0] = number
            yield event_bytes(number)

    def send() -> None:
        result.append(send_lines(lines(), url, KEY, sleep=lambda _: time.sleep(0.1)))

    with (
        KafkaPublisher(kafka.servers, prefix=topic_prefix, timeout=1.0) as publisher,
        served(publisher) as url,
    ):
        sender = threading.Thread(target=send)
        sender.start()
        eventually(lambda: handed[0] > COUNT // 3)
        kafka.kill(0)
        # Whoever was under way waits for the deadline; from then on everybody hears at once that nobody is there.
        eventually(lambda: httpx.get(f"{url}/healthz").status_code == 503)
        try:
            started = time.monotonic()
            answer = httpx.post(f"{url}/events", content=event_bytes(0), headers=HEADERS)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert time.monotonic() - started < 0.9
        finally:
            kafka.start(0)
        sender.join(60)
        assert not sender.is_alive()
        eventually(lambda: httpx.get(f"{url}/healthz").status_code == 200)
    assert (result[0].accepted, result[0].rejected) == (COUNT, [])
    assert result[0].waits > 0
    values = [value for _, value in read(kafka, topic_prefix + "case-events")]
    assert {value.partition(b'"event_id": "')[2].partition(b'"')[0] for value in values} == {
        b"e%d" % number for number in range(COUNT)
    }


def test_a_broker_that_hangs_is_given_up_and_the_publisher_ends_soon(
    kafka: KafkaCluster, topic_prefix: str
) -> None:
    """Nobody listens at the far end of a connection that was made: neither answer nor end."""
    make_topics(kafka, topic_prefix)
    publisher = KafkaPublisher(kafka.servers, prefix=topic_prefix, timeout=0.5)
    publisher.publish("case-events", [(b"k", b"before")])
    kafka.pause(0)
    try:
        with pytest.raises(LogError, match=r"did not take 1 messages in 0\.5 s"):
            publisher.publish("case-events", [(b"k", b"hangs")])
        started = time.monotonic()
        publisher.close()
        assert time.monotonic() - started < 8
    finally:
        kafka.resume(0)


def test_many_threads_share_requests_and_lose_nothing(kafka: KafkaCluster, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    with open_publisher(kafka.url, prefix=topic_prefix) as publisher:

        def work(number: int) -> None:
            for turn in range(25):
                publisher.publish("case-events", [(b"%d" % number, b"%d:%03d" % (number, turn))])

        publisher.publish("case-events", [(b"warm", b"up")])
        started = time.monotonic()
        work(99)
        alone = 25 / (time.monotonic() - started)
        threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together = 500 / (time.monotonic() - started)
    found = read(kafka, topic_prefix + "case-events")
    assert len(found) == len(set(found)) == 526
    for number in range(20):
        mine = [value for key, value in found if key == b"%d" % number]
        assert mine == sorted(mine)  # each sender's order
    assert together > 3 * alone, (together, alone)
