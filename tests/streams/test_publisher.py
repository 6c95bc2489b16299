"""Publishing from outside Faust: durable before it returns, shared commits, the same keys on the same partitions."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)
from aiokafka.partitioner import DefaultPartitioner

from domain.errors import LogError, LogRefusedError, MessagesRefusedError, SettingsError
from streams.kafka_producer import make_producer
from streams.kafka_security import KafkaSecurity
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
    """Stands for an aiokafka producer with 4 partitions, and for its client."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, bytes]] = []
        self.starts = self.stops = 0
        self.away = False
        self.silent = False
        self.topic_error = 0
        #: What becomes of the next messages; None is good.
        self.faults: list[BaseException | None] = []
        self.client = self

    def __call__(self, servers: Any, security: Any) -> FakeKafka:
        return self

    async def start(self) -> None:
        self.starts += 1
        if self.away:
            raise KafkaConnectionError("Unable to bootstrap")

    async def stop(self) -> None:
        self.stops += 1

    def get_random_node(self) -> int:
        return 1

    async def send(self, topic: Any, value: Any, key: bytes | None = None) -> Any:
        if topic == 1:  # a request, asked of node 1
            assert value._allow_auto_topic_creation is False
            return SimpleNamespace(topics=[(self.topic_error, name, False, []) for name in value._topics])
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            done.set_exception(fault)
            return done
        self.sent.append((topic, DefaultPartitioner()(key, [0, 1, 2, 3], [0, 1, 2, 3]), value))
        if not self.silent:
            done.set_result(None)
        return done


async def nobody_answers(servers: Any, security: Any) -> None:
    raise LogError(f"no broker of Kafka answers: {', '.join(servers)}")


def kafka_publisher(kafka: FakeKafka, **more: Any) -> KafkaPublisher:
    seams: dict[str, Any] = {"make": kafka, "end": FakeKafka.stop, "ask": nobody_answers}
    return KafkaPublisher(["h:1"], away=more.pop("away", 0.0), **seams, **more)


def test_kafka_gets_the_same_partitions_as_the_local_log() -> None:
    kafka = FakeKafka()
    with kafka_publisher(kafka, prefix="p.") as publisher:
        publisher.publish("t", [(f"窗口{n}".encode(), b"v") for n in range(20)])
        publisher.publish("t", [(b"x", b"v")])
    assert [sent[1] for sent in kafka.sent[:20]] == [partition_for(f"窗口{n}".encode(), 4) for n in range(20)]
    assert {sent[0] for sent in kafka.sent} == {"p.t"}
    assert (kafka.starts, kafka.stops) == (1, 1)


def test_a_kafka_that_is_away_is_said_and_tried_again() -> None:
    kafka = FakeKafka()
    kafka.away = True
    with kafka_publisher(kafka) as publisher:
        with pytest.raises(LogError, match="h:1"):
            publisher.publish("t", [(b"k", b"v")])
        kafka.away = False
        publisher.publish("t", [(b"k", b"v")])
    assert len(kafka.sent) == 1


def test_callers_who_come_while_kafka_is_away_do_not_each_ask_again() -> None:
    kafka = FakeKafka()
    kafka.away = True
    with kafka_publisher(kafka, away=60.0) as publisher:
        for _ in range(5):
            with pytest.raises(LogError, match="no broker of Kafka answers: h:1"):
                publisher.publish("t", [(b"k", b"v")])
    assert kafka.starts == 1


def test_a_kafka_that_does_not_confirm_is_no_success() -> None:
    kafka = FakeKafka()
    kafka.silent = True
    with (
        kafka_publisher(kafka, timeout=0.05) as publisher,
        pytest.raises(LogError, match="did not take 1 messages"),
    ):
        publisher.publish("t", [(b"k", b"v")])


def test_after_one_has_waited_in_vain_the_others_are_told_sooner_until_it_works_again() -> None:
    kafka = FakeKafka()
    kafka.silent = True
    with kafka_publisher(kafka, timeout=0.2, short=0.01) as publisher:
        for seconds in ("0.2", "0.01", "0.01"):
            with pytest.raises(LogError, match=f"in {seconds} s"):
                publisher.publish("t", [(b"k", b"v")])
        kafka.silent = False
        publisher.publish("t", [(b"k", b"v")])
        kafka.silent = True
        with pytest.raises(LogError, match=r"in 0\.2 s"):
            publisher.publish("t", [(b"k", b"v")])


def test_after_a_failure_what_is_unconfirmed_goes_again_in_its_order_through_a_new_producer() -> None:
    kafka = FakeKafka()
    kafka.faults = [None, OutOfOrderSequenceNumber(), None, None]
    with kafka_publisher(kafka) as publisher:
        publisher.publish("t", [(b"k", b"a"), (b"k", b"b"), (b"other", b"x"), (b"k", b"c")])
    # c had overtaken b: it comes once more.
    assert [sent[2] for sent in kafka.sent] == [b"a", b"x", b"c", b"b", b"c"]
    assert kafka.starts == 2


def test_a_message_that_is_too_large_is_named_and_the_others_are_in_the_log() -> None:
    kafka = FakeKafka()
    # Three share a batch, which is refused as a whole; then each goes alone, and one is refused again.
    kafka.faults = [*[MessageSizeTooLargeError() for _ in range(3)], None, MessageSizeTooLargeError(), None]
    with kafka_publisher(kafka) as publisher:
        with pytest.raises(MessagesRefusedError) as caught:
            publisher.publish("t", [(b"k", b"a"), (b"k", b"b" * 1999), (b"k", b"c")])
        assert list(caught.value.reasons) == [1]
        assert "2,000 bytes" in caught.value.reasons[1]
        assert "max.message.bytes" in caught.value.reasons[1]
        publisher.publish("t", [(b"k", b"d")])
    assert [sent[2] for sent in kafka.sent] == [b"a", b"c", b"d"]
    # A refused one leaves a gap in a producer's numbers: no producer is used after it.
    assert (kafka.starts, kafka.stops) == (4, 4)


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "no topic 'p.t': `mingjing topics create`"), (29, "MINGJING_KAFKA_USERNAME"), (17, "no name")],
)
def test_a_topic_that_is_not_for_us_is_said_at_once_and_never_asked_into_being(code: int, words: str) -> None:
    kafka = FakeKafka()
    kafka.topic_error = code
    with kafka_publisher(kafka, prefix="p.") as publisher:
        with pytest.raises(LogRefusedError, match=words):
            publisher.publish("t", [(b"k", b"v")])
        kafka.topic_error = 0
        publisher.publish("t", [(b"k", b"v")])  # once it is mended no restart is needed
    assert len(kafka.sent) == 1


def test_a_right_that_is_missing_is_said_at_once() -> None:
    kafka = FakeKafka()
    kafka.faults = [TopicAuthorizationFailedError("t")]
    with kafka_publisher(kafka) as publisher, pytest.raises(LogRefusedError, match=r"rights .*Write"):
        publisher.publish("t", [(b"k", b"v")])


def test_the_real_kafka_producer_waits_for_all_replicas() -> None:
    async def made() -> Any:
        return make_producer(["h:1"], KafkaSecurity())

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


@pytest.mark.parametrize("url", ["redis://h", "kafka://", "log.db", "", "kafka://me:secret@h:1"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="broker") as caught:
        open_publisher(url)
    assert "secret" not in str(caught.value)
