"""Putting messages into the log from outside Faust: the doors, the camera runner, the simulator.

``publish`` returns when the messages are durable in the log, and only then may a door say so. Keys land on the same
partition on both kinds of log.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Protocol, Self

from domain.errors import LogError
from streams.kafka_access import kafka_servers
from streams.kafka_publisher import KafkaPublisher, Message
from streams.kafka_security import KafkaSecurity
from streams.local_transport import Entry, EventLog, parse_address
from streams.local_transport.moved import join_users, refuse_moved

__all__ = ["KafkaPublisher", "LocalPublisher", "Message", "Publisher", "kafka_servers", "open_publisher"]


class Publisher(Protocol):
    """Thread-safe; a context manager that closes."""

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Returns when all (key, value) pairs are durable in the log.

        Raises:
            MessagesRefusedError: the log will never take some of them; the others are durable.
            LogRefusedError: it takes none of them until somebody mends what the sentence names.
            LogError: some or all of them may not be there; publish them again (readers recognise what comes twice).
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_publisher(
    broker_url: str, *, partitions: int = 4, security: KafkaSecurity | None = None, prefix: str = ""
) -> Publisher:
    """The publisher for ``local:///path/log.db`` or ``kafka://host:9092[;kafka://host2:9092]``.

    Args:
        partitions: of topics that do not exist yet (local log only).
        security: of the connection to Kafka.
        prefix: of every topic's name.

    Raises:
        SettingsError: another address.
        LogError: the local file cannot be opened, or its records went over to Kafka. A Kafka that is away is only noticed by ``publish``.
    """
    if broker_url.startswith("local:"):
        address = parse_address(broker_url)
        log = EventLog(address.path, durable=True, partitions=address.partitions or partitions)
        refuse_moved(log)
        return LocalPublisher(log, prefix=prefix, user=join_users(address.path))
    return KafkaPublisher(kafka_servers(broker_url), security=security, prefix=prefix)


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

    def __init__(self, log: EventLog, *, prefix: str = "", user: int | None = None) -> None:
        self._log, self._prefix, self._user = log, prefix, user
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        mine = _Waiting([Entry(self._prefix + topic, key, value) for key, value in messages])
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
            if self._user is not None:
                os.close(self._user)
                self._user = None
