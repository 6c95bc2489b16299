"""Topics on Kafka: what is there, what is missing, making it. Used by ``mingjing topics`` and before a worker starts."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from domain.errors import LogError, LogRefusedError
from streams.kafka_access import knock, require_topics, topic_refusal
from streams.kafka_security import KafkaSecurity
from streams.topic_plan import TopicPlan, TopicState

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
#: How long new topics may take until every broker knows the leaders of all partitions.
VISIBLE_SECONDS = 20.0
#: Codes of Kafka's protocol: the kind of a resource, and errors.
_TOPIC, _BROKER = 2, 4
_TOPIC_EXISTS, _BAD_REPLICATION = 36, 38


class KafkaAdmin:
    """Asks and changes a cluster; an async context manager.

    Raises:
        LogRefusedError: Kafka does not let us in.
        LogError: it does not answer.
    """

    def __init__(self, servers: Sequence[str], security: KafkaSecurity | None = None) -> None:
        self.servers, self._security = list(servers), security or KafkaSecurity()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        from aiokafka.admin import AIOKafkaAdminClient

        await knock(self.servers, self._security)
        self._client = AIOKafkaAdminClient(
            bootstrap_servers=self.servers,
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
            **self._security.client_options(),
        )
        with self._clear_errors():
            await self._client.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    @contextmanager
    def _clear_errors(self, topic: str = "") -> Iterator[None]:
        from aiokafka.errors import KafkaError

        try:
            yield
        except (KafkaError, OSError, TimeoutError) as error:
            if sentence := topic_refusal(error, topic):
                raise LogRefusedError(sentence) from error
            raise LogError(f"Kafka at {', '.join(self.servers)} does not answer: {error!r}") from error

    # -- asking

    async def brokers(self) -> list[int]:
        """Ids of the brokers that are there."""
        with self._clear_errors():
            found = await self._client.describe_cluster()
        return sorted(int(broker["node_id"]) for broker in found["brokers"])

    async def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Those of the topics that exist; asking makes none.

        Raises:
            LogRefusedError: one of them may not be seen by us.
        """
        from aiokafka.errors import UnknownTopicOrPartitionError, for_code

        placed: dict[str, tuple[int, int]] = {}
        for code, name, partitions in await self._metadata(names):
            if code == UnknownTopicOrPartitionError.errno:
                continue
            if sentence := topic_refusal(for_code(code)(), name):
                raise LogRefusedError(sentence)
            placed[name] = len(partitions), min((len(copies) for _, copies in partitions), default=0)
        settings = await self._settings(_TOPIC, placed)
        return {name: TopicState(name, *numbers, settings.get(name, {})) for name, numbers in placed.items()}

    async def broker_settings(self) -> dict[str, dict[str, str]]:
        """Settings by broker id; empty where we may not see them."""
        return await self._settings(_BROKER, [str(broker) for broker in await self.brokers()])

    async def _metadata(
        self, names: Iterable[str], node: int | None = None
    ) -> list[tuple[int, str, list[Any]]]:
        """(error code, topic, [(leader, replicas)]) as one broker knows it."""
        from aiokafka.protocol.metadata import MetadataRequest

        client = self._client._client
        request = MetadataRequest(list(names), allow_auto_topic_creation=False)
        with self._clear_errors():
            answer = await client.send(client.get_random_node() if node is None else node, request)
        return [
            (code, name, [(leader, replicas) for _, _, leader, replicas, *_ in partitions])
            for code, name, _, partitions in answer.topics
        ]

    async def _settings(self, kind: int, names: Iterable[str]) -> dict[str, dict[str, str]]:
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        resources = [ConfigResource(ConfigResourceType(kind), name) for name in names]
        if not resources:
            return {}
        with self._clear_errors():
            answers = await self._client.describe_configs(resources)
        return {
            name: {key: value for key, value, *_ in entries}
            for answer in answers
            for code, _, _, name, entries in answer.resources
            if code == 0
        }

    # -- changing

    async def create(self, plans: Sequence[TopicPlan]) -> None:
        """Makes topics; returns when every broker knows them. One that appeared meanwhile is no fault.

        Raises:
            LogRefusedError: Kafka will not make one of them, with its reason.
        """
        from aiokafka.admin import NewTopic
        from aiokafka.errors import for_code

        if not plans:
            return
        new = [
            NewTopic(plan.name, plan.partitions, plan.replication, topic_configs=dict(plan.settings))
            for plan in plans
        ]
        with self._clear_errors():
            answer = await self._client.create_topics(new)
        for name, code, reason in answer.topic_errors:
            if code == _BAD_REPLICATION:
                wanted = next(plan.replication for plan in plans if plan.name == name)
                there = len(await self.brokers())
                raise LogRefusedError(
                    f"topic '{name}' cannot have {wanted} copies: {there} brokers are there (--replication, --tier)"
                )
            if code not in (0, _TOPIC_EXISTS):
                error = for_code(code)()
                raise LogRefusedError(
                    topic_refusal(error, name) or f"Kafka does not make topic '{name}': {reason or error}"
                )
        await self._until_known({plan.name: plan.partitions for plan in plans})

    async def raise_partitions(self, name: str, total: int) -> None:
        """Adds partitions to a topic. Keys move to other partitions.

        Raises:
            LogRefusedError: we may not.
        """
        from aiokafka.admin import NewPartitions

        with self._clear_errors(name):
            await self._client.create_partitions({name: NewPartitions(total)})
        await self._until_known({name: total})

    async def _until_known(self, partitions: dict[str, int]) -> None:
        try:
            async with asyncio.timeout(VISIBLE_SECONDS):
                for broker in await self.brokers():
                    while not await self._knows(broker, partitions):
                        await asyncio.sleep(0.05)
        except TimeoutError:
            raise LogError(
                f"Kafka has taken the topics {', '.join(partitions)}, but has no leaders for them after"
                f" {VISIBLE_SECONDS:.0f} s; `mingjing topics check` says more"
            ) from None

    async def _knows(self, broker: int, partitions: dict[str, int]) -> bool:
        found = await self._metadata(partitions, broker)
        return all(
            code == 0 and len(places) >= partitions[name] and all(leader >= 0 for leader, _ in places)
            for code, name, places in found
        )


def wait_for_kafka(
    servers: Sequence[str],
    security: KafkaSecurity,
    topics: Sequence[str],
    stop: threading.Event,
    *,
    make: Sequence[TopicPlan] = (),
    pause: float = 1.0,
    longest: float = 10.0,
) -> None:
    """Returns when Kafka lets us in and has the topics, or when ``stop`` is set.

    Args:
        make: those of the topics that are made here where they are missing.

    A worker asks this first: its own client would end with a page of traces, and its consumer asks for topics in a
    way in which brokers may make them.

    Raises:
        LogRefusedError: waiting does not help.
        SettingsError: a file of the security cannot be used.
    """
    while not stop.is_set():
        try:
            asyncio.run(_ready(servers, security, topics, make))
            return
        except LogRefusedError:
            raise
        except LogError as error:
            log.warning("%s; trying again in %g s", error, pause)
        stop.wait(pause)
        pause = min(2 * pause, longest)


async def _ready(
    servers: Sequence[str], security: KafkaSecurity, topics: Sequence[str], make: Sequence[TopicPlan]
) -> None:
    async with KafkaAdmin(servers, security) as admin:
        if make:
            there = await admin.topics(plan.name for plan in make)
            await admin.create([plan for plan in make if plan.name not in there])
        if topics:
            with admin._clear_errors():
                await require_topics(admin._client._client, topics)
