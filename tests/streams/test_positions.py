"""After a restore the worker's group stands on Kafka where it stood when the backup was made."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from domain.errors import LogError
from streams.positions import read_positions, rewind
from streams.settings import StreamSettings
from tests.kafka.cluster import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.process]


async def consume(servers: list[str], topic: str, group: str, count: int) -> list[bytes]:
    """Reads so many messages as a member of the group, commits, leaves."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        found = [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]
        await consumer.commit()
    finally:
        await consumer.stop()
    return found


def test_a_group_is_set_back_to_where_it_stood(kafka: KafkaCluster, topic_prefix: str) -> None:
    topic, group = f"{topic_prefix}case-events", f"{topic_prefix}mingjing"
    settings = StreamSettings(broker=kafka.url, group=group)

    async def fill() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=kafka.servers) as producer:
            for number in range(5):
                await producer.send_and_wait(topic, b"%d" % number, partition=0)

    assert read_positions(settings) == {}
    asyncio.run(fill())
    assert asyncio.run(consume(kafka.servers, topic, group, 2)) == [b"0", b"1"]
    positions = read_positions(settings)
    assert positions == {topic: {0: 2}}
    assert asyncio.run(consume(kafka.servers, topic, group, 3)) == [b"2", b"3", b"4"]
    rewind(settings, positions)
    assert read_positions(settings) == positions
    assert asyncio.run(consume(kafka.servers, topic, group, 3)) == [b"2", b"3", b"4"]


def test_a_group_that_is_in_use_is_not_touched(kafka: KafkaCluster, topic_prefix: str) -> None:
    topic, group = f"{topic_prefix}case-events", f"{topic_prefix}mingjing"

    async def attempt() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await admin.close()
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.servers, group_id=group)
        await consumer.start()
        try:
            while not consumer.assignment():
                await asyncio.sleep(0.05)
            with pytest.raises(LogError, match="is a worker running"):
                await asyncio.to_thread(
                    rewind, StreamSettings(broker=kafka.url, group=group), {topic: {0: 0}}
                )
        finally:
            await consumer.stop()

    asyncio.run(attempt())
