"""Looking at a cluster from outside: topics, their ends, what a group has committed, who is in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

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


def ends(servers: Sequence[str], *topics: str) -> dict[Place, int]:
    """The next offset of each partition: how many records were ever written to it."""

    async def ask(consumer: AIOKafkaConsumer) -> dict[Place, int]:
        places = await _places(consumer, topics)
        return {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(places)).items()}

    return _consumer(servers, ask)


def records(servers: Sequence[str], topic: str) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """All (key, value) of a topic by partition."""

    async def read(consumer: AIOKafkaConsumer) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
        places = await _places(consumer, [topic])
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: dict[int, list[tuple[bytes | None, bytes | None]]] = {tp.partition: [] for tp in places}
        async with asyncio.timeout(20):
            for place in places:
                while len(found[place.partition]) < ends[place]:
                    record = await consumer.getone(place)
                    found[place.partition].append((record.key, record.value))
        return found

    return _consumer(servers, read)


async def _places(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    cluster = await consumer._client.fetch_all_metadata()
    known = {topic: cluster.partitions_for_topic(topic) for topic in topics}
    return [TopicPartition(topic, number) for topic in topics for number in sorted(known[topic] or ())]


def _consumer(servers: Sequence[str], ask: Callable[[AIOKafkaConsumer], Awaitable[T]]) -> T:
    async def asked() -> T:
        consumer = AIOKafkaConsumer(bootstrap_servers=list(servers), auto_offset_reset="earliest")
        await consumer.start()
        try:
            return await ask(consumer)
        finally:
            # Its own task, cancelled before its first step, would end us as well.
            with contextlib.suppress(asyncio.CancelledError):
                await consumer.stop()

    return asyncio.run(asked())


def _admin(servers: Sequence[str], ask: Callable[[Any], Awaitable[T]]) -> T:
    async def asked() -> T:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(servers))
        await admin.start()
        try:
            # The first group of a cluster waits until its topic of offsets is made.
            async with asyncio.timeout(20):
                while True:
                    try:
                        return await ask(admin)
                    except GroupCoordinatorNotAvailableError:
                        await asyncio.sleep(0.1)
        finally:
            await admin.close()

    return asyncio.run(asked())
