"""Faust over the local log, in this process: start, commit, resume, tables, refusal.

What Faust is promised by our own transport; its Kafka transport has tests of its own. That the worker does the same on
both is in test_worker.py, test_app.py and test_door_killed.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.exceptions import ImproperlyConfigured
from faust.transport import drivers

from domain.errors import SettingsError
from streams.local_transport import Entry, EventLog, Transport, make_address, parse_address


def make_app(path: Path, **conf: Any) -> faust.App:
    defaults: dict[str, Any] = {
        "broker": f"local://{path}",
        "web_enabled": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "broker_commit_interval": 0.1,
        "store": "memory://",
        "topic_partitions": 4,
        "worker_redirect_stdouts": False,
    }
    return faust.App("test", **{**defaults, **conf})


def collector(app: faust.App, seen: list[bytes]) -> None:
    topic = app.topic("t", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(topic, concurrency=1)
    async def collect(stream: Any) -> None:
        async for value in stream:
            seen.append(value)


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def run_with(app: faust.App, body: Callable[[], Awaitable[None]]) -> None:
    await app.start()
    try:
        await body()
    finally:
        await asyncio.wait_for(app.stop(), 10)


def fill(path: Path, first: int, count: int) -> None:
    log = EventLog(path)
    log.append([Entry("t", b"k%d" % (n % 9), b"%d" % n) for n in range(first, first + count)])
    log.close()


def test_faust_finds_the_transport_by_its_scheme() -> None:
    assert drivers.by_url("local:///somewhere/log.db") is Transport


def test_a_worker_takes_what_waits_and_what_another_process_appends_later(tmp_path: Path) -> None:
    path = tmp_path / "日志; 100% folder?" / "log.db"
    fill(path, 0, 50)
    app, seen = make_app(path, broker=make_address(path)), []
    collector(app, seen)

    async def body() -> None:
        await eventually(lambda: len(seen) == 50)
        await asyncio.to_thread(fill, path, 50, 20)
        await eventually(lambda: len(seen) == 70)

    asyncio.run(run_with(app, body))
    assert sorted(map(int, seen)) == list(range(70))
    assert sum(EventLog(path).committed("test").values()) == 70


def test_a_path_survives_the_way_through_its_address(tmp_path: Path) -> None:
    path = tmp_path / "日志; 100% folder?" / "log#1.db"
    assert parse_address(make_address(path)).path == path


def test_a_restart_goes_on_where_the_last_one_committed(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    fill(path, 0, 30)
    first: list[bytes] = []
    second: list[bytes] = []
    app = make_app(path)
    collector(app, first)
    asyncio.run(run_with(app, lambda: eventually(lambda: len(first) == 30)))
    fill(path, 30, 5)
    app = make_app(path)
    collector(app, second)
    asyncio.run(run_with(app, lambda: eventually(lambda: len(second) == 5)))
    assert sorted(map(int, second)) == [30, 31, 32, 33, 34]


def test_what_the_app_sends_reaches_its_own_agent_with_key_and_place(tmp_path: Path) -> None:
    app, seen = make_app(tmp_path / "log.db"), []
    collector(app, seen)

    async def body() -> None:
        sent = await app.topics.app.topic("t").send(key=b"A07", value=b"hello", key_serializer="raw")
        metadata = await sent
        assert (metadata.topic, metadata.offset) == ("t", 0)
        assert metadata.topic_partition == app.producer.key_partition("t", b"A07")
        await eventually(lambda: len(seen) == 1)

    asyncio.run(run_with(app, body))


def test_a_table_is_rebuilt_from_its_changelog(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    def counting() -> tuple[faust.App, Any]:
        app = make_app(path)
        table = app.Table("counts", default=int, partitions=4)
        topic = app.topic("t", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

        @app.agent(topic, concurrency=1)
        async def count(stream: Any) -> None:
            async for key, _ in stream.items():
                table[key.decode()] += 1

        return app, table

    fill(path, 0, 90)
    app, table = counting()
    asyncio.run(run_with(app, lambda: eventually(lambda: sum(table.values()) == 90)))
    app, table = counting()
    asyncio.run(run_with(app, lambda: eventually(lambda: sum(table.values()) == 90)))
    assert dict(table) == {f"k{n}": 10 for n in range(9)}


def test_a_second_worker_of_the_group_is_refused(tmp_path: Path) -> None:
    one, two = make_app(tmp_path / "log.db"), make_app(tmp_path / "log.db")
    collector(one, [])
    collector(two, [])

    async def body() -> None:
        with pytest.raises(ImproperlyConfigured, match="another worker"):
            two.consumer._lock_group()

    asyncio.run(run_with(one, body))


def test_exactly_once_is_refused(tmp_path: Path) -> None:
    app = make_app(tmp_path / "log.db", processing_guarantee="exactly_once")
    with pytest.raises(ImproperlyConfigured, match="at_least_once"):
        _ = app.transport


def test_an_address_says_path_retention_and_partitions() -> None:
    address = parse_address("local:///数据/event%20log.db?keep_days=0.5&partitions=2")
    assert (str(address.path), address.keep_days, address.partitions) == ("/数据/event log.db", 0.5, 2)


def test_what_the_address_says_reaches_the_transport(tmp_path: Path) -> None:
    transport = make_app(
        tmp_path, broker=f"{make_address(tmp_path / 'log.db')}?keep_days=2&partitions=3"
    ).transport
    assert (transport.path, transport.keep_days, transport.partitions) == (tmp_path / "log.db", 2, 3)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("local://log.db", "absolute"),
        ("local:///", "absolute"),
        ("local:/log.db", "absolute"),
        ("kafka://here:9092", "local:///"),
        ("local:///log.db?keep_days=soon", "keep_days"),
        ("local:///log.db?partitions=0", "partitions"),
        ("local:///log.db?keep=7", "unknown parameter 'keep'"),
    ],
)
def test_a_wrong_address_is_named(url: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        parse_address(url)


def test_the_worker_trims_what_is_consumed_and_old(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = EventLog(path)
    log.append([Entry("t", b"k", b"%d" % n, 0, 1000) for n in range(3000)])
    log.append([Entry("t", b"k", b"new", 0)])
    app, seen = make_app(path), []
    collector(app, seen)

    async def body() -> None:
        await eventually(lambda: log.committed("test").get(("t", 0)) == 3001)
        assert await app.consumer.trim() == 3000

    asyncio.run(run_with(app, body))
    assert log.earliest("t", 0) == 3000
