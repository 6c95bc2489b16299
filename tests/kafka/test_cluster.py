"""The brokers that other tests rely on survive what drills do to them. That they ask for passwords and certificates is in
tests/streams/test_kafka_refusals.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.kafka.cluster import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.process]


async def make_topic(servers: list[str], name: str, copies: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, copies)])
    finally:
        await admin.close()


async def put(servers: list[str], topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    try:
        await producer.start()
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def take(servers: list[str], topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    try:
        await consumer.start()
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


def test_three_brokers_keep_what_they_took_when_one_dies(
    kafka_cluster: Callable[..., KafkaCluster],
) -> None:
    cluster = kafka_cluster(3)
    assert len(cluster.servers) == 3
    asyncio.run(make_topic(cluster.servers, "t", 3))
    asyncio.run(put(cluster.servers, "t", b"one"))
    cluster.kill(0)
    cluster.wait_ready()
    asyncio.run(put(cluster.servers[1:], "t", b"two"))
    cluster.start(0)
    assert asyncio.run(take(cluster.servers[:1], "t", 2)) == [b"one", b"two"]
