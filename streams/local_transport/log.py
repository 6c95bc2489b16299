"""A durable, partitioned log in one SQLite file (WAL): append, read, commit offsets, trim.

Several processes append (door, camera runner, simulator), one worker per group reads. What ``append`` returned survives
``kill -9`` of the process: it lies in the file's write-ahead log. With ``durable=True`` it is also synced
to the disk first (``synchronous=FULL``) and so survives power loss, as far as the disk keeps its word.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aiokafka.partitioner import DefaultPartitioner, murmur2

from domain.errors import LogError

SCHEMA_VERSION = 1
DEFAULT_PARTITIONS = 4

#: Record ids are ``partition id << OFFSET_BITS | offset``: one clustered tree, and reading a partition is a range scan.
OFFSET_BITS = 40

_SCHEMA = """
CREATE TABLE IF NOT EXISTS part (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, next_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
);
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, key BLOB, value BLOB, headers TEXT
);
CREATE TABLE IF NOT EXISTS committed (
    consumer_group TEXT NOT NULL, part INTEGER NOT NULL REFERENCES part (id), next_offset INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, part)
) WITHOUT ROWID;
"""

Partition = tuple[str, int]
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to append; ``partition`` None means by the key, ``timestamp_ms`` None means now."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    timestamp_ms: int | None = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One message as it lies in the log."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@lru_cache(maxsize=65536)
def _keyed_partition(key: bytes, count: int) -> int:
    return (int(murmur2(key)) & 0x7FFFFFFF) % count


def partition_for(key: bytes | None, count: int) -> int:
    """The partition Kafka's client would choose for ``key`` among ``count`` (random without a key)."""
    if key is None:
        numbers = list(range(count))
        return int(DefaultPartitioner()(None, numbers, numbers))
    return _keyed_partition(key, count)


class EventLog:
    """One connection to the log file. Not for concurrent use: give each thread its own, or hold a lock.

    Args:
        path: the file; made with its folder where missing, readable by its owner only.
        durable: sync every commit to disk.
        partitions: for topics that do not exist yet; an existing topic keeps its number.
        busy_timeout: seconds to wait for another writer.
        now: seconds since the epoch, for records without a timestamp.

    Raises:
        LogError: the file cannot be opened, or is not one of ours.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        durable: bool = False,
        partitions: int = DEFAULT_PARTITIONS,
        busy_timeout: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        if partitions < 1:
            raise LogError(f"the event log needs at least 1 partition, not {partitions}")
        self.path = Path(path)
        self.partitions = partitions
        self._now = now
        self._parts: dict[Partition, int] = {}
        self._counts: dict[str, int] = {}
        self._data_version = -1
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._create()
        except OSError as error:
            raise LogError(f"the event log {self.path} cannot be opened: {error.strerror}") from error
        with self._clear_errors("opened"):
            self._db = sqlite3.connect(
                self.path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
            )
            self._prepare(durable, busy_timeout)

    def _create(self) -> None:
        # Made by us, so that the log and its -wal (which copies its mode) hold no names for others to read. Only where
        # there is none: closing any other handle of an open database drops the locks this process holds on it (POSIX), and
        # another process would then take itself for the last one and delete the -wal under us.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _prepare(self, durable: bool, busy_timeout: float) -> None:
        if self._db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._switch_to_wal(time.monotonic() + busy_timeout)
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._db.execute("PRAGMA journal_size_limit = 67108864")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise LogError(
                f"the event log {self.path} was written by a newer version (format {version}, this program knows {SCHEMA_VERSION})"
            )
        if version < SCHEMA_VERSION:
            with self._transaction("prepared"):
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _switch_to_wal(self, give_up_at: float) -> None:
        # Changing the journal mode ignores the busy timeout; two processes may start on a new file at once.
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _clear_errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(f"the event log {self.path} cannot be {doing}: {error}") from error

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with self._clear_errors(doing):
            # IMMEDIATE waits for other writers by the busy timeout; a later upgrade from reading would fail at once.
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._forget()
                raise

    def _forget(self) -> None:
        self._parts.clear()
        self._counts.clear()

    # -- topics

    def partition_count(self, topic: str) -> int | None:
        """How many partitions the topic has; None if it does not exist."""
        if topic not in self._counts:
            with self._clear_errors("read"):
                rows = self._db.execute("SELECT number, id FROM part WHERE topic = ?", (topic,)).fetchall()
            if not rows:
                return None
            self._parts.update({(topic, number): part for number, part in rows})
            self._counts[topic] = len(rows)
        return self._counts[topic]

    def ensure_topic(self, topic: str, partitions: int | None = None) -> int:
        """Makes the topic where missing and returns its number of partitions (the first to make it decides)."""
        count = self.partition_count(topic)
        if count is None:
            with self._transaction("written"):
                count = self._make_topic(topic, partitions)
        return count

    def _make_topic(self, topic: str, partitions: int | None = None) -> int:
        count = self.partition_count(topic)
        if count is None:
            numbers = range(partitions or self.partitions)
            self._db.executemany(
                "INSERT INTO part (topic, number) VALUES (?, ?)", [(topic, n) for n in numbers]
            )
            count = self.partition_count(topic)
            assert count is not None
        return count

    def _part(self, topic: str, number: int) -> int:
        count = self.partition_count(topic)
        if count is None or not 0 <= number < count:
            raise LogError(f"the event log {self.path} has no partition {number} of topic '{topic}'")
        return self._parts[topic, number]

    # -- writing

    def append(self, entries: Sequence[Entry]) -> list[tuple[int, int]]:
        """Appends all entries in one transaction, or none.

        Returns:
            (partition, offset) of each entry, in order. When this returns, the entries are in the log.

        Raises:
            LogError: nothing was written (disk full, another writer holds the file too long, …).
        """
        placed: list[tuple[int, int]] = []
        if not entries:
            return placed
        now_ms = int(self._now() * 1000)
        with self._transaction("written"):
            heads: dict[int, int] = {}
            rows = []
            for entry in entries:
                count = self._make_topic(entry.topic)
                number = entry.partition if entry.partition is not None else partition_for(entry.key, count)
                part = self._part(entry.topic, number)
                offset = heads[part] if part in heads else self._head(part)
                heads[part] = offset + 1
                stamp = now_ms if entry.timestamp_ms is None else entry.timestamp_ms
                headers = json.dumps([[k, v.hex()] for k, v in entry.headers]) if entry.headers else None
                rows.append((part << OFFSET_BITS | offset, stamp, entry.key, entry.value, headers))
                placed.append((number, offset))
            self._db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)
            self._db.executemany(
                "UPDATE part SET next_offset = ? WHERE id = ?", [(head, part) for part, head in heads.items()]
            )
        return placed

    def _head(self, part: int) -> int:
        return int(self._db.execute("SELECT next_offset FROM part WHERE id = ?", (part,)).fetchone()[0])

    # -- reading

    def changed(self) -> bool:
        """True if another connection committed since the last call (costs microseconds)."""
        with self._clear_errors("read"):
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
        known, self._data_version = self._data_version, version
        return bool(version != known)

    def heads(self) -> dict[Partition, int]:
        """The next offset (end of log) of every partition."""
        with self._clear_errors("read"):
            rows = self._db.execute("SELECT topic, number, next_offset FROM part").fetchall()
        return {(topic, number): head for topic, number, head in rows}

    def earliest(self, topic: str, number: int) -> int:
        """The first offset still there; of an emptied partition its head."""
        part = self._part(topic, number)
        with self._clear_errors("read"):
            first = self._db.execute(
                "SELECT min(id) FROM record WHERE id >= ? AND id < ?",
                (part << OFFSET_BITS, part + 1 << OFFSET_BITS),
            ).fetchone()[0]
            return self._head(part) if first is None else int(first - (part << OFFSET_BITS))

    def read(self, topic: str, number: int, offset: int, limit: int) -> list[Record]:
        """Up to ``limit`` records from ``offset`` on, in order."""
        part = self._part(topic, number)
        low = part << OFFSET_BITS
        with self._clear_errors("read"):
            rows = self._db.execute(
                "SELECT id, timestamp_ms, key, value, headers FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                (low + offset, part + 1 << OFFSET_BITS, limit),
            ).fetchall()
        return [
            Record(
                row_id - low,
                stamp,
                key,
                value,
                tuple((k, bytes.fromhex(v)) for k, v in json.loads(headers)) if headers else (),
            )
            for row_id, stamp, key, value, headers in rows
        ]

    # -- groups

    def commit(self, group: str, offsets: Mapping[Partition, int]) -> None:
        """Notes for ``group`` the next offset to read of each partition."""
        rows = [(group, self._part(*partition), offset) for partition, offset in offsets.items()]
        with self._transaction("written"):
            self._db.executemany("INSERT OR REPLACE INTO committed VALUES (?, ?, ?)", rows)

    def committed(self, group: str) -> dict[Partition, int]:
        """The next offset to read, for the partitions ``group`` ever committed."""
        with self._clear_errors("read"):
            rows = self._db.execute(
                "SELECT topic, number, committed.next_offset FROM committed JOIN part ON part.id = part WHERE consumer_group = ?",
                (group,),
            ).fetchall()
        return {(topic, number): offset for topic, number, offset in rows}

    # -- retention

    def trim(self, before_ms: int, limit: int = 2000) -> int:
        """Drops up to ``limit`` old records that every group has consumed; a partition nobody consumes stays whole.

        Call until it returns 0; each call is one short transaction.

        Args:
            before_ms: only records appended before this (ms since the epoch).
        """
        with self._clear_errors("read"):
            floors = self._db.execute("SELECT part, min(next_offset) FROM committed GROUP BY part").fetchall()
        spans = list(self._droppable(floors, before_ms, limit))
        dropped = 0
        if spans:
            with self._transaction("trimmed"):
                for first, last in spans:
                    dropped += self._db.execute(
                        "DELETE FROM record WHERE id BETWEEN ? AND ?", (first, last)
                    ).rowcount
            with self._clear_errors("trimmed"):
                # As a script: execute() would step the statement once, which gives back a single page.
                self._db.executescript("PRAGMA incremental_vacuum(256)")
        return dropped

    def _droppable(
        self, floors: Iterable[tuple[int, int]], before_ms: int, limit: int
    ) -> Iterator[tuple[int, int]]:
        for part, floor in floors:
            low = part << OFFSET_BITS
            with self._clear_errors("read"):
                rows = self._db.execute(
                    "SELECT id, timestamp_ms FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                    (low, low + floor, limit),
                ).fetchall()
            # Only a run from the front goes: a hole inside a partition would look like messages not yet acknowledged.
            last = None
            for row_id, stamp in rows:
                if stamp >= before_ms:
                    break
                last = row_id
                limit -= 1
            if last is not None:
                yield rows[0][0], last

    def close(self) -> None:
        self._db.close()
