"""Faust's own Kafka transport, made patient: brokers that are away for a while do not end the worker.

Faust 0.15 ends the worker with the first offset commit that fails for another reason than a rebalance, also where trying
again would help. What was not committed is at worst processed again, and every write is idempotent, so here a failed
commit is news and nothing more; it comes again with the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

#: Real seconds after which what a broker last said of a partition's end no longer counts.
END_KNOWN = 5.0
#: How often brokers are asked for the ends. A fetch tells them too, but none is made of a partition while records of it
#: wait here: ten thousand may come in meanwhile, and a case would be judged on half of its events.
ASK_SECONDS = 0.2
#: How long a broker may keep a fetch that finds nothing. aiokafka has one at a time with each broker: what a fetch of the
#: quiet topics waits, the busy one waits too (Faust's 1.5 s halved the pace). Ten questions a second cost nothing.
FETCH_WAIT_MS = 100
#: How often a wait for records looks whether a partition is wanted again, whose records wait here already. Faust wants
#: none of it while its buffer is full, and would sleep out its second though the buffer is empty long before.
WANTED_AGAIN = 0.05


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs aiokafka's consumer in a thread of its own."""

    #: End of each partition as a broker said it when asked, and when; replaced as a whole, because another thread reads.
    _ends: Mapping[TP, tuple[int, float]] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        give_up = time.monotonic() + (timeout or 0.0)
        while True:
            left = max(0.0, give_up - time.monotonic())
            # The set of wanted partitions changes under our hands, as buffers fill and drain.
            records = await super()._fetch_records(
                consumer, active_partitions, timeout=min(left, WANTED_AGAIN), max_records=max_records
            )
            if records or left <= WANTED_AGAIN or not self.consumer.flow_active:
                return records

    @Service.task
    async def _follow_ends(self) -> None:
        while not self.should_stop:
            # In a task of the thread's own: as a call into it this would take a turn from fetches and commits.
            if assigned := self.assignment():
                await self.ask_for_ends(assigned)
            await self.sleep(ASK_SECONDS)

    async def ask_for_ends(self, partitions: Collection[TP]) -> None:
        """Asks brokers where partitions end now; that none answered is told by :meth:`known_end`."""
        try:
            async with asyncio.timeout(END_KNOWN):
                found = await self._ensure_consumer().end_offsets(list(partitions))
        except Exception as error:
            # Brokers are away or the partition is being moved; a task that raised would end the worker.
            self.log.debug("The ends of partitions are not known: %r", error)
            return
        now = time.monotonic()
        self._ends = {TP(tp.topic, tp.partition): (int(end), now) for tp, end in found.items()}

    async def subscribe(self, topics: Iterable[str]) -> None:
        await self.call_thread(self._know, sorted(topics))
        await super().subscribe(topics)

    async def _know(self, topics: Iterable[str]) -> None:
        # A topic made a moment ago may be news to the broker that is asked, and whoever joins a group without knowing
        # a topic's partitions gets none of them until metadata are asked for again, minutes later.
        for topic in topics:
            try:
                await self._ensure_consumer()._client._wait_on_metadata(topic)
            except KafkaError as error:
                self.log.warning("The partitions of topic %s are not known: %r", topic, error)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        assigned = self.assignment()
        wanted = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in assigned
        }
        if not wanted:
            return False
        try:
            await self._ensure_consumer().commit(wanted)
        except (KafkaError, OSError) as error:
            self.log.warning("Offsets not committed, to be tried again: %r", error)
            return False
        now = time.monotonic()
        self.tp_last_committed_at.update(dict.fromkeys(offsets, now))
        return True

    def touch(self) -> None:
        """Says that the application lives, though it may not want records just now."""
        if self._consumer is not None:
            # One assignment, because another thread reads it.
            self._consumer._subscription._last_fetch_ended = time.monotonic()

    def known_end(self, tp: TP) -> int | None:
        """The next offset of a partition as a broker said it within the last seconds; None if none did."""
        consumer = self._ensure_consumer()
        # Asked from another thread while a rebalance may take the partition away.
        try:
            fetched, polled_at = consumer.highwater(tp), consumer.last_poll_timestamp(tp)
        except (AssertionError, AttributeError):
            return None
        asked, asked_at = self._ends.get(tp, (None, float("-inf")))
        known = []
        if asked is not None and time.monotonic() - asked_at <= END_KNOWN:
            known.append(asked)
        if fetched is not None and polled_at is not None and time.time() - polled_at / 1000 <= END_KNOWN:
            known.append(int(fetched))
        return max(known, default=None)

    def next_offset(self, tp: TP) -> int | None:
        """The offset that is fetched next; None while it is not known."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        try:
            state = assignment.state_value(TopicPartition(tp.topic, tp.partition)) if assignment else None
            return int(state.position) if state is not None else None
        except (AssertionError, KafkaError):
            return None


class Consumer(driver.Consumer):
    """A member of a consumer group."""

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        done = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if not done:
            # Faust takes it for committed all the same. The last record counts as acknowledged but not committed.
            for tp in self.assignment() & offsets.keys():
                self._committed_offset[tp] = offsets[tp] - 1
                self._acked[tp].insert(0, offsets[tp] - 1)
        return done

    @Service.task
    async def _signs_of_life(self) -> None:
        # While the database is away nothing is fetched. aiokafka would take that for a stuck application, leave the
        # group, and not join again before something is fetched; Faust fetches nothing before it has joined: for ever.
        while not self.should_stop:
            self._thread.touch()
            await self.sleep(1.0)

    def known_end(self, tp: TP) -> int | None:
        """As :meth:`ConsumerThread.known_end`."""
        return self._thread.known_end(tp)

    def next_offset(self, tp: TP) -> int | None:
        """As :meth:`ConsumerThread.next_offset`."""
        return self._thread.next_offset(tp)


class Transport(driver.Transport):
    """For addresses ``kafka://host:port;host2:port``."""

    Consumer: ClassVar[Any] = Consumer
