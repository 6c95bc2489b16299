"""Reads the local log for a Faust worker.

Written on Faust's base consumer. Everything runs inline in the event loop: SQLite's calls take microseconds here, while
a thread beside a busy agent waited seconds for its turn (measured 6-8 s per commit).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from faust.assignor.partition_assignor import PartitionAssignor
from faust.exceptions import ConsumerNotStarted, ImproperlyConfigured
from faust.transport import consumer as base
from faust.types import TP, ConsumerMessage
from mode import Service, get_logger

from domain.errors import LogError

from .log import EventLog, Record, partition_for
from .moved import Mark

if TYPE_CHECKING:
    from .transport import Transport

logger = get_logger(__name__)

#: Seconds between looks at ``PRAGMA data_version``: the longest an event of another process waits.
POLL_SECONDS = 0.02
#: Records handed over at a time where the app does not say.
MAX_POLL_RECORDS = 500
TRIM_EVERY_SECONDS = 600.0
#: Records dropped in one transaction; 2,000 took 6 ms, which an agent does not notice.
TRIM_BATCH = 2000
_MEMBER = "worker"


class _Cluster:
    """What Faust's assignor asks of Kafka's cluster metadata."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(self._log.partition_count(topic) or 0))


class Consumer(base.Consumer):
    """The one reader of a consumer group (``app.conf.id``)."""

    logger = logger
    transport: Transport

    _log: EventLog | None = None
    _lock_file: int | None = None

    def on_init(self) -> None:
        self._assigned: set[TP] = set()
        self._positions: dict[TP, int] = {}
        self._heads: dict[tuple[str, int], int] = {}
        self._next_first = 0

    # -- life

    async def on_start(self) -> None:
        self._lock_group()
        self._log = EventLog(self.transport.path, partitions=self.transport.partitions)
        if sentence := Mark(self._log).sentence:
            raise ImproperlyConfigured(sentence)
        await super().on_start()

    async def on_stop(self) -> None:
        await super().on_stop()
        if self._log is not None:
            self._log.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _lock_group(self) -> None:
        # Two readers of one group would each take every partition. The lock ends with the process, however it ends.
        path = self.transport.path.with_name(f"{self.transport.path.name}.{self.app.conf.id}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise ImproperlyConfigured(
                f"another worker of '{self.app.conf.id}' already reads {self.transport.path}; the local log has room for one"
            ) from error
        self._lock_file = handle

    def _opened(self) -> EventLog:
        if self._log is None:
            raise ConsumerNotStarted("the local log's consumer is not started")
        return self._log

    # -- assignment

    async def create_topic(self, topic: str, partitions: int, replication: int, **kwargs: Any) -> None:
        self._opened().ensure_topic(topic, partitions)

    async def subscribe(self, topics: Iterable[str]) -> None:
        # The assignment's handlers wait until subscribe() has returned, so it must not wait for them.
        self.add_future(self._assign(sorted(set(topics))))

    async def _assign(self, topics: list[str]) -> None:
        log, app = self._opened(), self.app
        for topic in topics:
            log.ensure_topic(topic)
        app.on_rebalance_start()
        if self._assigned:
            await self.on_partitions_revoked(set(self._assigned))
        app.consumer_generation_id += 1
        # Table recovery asks the assignor who has what, so the real one decides.
        assignor = cast(PartitionAssignor, app.assignor)
        assignment = assignor.assign(_Cluster(log), {_MEMBER: assignor.metadata(set(topics))})[_MEMBER]
        assignor.on_assignment(assignment)
        self._assigned = {TP(topic, number) for topic, numbers in assignment.assignment for number in numbers}
        self._positions = {tp: log.earliest(tp.topic, tp.partition) for tp in self._assigned}
        self._heads = log.heads()
        await self.on_partitions_assigned(set(self._assigned), app.consumer_generation_id)

    def assignment(self) -> set[TP]:
        return set(self._assigned)

    def topic_partitions(self, topic: str) -> int | None:
        return None if self._log is None else self._log.partition_count(topic)

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        count = self._opened().partition_count(topic)
        if partition is not None or count is None:
            return partition
        return partition_for(key, count)

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    # -- offsets

    def highwater(self, tp: TP) -> int:
        # Asked for every single record, hence from memory.
        return self._heads.get((tp.topic, tp.partition), 0)

    def known_end(self, tp: TP) -> int | None:
        """The next offset of a partition, asked of the file; None before the start."""
        return None if self._log is None else self._log.heads().get((tp.topic, tp.partition), 0)

    def next_offset(self, tp: TP) -> int | None:
        return self._positions.get(tp)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        heads = self._opened().heads()
        return {tp: heads.get((tp.topic, tp.partition), 0) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self._opened().earliest(tp.topic, tp.partition) for tp in partitions}

    async def position(self, tp: TP) -> int | None:
        return self._positions.get(tp)

    async def seek_to_committed(self) -> Mapping[TP, int | None]:  # type: ignore[override]
        log = self._opened()
        committed = log.committed(self.app.conf.id)
        latest = self.app.conf.consumer_auto_offset_reset == "latest"
        found: dict[TP, int | None] = {}
        for tp in self._assigned:
            found[tp] = offset = committed.get((tp.topic, tp.partition))
            if offset is None and latest:
                self._positions[tp] = self.highwater(tp)
            else:
                self._positions[tp] = max(offset or 0, log.earliest(tp.topic, tp.partition))
        return found

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            self._positions[tp] = offset
            # The base class drops records below the read offset, and takes 0 for "nothing read yet".
            if offset > 0:
                self._read_offset[tp] = offset
            else:
                self._read_offset.pop(tp, None)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            self._opened().commit(
                self.app.conf.id, {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
            )
        except LogError as error:
            # Not fatal: what was not committed is processed again, and writes are idempotent.
            self.log.warning("Offsets not committed: %s", error)
            return False
        return True

    # -- records

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> base.RecordMap:
        log = self._opened()
        give_up_at = time.monotonic() + timeout
        while True:
            appended = self.transport.appended
            if appended.is_set() or log.changed():
                appended.clear()
                self._heads = log.heads()
            # The base class changes this very set when buffers fill and drain, so it is looked at in each round.
            records = self._next_records(self._assigned if active_partitions is None else active_partitions)
            if records or self.should_stop or not self.flow_active or time.monotonic() >= give_up_at:
                return records
            with suppress(TimeoutError):
                await asyncio.wait_for(appended.wait(), POLL_SECONDS)

    def _next_records(self, active: set[TP]) -> dict[TP, list[Record]]:
        ready = sorted(tp for tp in active & self._assigned if self._positions[tp] < self.highwater(tp))
        if not ready:
            return {}
        share = max(1, (self.app.conf.broker_max_poll_records or MAX_POLL_RECORDS) // len(ready))
        records: dict[TP, list[Record]] = {}
        for tp in ready:
            found = self._opened().read(tp.topic, tp.partition, self._positions[tp], share)
            if found:
                records[tp] = found
                self._positions[tp] = found[-1].offset + 1
            else:
                self._positions[tp] = self.highwater(tp)
        return records

    def _to_message(self, tp: TP, record: Record) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp_ms / 1000.0,
            0,
            list(record.headers),
            record.key,
            record.value,
            None,
            len(record.key or b""),
            len(record.value or b""),
            tp,
            # Streams skip a record of another generation without a word.
            generation_id=self.app.consumer_generation_id,
        )

    # -- retention

    @Service.task
    async def _trimmer(self) -> None:
        while not self.should_stop:
            try:
                await self.trim()
            except LogError as error:
                self.log.warning("Old records stay for now: %s", error)
            await self.sleep(TRIM_EVERY_SECONDS)

    async def trim(self) -> int:
        """Drops consumed records older than ``keep_days``; returns how many."""
        before_ms = int((time.time() - self.transport.keep_days * 86400) * 1000)
        total = 0
        while not self.should_stop and (dropped := self._opened().trim(before_ms, TRIM_BATCH)):
            total += dropped
            await self.sleep(POLL_SECONDS)
        return total
