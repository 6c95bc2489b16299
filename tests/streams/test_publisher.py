"""Publishing from outside Faust: durable before it returns, shared commits, the same keys on the same partitions."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.partitioner import DefaultPartitioner

from domain.errors import LogError, SettingsError
from streams.local_transport import EventLog, make_address, partition_for
from streams.publisher import KafkaPublisher, LocalPublisher, kafka_servers, open_publisher


def values(log: EventLog, topic: str) -> list[bytes | None]:
    return [r.value for n in range(log.partition_count(topic) or 0) for r in log.read(topic, n, 0, 10**6)]


def test_it_is_in_the_log_when_publish_returns(tmp_path: Path) -> None:
    with open_publisher(make_address(tmp_path / "log.db")) as publisher:
        publisher.publish("t", [(b"A07", b"one"), (None, b"two")])
        assert sorted(values(EventLog(tmp_path / "log.db"), "t")) == [b"one", b"two"]  # type: ignore[type-var]


def test_local_commits_are_synced_to_disk(tmp_path: Path) -> None:
    with open_publisher(make_address(tmp_path / "log.db")) as publisher:
        assert isinstance(publisher, LocalPublisher)
        assert publisher._log._db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_threads_that_publish_together_lose_nothing_and_share_transactions(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log.db")
    transactions = 0
    append = log.append

    def counting(entries: Any) -> Any:
        nonlocal transactions
        transactions += 1
        return append(entries)

    log.append = counting  # type: ignore[method-assign]
    publisher = LocalPublisher(log)
    everyone_waits = threading.Barrier(8)

    def work(number: int) -> None:
        everyone_waits.wait()
        for turn in range(20):
            publisher.publish("t", [(b"k", b"%d:%d" % (number, turn))])

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(values(EventLog(tmp_path / "log.db"), "t"))) == 160
    assert transactions < 160


def test_a_log_that_cannot_be_written_is_said_to_every_caller(tmp_path: Path) -> None:
    publisher = LocalPublisher(EventLog(tmp_path / "log.db"))
    publisher._log._db.execute("PRAGMA query_only = on")
    for _ in range(2):
        with pytest.raises(LogError, match="cannot be written"):
            publisher.publish("t", [(b"k", b"v")])
    publisher._log._db.execute("PRAGMA query_only = off")
    publisher.publish("t", [(b"k", b"v")])
    assert values(EventLog(tmp_path / "log.db"), "t") == [b"v"]


def test_a_closed_publisher_refuses(tmp_path: Path) -> None:
    publisher = open_publisher(make_address(tmp_path / "log.db"))
    publisher.close()
    with pytest.raises(LogError, match="closed"):
        publisher.publish("t", [(b"k", b"v")])


class FakeKafka:
    """Stands for an aiokafka producer with 4 partitions."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, bytes]] = []
        self.starts = 0
        self.away = False
        self.silent = False
        self.stopped = False

    async def start(self) -> None:
        self.starts += 1
        if self.away:
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        self.stopped = True

    async def send(self, topic: str, value: bytes, key: bytes | None = None) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((topic, DefaultPartitioner()(key, [0, 1, 2, 3], [0, 1, 2, 3]), value))
        if not self.silent:
            done.set_result(None)
        return done


def test_kafka_gets_the_same_partitions_as_the_local_log() -> None:
    kafka = FakeKafka()
    with KafkaPublisher(["h:1"], make_producer=lambda _: kafka) as publisher:
        publisher.publish("t", [(f"窗口{n}".encode(), b"v") for n in range(20)])
        publisher.publish("t", [(b"x", b"v")])
    assert [sent[1] for sent in kafka.sent[:20]] == [partition_for(f"窗口{n}".encode(), 4) for n in range(20)]
    assert (kafka.starts, kafka.stopped) == (1, True)


def test_a_kafka_that_is_away_is_said_and_tried_again() -> None:
    kafka = FakeKafka()
    kafka.away = True
    with KafkaPublisher(["h:1"], make_producer=lambda _: kafka) as publisher:
        with pytest.raises(LogError, match="h:1"):
            publisher.publish("t", [(b"k", b"v")])
        kafka.away = False
        publisher.publish("t", [(b"k", b"v")])
    assert len(kafka.sent) == 1


def test_a_kafka_that_does_not_confirm_is_no_success() -> None:
    kafka = FakeKafka()
    kafka.silent = True
    publisher = KafkaPublisher(["h:1"], timeout=0.05, make_producer=lambda _: kafka)
    with publisher, pytest.raises(LogError, match="did not take"):
        publisher.publish("t", [(b"k", b"v")])


def test_the_real_kafka_producer_waits_for_all_replicas() -> None:
    async def made() -> Any:
        from streams.publisher import _idempotent_producer

        return _idempotent_producer(["h:1"])

    producer = asyncio.run(made())
    assert producer._txn_manager is not None  # idempotence
    assert producer._sender._acks == -1


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://h", ["h:9092"]),
        ("kafka://h1:1;kafka://h2:2", ["h1:1", "h2:2"]),
        ("kafka://h1:1;h2:2", ["h1:1", "h2:2"]),
        ("kafka://[::1]:9093", ["[::1]:9093"]),
    ],
)
def test_kafka_addresses(url: str, servers: list[str]) -> None:
    assert kafka_servers(url) == servers


@pytest.mark.parametrize("url", ["redis://h", "kafka://", "log.db", ""])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="broker"):
        open_publisher(url)
