"""The brokers that other tests rely on: they take and give messages, ask who is there, survive what drills do to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.kafka.cluster import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.process]


async def make_topic(servers: list[str], name: str, copies: int, **security: Any) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, **security)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, copies)])
    finally:
        await admin.close()


async def put(servers: list[str], topic: str, value: bytes, **security: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", **security)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def take(servers: list[str], topic: str, count: int, **security: Any) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", **security)
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


def test_a_cluster_with_sasl_and_tls_asks_who_is_there(kafka_cluster: Callable[..., KafkaCluster]) -> None:
    cluster = kafka_cluster(security="SASL_SSL")
    assert cluster.certificates is not None
    known: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=str(cluster.certificates.ca)),
        "sasl_plain_username": cluster.username,
        "sasl_plain_password": cluster.password,
        "sasl_mechanism": "PLAIN",
    }
    asyncio.run(make_topic(cluster.servers, "t", 1, **known))
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        asyncio.run(put(cluster.servers, "t", mechanism.encode(), **(known | {"sasl_mechanism": mechanism})))
    assert len(asyncio.run(take(cluster.servers, "t", 3, **known))) == 3
    with pytest.raises(KafkaError):
        asyncio.run(put(cluster.servers, "t", b"x", **(known | {"sasl_plain_password": "wrong"})))
    stranger = ssl.create_default_context(cafile=str(cluster.certificates.stranger_ca))
    with pytest.raises(KafkaError):
        asyncio.run(put(cluster.servers, "t", b"x", **(known | {"ssl_context": stranger})))
