"""Putting messages into the log from outside Faust: the doors, the camera runner, the simulator.

``publish`` returns when the messages are durable in the log, and only then may a door say so. Keys land on the same
partition on both kinds of log.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from yarl import URL

from domain.errors import LogError, SettingsError
from streams.local_transport import Entry, EventLog, parse_address

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

Message = tuple[bytes | None, bytes]


class Publisher(Protocol):
    """Thread-safe; a context manager that closes."""

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Returns when all (key, value) pairs are durable in the log.

        Raises:
            LogError: some or all of them may not be; publish them again (readers recognise what comes twice).
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_publisher(broker_url: str, *, partitions: int = 4) -> Publisher:
    """The publisher for ``local:///path/log.db`` or ``kafka://host:9092[;kafka://host2:9092]``.

    Args:
        partitions: of topics that do not exist yet (local log only).

    Raises:
        SettingsError: another address.
        LogError: the local file cannot be opened. A Kafka that is away is only noticed by ``publish``.
    """
    if broker_url.startswith("local:"):
        address = parse_address(broker_url)
        return LocalPublisher(
            EventLog(address.path, durable=True, partitions=address.partitions or partitions)
        )
    return KafkaPublisher(kafka_servers(broker_url))


def kafka_servers(broker_url: str) -> list[str]:
    """``host:port`` of each broker in a Faust address.

    Raises:
        SettingsError: not a Kafka address.
    """
    servers: list[str] = []
    for part in broker_url.split(";"):
        url = URL(f"kafka://{part}" if servers and "://" not in part else part)
        if url.scheme not in ("kafka", "aiokafka", "confluent") or not url.host:
            raise SettingsError(f"broker '{broker_url}': expected local:///path/log.db or kafka://host:9092")
        host = f"[{url.host}]" if ":" in url.host else url.host
        servers.append(f"{host}:{url.port or 9092}")
    return servers


class _Closing:
    """``with`` for publishers."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Waiting:
    """One caller's entries on their way into the log."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.done = False
        self.error: LogError | None = None


class LocalPublisher(_Closing):
    """Appends to the SQLite log, synced to disk.

    Threads that publish at the same time share a transaction: whoever gets the lock writes for all who wait, so that
    the cost of a sync is shared too.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        mine = _Waiting([Entry(topic, key, value) for key, value in messages])
        with self._queue_lock:
            self._queue.append(mine)
        with self._write_lock:
            if not mine.done:
                self._write_all()
        if mine.error is not None:
            raise LogError(str(mine.error)) from mine.error

    def _write_all(self) -> None:
        with self._queue_lock:
            group, self._queue = self._queue, []
        error: LogError | None = None
        try:
            if self._closed:
                raise LogError("the publisher is closed")
            self._log.append([entry for waiting in group for entry in waiting.entries])
        except LogError as raised:
            error = raised
        finally:
            for waiting in group:
                waiting.error, waiting.done = error, True

    def close(self) -> None:
        with self._write_lock:
            self._closed = True
            self._log.close()


class KafkaPublisher(_Closing):
    """An aiokafka producer (acks=all, idempotent) in a thread of its own.

    The connection is made by the first ``publish`` and again after a failure, so that a door can start, and answer
    503, while Kafka is away.

    Args:
        servers: ``host:port`` of the brokers.
        timeout: seconds until ``publish`` gives up.
        make_producer: seam for tests; called inside the thread's event loop.
    """

    def __init__(
        self,
        servers: list[str],
        *,
        timeout: float = 30.0,
        make_producer: Callable[[list[str]], Any] | None = None,
    ) -> None:
        self._servers, self._timeout = servers, timeout
        self._make = make_producer or _idempotent_producer
        self._producer: Any = None
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._starting = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-publisher", daemon=True)
        self._thread.start()

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self._closed:
            raise LogError("the publisher is closed")
        self._run(asyncio.wait_for(self._send(topic, messages), self._timeout), self._timeout + 1)

    def _run(self, work: Awaitable[None], timeout: float) -> None:
        from aiokafka.errors import KafkaError

        async def awaited() -> None:
            await work

        future = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        try:
            future.result(timeout)
        except (KafkaError, OSError, TimeoutError) as error:
            raise LogError(
                f"Kafka at {', '.join(self._servers)} did not take the messages: {error!r}"
            ) from error

    async def _send(self, topic: str, messages: Sequence[Message]) -> None:
        producer = await self._started()
        sent = [await producer.send(topic, value, key=key) for key, value in messages]
        await asyncio.gather(*sent)

    async def _started(self) -> Any:
        async with self._starting:
            if self._producer is None:
                producer = self._make(self._servers)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True

        async def stop() -> None:
            if self._producer is not None:
                await self._producer.stop()

        try:
            self._run(asyncio.wait_for(stop(), self._timeout), self._timeout + 1)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)


def _idempotent_producer(servers: list[str]) -> AIOKafkaProducer:
    from aiokafka import AIOKafkaProducer

    return AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        compression_type="gzip",
        max_request_size=4_194_304,  # before compression; a line may have 1 MB
    )
