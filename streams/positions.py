"""How far the worker's group has read Kafka, and setting it back there after the database was restored from a backup."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CoordinatorLoadInProgressError, GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from domain.errors import LogError
from streams.publisher import kafka_servers
from streams.settings import StreamSettings

#: Topic → partition → next offset to read.
Positions = dict[str, dict[int, int]]
COORDINATOR_TRIES = 40


def read_positions(settings: StreamSettings) -> Positions:
    """What the group has committed; empty for a group that never read.

    Raises:
        LogError: no broker answers, or it refuses.
    """
    return asyncio.run(_read(settings))


def rewind(settings: StreamSettings, positions: Mapping[str, Mapping[int, int]]) -> None:
    """Commits these positions for the group; none of its workers may run.

    Raises:
        LogError: no broker answers, or the group is in use.
    """
    asyncio.run(_rewind(settings, positions))


async def _read(settings: StreamSettings) -> Positions:
    try:
        client = AIOKafkaAdminClient(
            bootstrap_servers=kafka_servers(settings.broker_url), **settings.kafka.client_options()
        )
        await client.start()
        try:
            committed = await _committed(client, settings.group_id)
        finally:
            await client.close()
    except (KafkaError, OSError) as error:
        raise LogError(f"the group '{settings.group_id}' cannot be read from Kafka: {error}") from error
    positions: Positions = {}
    for partition, position in committed.items():
        if position.offset >= 0:
            positions.setdefault(partition.topic, {})[partition.partition] = position.offset
    return positions


async def _committed(client: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    # A cluster that never had a group makes the place for them when it is first asked.
    for _ in range(COORDINATOR_TRIES):
        try:
            return dict(await client.list_consumer_group_offsets(group))
        except (GroupCoordinatorNotAvailableError, CoordinatorLoadInProgressError):
            await asyncio.sleep(0.25)
    return dict(await client.list_consumer_group_offsets(group))


async def _rewind(settings: StreamSettings, positions: Mapping[str, Mapping[int, int]]) -> None:
    offsets = {
        TopicPartition(topic, number): offset
        for topic, partitions in positions.items()
        for number, offset in partitions.items()
    }
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka_servers(settings.broker_url),
        group_id=settings.group_id,
        enable_auto_commit=False,
        **settings.kafka.client_options(),
    )
    try:
        await consumer.start()
        try:
            # Assigned, not subscribed: the broker takes commits from outside only while the group has no member.
            consumer.assign(list(offsets))
            await consumer.commit(offsets)
        finally:
            await consumer.stop()
    except (KafkaError, OSError) as error:
        raise LogError(
            f"the group '{settings.group_id}' cannot be set back (is a worker running?): {error}"
        ) from error
