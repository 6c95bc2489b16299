"""What processes need, asked for ``/readyz``. Each answer is None or a reason without addresses."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg

from mingjing.health import Need
from store.connection import Connection, connect
from store.migrate import load_migrations, schema_version

#: Seconds a question may take; a probe usually waits three to five.
SECONDS = 2.0
#: Below this the local log may refuse the next event.
LEAST_FREE = 16_000_000


class DatabaseNeed:
    """The database answers and has the schema this program knows. Keeps its connection between two questions."""

    def __init__(self, dsn: str, *, connector: Callable[..., Connection] = connect) -> None:
        self._dsn, self._connector = dsn, connector
        self._connection: Connection | None = None
        self._newest = len(load_migrations())

    def __call__(self) -> str | None:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connector(
                    self._dsn, application="mingjing health", autocommit=True, statement_timeout=SECONDS
                )
            version = schema_version(self._connection)
        except psycopg.Error as error:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            return f"does not answer ({type(error).__name__})"
        return f"schema {version} of {self._newest}: mingjing migrate" if version < self._newest else None


def log_need(broker_url: str) -> Need:
    """The log can be reached: the local file's folder can be written, or one of Kafka's brokers takes a connection."""
    if broker_url.startswith("local:"):
        from streams.local_transport import parse_address

        return lambda: _local_log(Path(parse_address(broker_url).path))
    from streams.publisher import kafka_servers

    servers = kafka_servers(broker_url)
    return lambda: _any_broker(servers)


def _local_log(file: Path) -> str | None:
    place = file if file.exists() else file.parent
    if not os.access(place, os.R_OK | os.W_OK):
        return "the local log cannot be written"
    free = shutil.disk_usage(file.parent).free
    return f"only {free // 1_000_000} MB are free for the local log" if free < LEAST_FREE else None


def _any_broker(servers: list[str]) -> str | None:
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS / len(servers)):
                return None
        except OSError:
            continue
    return "no broker takes a connection"
