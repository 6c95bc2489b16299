"""Looking at a cluster from outside: topics, their ends, what a group has committed, who is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

T = TypeVar("T")
Place = tuple[str, int]


def make_topics(servers: Sequence[str], names: Iterable[str], partitions: int, copies: int = 1) -> None:
    topics = [NewTopic(name, partitions, copies) for name in names]
    _admin(servers, lambda admin: admin.create_topics(topics))


def committed(servers: Sequence[str], group: str) -> dict[Place, int]:
    """Offsets a group has committed; the next it would read."""
    found: Mapping[Any, Any] = _admin(servers, lambda admin: admin.list_consumer_group_offsets(group))
    return {(tp.topic, tp.partition): data.offset for tp, data in found.items() if data.offset >= 0}


def members(servers: Sequence[str], group: str) -> tuple[str, list[str]]:
    """The group's state (``Stable``, ``PreparingRebalance`` …) and the ids of its members."""
    (answer,) = _admin(servers, lambda admin: admin.describe_consumer_groups([group]))
    (found,) = answer.groups
    return found[2], [member[0] for member in found[5]]


def records(servers: Sequence[str], topic: str) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """All (key, value) of a topic by partition."""

    async def read() -> dict[int, list[tuple[bytes | None, bytes | None]]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=list(servers), auto_offset_reset="earliest")
        await consumer.start()
        try:
            numbers = sorted(consumer.partitions_for_topic(topic) or ())
            places = [TopicPartition(topic, number) for number in numbers]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found: dict[int, list[tuple[bytes | None, bytes | None]]] = {number: [] for number in numbers}
            for place in places:
                while len(found[place.partition]) < ends[place]:
                    async with asyncio.timeout(20):
                        record = await consumer.getone(place)
                    found[place.partition].append((record.key, record.value))
            return found
        finally:
            await consumer.stop()

    return asyncio.run(read())


def _admin(servers: Sequence[str], ask: Callable[[Any], Awaitable[T]]) -> T:
    async def asked() -> T:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(servers))
        await admin.start()
        try:
            return await ask(admin)
        finally:
            await admin.close()

    return asyncio.run(asked())
