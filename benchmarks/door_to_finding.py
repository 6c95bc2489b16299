"""Events a second from the log to the store, beside a bare Faust agent on the same log.

    python -m benchmarks.door_to_finding [--events 20000] [--rounds 3] [--json FILE]

Every round reads the same log with each contender in turn, each as its own consumer group. The table gives medians of the
rounds, by the wall clock and by the processor time of this process, and the ratio of the latter to the bare agent of the
same run: absolute figures depend on the machine and on what else it does, the ratio hardly.

- bare agent: ``async for value in stream`` that counts, nothing else;
- checked: our agents with a writer that keeps nothing (batching, parsing, validation, acknowledgement);
- answered: one sender through the HTTP door, 500 events a request, until the answer (the log has them);
- stored: our agents into PostgreSQL (embedded, or ``MINGJING_TEST_DSN``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust

from benchmarks.figure import Figure, Parameter, write_figures
from domain.events import Event
from store.embedded import EmbeddedServer, dsn_for
from store.ingest import WriteResult
from store.migrate import migrate
from streams.app import create_app
from streams.local_transport import make_address
from streams.publisher import open_publisher
from streams.settings import StreamSettings
from streams.topics import CASE_EVENTS
from streams.writer import EventWriter

PARTITIONS = 4


class NoStore:
    """Takes everything and keeps nothing."""

    def __init__(self, seen: list[int]) -> None:
        self._seen = seen

    def write_events(self, events: Sequence[Event]) -> WriteResult:
        self._seen[0] += len(events)
        return WriteResult(len(events), 0, 0)

    def write_observations(self, observations: Sequence[Any]) -> None: ...

    def write_dead_letters(self, refusals: Sequence[Any]) -> None: ...

    def beat(self, role: str, detail: dict[str, Any], instance: str) -> None: ...

    def close(self) -> None: ...


class Counting(NoStore):
    """Passes events on to a real writer and counts them when they are stored."""

    def __init__(self, seen: list[int], writer: EventWriter) -> None:
        super().__init__(seen)
        self._writer = writer

    def write_events(self, events: Sequence[Event]) -> WriteResult:
        result = self._writer.write_events(events)
        self._seen[0] += len(events)
        return WriteResult(result.new, result.duplicates, result.conflicts)

    def close(self) -> None:
        self._writer.close()


def fill(address: str, count: int) -> float:
    """Puts events into the log in requests of 500; returns events a second (synced to disk)."""
    messages = [
        (
            b"c%d" % (number % 997),
            json.dumps(
                {
                    "event_id": f"e{number}",
                    "kind": "case.stage_finished",
                    "occurred_at": "2026-03-02T09:00:00+08:00",
                    "source": "benchmark",
                    "case": f"c{number % 997}",
                    "item": "A-001",
                    "window": f"A{number % 12:02}",
                    "data": {"stage": "review"},
                    "received_at": "2026-03-02T09:00:01+08:00",
                }
            ).encode(),
        )
        for number in range(count)
    ]
    with open_publisher(address, partitions=PARTITIONS) as publisher:
        started = time.perf_counter()
        for first in range(0, count, 500):
            publisher.publish(CASE_EVENTS, messages[first : first + 500])
        return count / (time.perf_counter() - started)


def through_the_door(address: str, count: int) -> Rate:
    """Through the door's application (ASGI, without a socket)."""
    import httpx

    from domain.clock import Clock
    from streams.door import DoorLimits, create_door

    body = [
        b"\n".join(
            b'{"event_id": "d%d", "kind": "case.received", "occurred_at": "2026-03-02T09:00:00+08:00", "source": "door",'
            b' "case": "c%d"}' % (number, number % 997)
            for number in range(first, first + 500)
        )
        for first in range(0, count, 500)
    ]

    async def run() -> Rate:
        with open_publisher(address, partitions=PARTITIONS) as publisher:
            door = create_door(
                publisher, {"benchmark": "k" * 20}, None, Clock(), DoorLimits(rate=1e9, burst=1e9)
            )
            transport = httpx.ASGITransport(door)
            headers = {"X-API-Key": "k" * 20, "Content-Type": "application/x-ndjson"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://door", headers=headers
            ) as client:
                watch = Stopwatch()
                for lines in body:
                    answer = await client.post("/events", content=lines)
                    assert answer.status_code == 202, answer.text
                return watch.rate(count)

    return asyncio.run(run())


def bare_app(address: str, group: str, seen: list[int]) -> faust.App:
    """The least a Faust agent can do, with the settings ours has."""
    app = faust.App(
        group,
        broker=address,
        broker_commit_interval=1.0,
        stream_buffer_maxsize=1024,
        table_standby_replicas=0,
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        datadir=tempfile.gettempdir(),  # else a folder appears where the command was given
    )
    topic = app.topic(
        CASE_EVENTS, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(topic, concurrency=1)
    async def count(stream: Any) -> None:
        async for _ in stream:
            seen[0] += 1

    return app


@dataclass(frozen=True, slots=True)
class Rate:
    """Events a second of the wall clock, and of this process's processor time."""

    wall: float
    processor: float


class Stopwatch:
    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def rate(self, count: int) -> Rate:
        return Rate(
            count / (time.perf_counter() - self._wall), count / (time.process_time() - self._processor)
        )


def measure(make: Callable[[list[int]], faust.App], count: int) -> Rate:
    """From the first event seen to the last."""

    async def run() -> Rate:
        seen = [0]
        app = make(seen)
        await app.start()
        while not seen[0]:
            await asyncio.sleep(0.001)
        watch, already = Stopwatch(), seen[0]
        while seen[0] < count:
            await asyncio.sleep(0.005)
        rate = watch.rate(count - already)
        await asyncio.wait_for(app.stop(), 20)
        return rate

    return asyncio.run(run())


@contextmanager
def postgres() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    server = EmbeddedServer(folder)
    try:
        server.start()
        migrate(dsn_for(folder))
        yield dsn_for(folder)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, postgres() as dsn:
        address = make_address(Path(folder) / "log.db")
        published = fill(address, options.events)
        rates: dict[str, list[Rate]] = {"bare agent": [], "answered": [], "checked": [], "stored": []}

        def ours(group: str, writer: Callable[[list[int]], EventWriter]) -> Callable[[list[int]], faust.App]:
            settings = StreamSettings(
                data=Path(folder),
                broker=address,
                group=group,
                database=dsn,
                partitions=PARTITIONS,  # type: ignore[arg-type]
            )
            return lambda seen: create_app(settings, open_writer=lambda: writer(seen))

        for number in range(options.rounds):
            rates["bare agent"].append(
                measure(lambda seen: bare_app(address, f"bare-{number}", seen), options.events)  # noqa: B023
            )
            door_log = make_address(Path(folder) / f"door-{number}.db")
            rates["answered"].append(through_the_door(door_log, options.events))
            rates["checked"].append(measure(ours(f"checked-{number}", NoStore), options.events))
            rates["stored"].append(
                measure(ours(f"stored-{number}", lambda seen: _stored(seen, dsn)), options.events)
            )
    parameters: dict[str, Parameter] = {"events": options.events, "rounds": options.rounds}
    base = statistics.median(rate.processor for rate in rates["bare agent"])
    figures = [Figure("published, synced, 500 a request", published, "events/s", parameters=parameters)]
    for name, values in rates.items():
        wall = statistics.median(rate.wall for rate in values)
        processor = statistics.median(rate.processor for rate in values)
        figures += [
            Figure(f"{name}, by the clock", wall, "events/s", parameters=parameters),
            Figure(
                f"{name}, per processor second",
                processor,
                "events/s",
                "a bare Faust agent",
                processor / base,
                parameters=parameters,
            ),
        ]
    write_figures(options.json, figures)


def _stored(seen: list[int], dsn: str) -> EventWriter:
    """A writer into an empty event table: a round that finds its events there already would measure something else."""
    import psycopg

    from domain.clock import Clock
    from streams.writer import StoreWriter

    if not seen[0]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("truncate event, event_key, case_state cascade")
    return Counting(seen, StoreWriter(dsn, clock=Clock()))


if __name__ == "__main__":
    main()
