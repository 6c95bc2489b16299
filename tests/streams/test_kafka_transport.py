"""What ours does otherwise than Faust's own Kafka transport. No broker: how it behaves on one is in test_worker.py."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, KafkaConnectionError, UnknownTopicOrPartitionError
from faust.types import TP

from streams.app import create_app
from streams.kafka_transport import END_KNOWN, Consumer, ConsumerThread
from streams.progress import Progress
from streams.settings import StreamSettings

PLACE = TP("case-events", 0)


class FakeKafka:
    """Stands for an aiokafka consumer that has one partition."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.error: Exception | None = None
        self.end: int | None = 250
        self.polled_ms: int | None = int(time.time() * 1000)
        self.asked_end: int | Exception = 250
        self._client = self._subscription = self._coordinator = self
        self._metadata_snapshot = {"case-events": 4}
        self.subscription = None
        self._last_fetch_ended = 0.0

    def assignment(self) -> set[TP]:
        return {PLACE}

    async def commit(self, offsets: dict[Any, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.said += [f"committed {data.offset}" for data in offsets.values()]

    async def _wait_on_metadata(self, topic: str) -> None:
        self.said.append(f"asked for {topic}")
        if self.error is not None:
            raise self.error

    def subscribe(self, topics: set[str], listener: Any) -> None:
        self.said.append(f"subscribed {len(topics)}")

    def highwater(self, tp: TP) -> int | None:
        return self.end

    def last_poll_timestamp(self, tp: TP) -> int | None:
        return self.polled_ms

    async def end_offsets(self, partitions: list[TP]) -> dict[TP, int]:
        if isinstance(self.asked_end, Exception):
            raise self.asked_end
        return dict.fromkeys(partitions, self.asked_end)


class Bench:
    """A consumer of ours over a fake one, its thread's calls made at once."""

    def __init__(self, folder: Path) -> None:
        app: Any = create_app(StreamSettings(data=folder, broker="kafka://127.0.0.1:1"))
        self.app, self.kafka = app, FakeKafka()
        self.consumer: Any = app.consumer
        assert isinstance(self.consumer, Consumer)
        thread = self.consumer._thread
        assert isinstance(thread, ConsumerThread)
        thread._consumer = self.kafka  # type: ignore[assignment]

        async def call(work: Any, *args: Any, **kwargs: Any) -> Any:
            found = work(*args, **kwargs)
            return await found if asyncio.iscoroutine(found) else found

        thread.call_thread = call  # type: ignore[method-assign]

    async def process(self, first: int, last: int) -> bool:
        """As if these records had been acknowledged, and the time for a commit come."""
        self.consumer._acked[PLACE].extend(range(first, last + 1))
        return bool(await self.consumer.force_commit())


def in_loop(folder: Path, body: Any) -> None:
    async def run() -> None:
        bench = Bench(folder)

        async def flush() -> None: ...

        bench.app.producer.flush = flush
        await body(bench)

    asyncio.run(run())


@pytest.mark.parametrize(
    "error", [KafkaConnectionError(), CommitFailedError("already rebalanced"), OSError()]
)
def test_a_failed_commit_ends_nothing_and_is_made_good(tmp_path: Path, error: Exception) -> None:
    async def body(bench: Bench) -> None:
        bench.consumer._committed_offset[PLACE] = 100
        bench.kafka.error = error
        assert not await bench.process(100, 149)
        assert not bench.consumer.crashed
        assert not bench.consumer._thread.crashed
        bench.kafka.error = None
        assert await bench.consumer.force_commit()  # though nothing new was acknowledged
        assert bench.kafka.said == ["committed 150"]
        assert await bench.process(150, 159)
        assert bench.kafka.said[1:] == ["committed 160"]

    in_loop(tmp_path, body)


def test_partitions_are_known_before_the_group_is_joined(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        await bench.consumer._thread.subscribe({"b", "a"})
        assert bench.kafka.said == ["asked for a", "asked for b", "subscribed 2"]
        bench.kafka.error = UnknownTopicOrPartitionError()
        await bench.consumer._thread.subscribe({"a"})
        assert bench.kafka.said[-1] == "subscribed 1"

    in_loop(tmp_path, body)


def test_a_worker_that_wants_nothing_says_that_it_lives(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.consumer._thread.touch()
        assert time.monotonic() - bench.kafka._last_fetch_ended < 5

    in_loop(tmp_path, body)


def test_an_end_that_nobody_has_confirmed_lately_is_not_known(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        progress = Progress(bench.app, "case-events")
        bench.consumer._committed_offset[PLACE] = 100
        assert bench.consumer.known_end(PLACE) == 250
        assert (progress.detail()["lag"], progress.detail()["reads"]) == (150, [0])
        for polled in (int((time.time() - END_KNOWN - 1) * 1000), None):
            bench.kafka.polled_ms = polled
            assert bench.consumer.known_end(PLACE) is None
            assert progress.detail()["reads"] == []

    in_loop(tmp_path, body)


def test_an_end_is_asked_for_where_no_fetch_says_it(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        thread = bench.consumer._thread
        bench.kafka.asked_end = 9000
        await thread.ask_for_ends({PLACE})
        assert bench.consumer.known_end(PLACE) == 9000  # the last fetch knew of 250
        bench.kafka.polled_ms = None
        assert bench.consumer.known_end(PLACE) == 9000
        bench.kafka.asked_end = KafkaConnectionError()
        await thread.ask_for_ends({PLACE})  # ends nothing
        thread._ends = {tp: (end, at - END_KNOWN - 1) for tp, (end, at) in thread._ends.items()}
        assert bench.consumer.known_end(PLACE) is None
        bench.kafka.polled_ms = int(time.time() * 1000)
        assert bench.consumer.known_end(PLACE) == 250

    in_loop(tmp_path, body)


def test_records_that_wait_are_taken_soon_after_their_partition_is_wanted_again(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        wanted: set[TP] = set()

        class Fetcher:
            _closed = False
            _subscriptions = SimpleNamespace(fetch_context=nullcontext)

            async def fetched_records(self, partitions: set[TP], timeout: float, max_records: Any) -> Any:
                if PLACE not in partitions:
                    await asyncio.sleep(timeout)  # as aiokafka does: only a fetch that ends would wake it
                return {PLACE: ["record"]} if PLACE in partitions else {}

        kafka: Any = SimpleNamespace(_closed=False, _fetcher=Fetcher())
        bench.consumer.can_resume_flow.set()
        bench.consumer.flow_active = True
        asyncio.get_running_loop().call_later(0.1, wanted.add, PLACE)
        started = time.monotonic()
        found = await bench.consumer._thread._fetch_records(kafka, wanted, timeout=10)
        assert found == {PLACE: ["record"]}
        assert time.monotonic() - started < 5
        wanted.clear()
        assert await bench.consumer._thread._fetch_records(kafka, wanted, timeout=0.12) == {}

    in_loop(tmp_path, body)


def test_what_retention_dropped_before_the_first_commit_is_no_backlog(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.consumer.next_offset = lambda tp: 240
        progress = Progress(bench.app, "case-events")
        assert progress.detail()["lag"] == 10
        bench.consumer.next_offset = lambda tp: 250  # fetched, not yet stored
        assert progress.detail()["lag"] == 10

    in_loop(tmp_path, body)


def test_nothing_is_read_during_a_rebalance(tmp_path: Path) -> None:
    async def body(bench: Bench) -> None:
        bench.app.rebalancing = True
        assert Progress(bench.app, "case-events").detail()["reads"] == []

    in_loop(tmp_path, body)
