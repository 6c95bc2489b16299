"""The log itself: order, durability, partitions, many writers, retention."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import LogError
from streams.local_transport import Entry, EventLog, partition_for

KEYS = ["A07", "窗口-12", "case/2026/000123", "", "x" * 300]


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "data" / "log.db")


def entries(topic: str, count: int, *, key: bytes | None = None, partition: int | None = None) -> list[Entry]:
    return [Entry(topic, key, b"%d" % number, partition) for number in range(count)]


def test_records_of_a_partition_come_back_in_order_with_dense_offsets(log: EventLog) -> None:
    placed = log.append(entries("t", 10, key=b"k"))
    partition = placed[0][0]
    assert placed == [(partition, offset) for offset in range(10)]
    assert [(r.offset, r.value) for r in log.read("t", partition, 4, 3)] == [(4, b"4"), (5, b"5"), (6, b"6")]


def test_headers_timestamp_and_empty_values_survive(log: EventLog) -> None:
    log.append([Entry("t", b"k", None, 0, 1234, (("h", b"\x00\xff"),))])
    record = log.read("t", 0, 0, 1)[0]
    assert (record.value, record.timestamp_ms, list(record.headers)) == (None, 1234, [("h", b"\x00\xff")])


@given(key=st.binary(max_size=40), count=st.integers(1, 16))
def test_a_key_lands_where_kafkas_client_puts_it(key: bytes, count: int) -> None:
    numbers = list(range(count))
    assert partition_for(key, count) == DefaultPartitioner()(key, numbers, numbers)


@pytest.mark.parametrize("key", KEYS)
def test_the_log_uses_that_partition(log: EventLog, key: str) -> None:
    (placed,) = log.append([Entry("t", key.encode(), b"v")])
    assert placed[0] == DefaultPartitioner()(key.encode(), [0, 1, 2, 3], [0, 1, 2, 3])


def test_the_first_to_make_a_topic_decides_its_partitions(tmp_path: Path) -> None:
    EventLog(tmp_path / "log.db", partitions=2).ensure_topic("t")
    assert EventLog(tmp_path / "log.db", partitions=8).ensure_topic("t") == 2


def test_a_group_commits_and_finds_its_offsets_again(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log.db")
    log.append(entries("t", 5, partition=1))
    log.commit("g", {("t", 1): 3})
    log.commit("g", {("t", 1): 4})
    assert EventLog(tmp_path / "log.db").committed("g") == {("t", 1): 4}
    assert log.committed("other") == {}


def test_changed_sees_other_connections_only_once_per_commit(tmp_path: Path) -> None:
    log, other = EventLog(tmp_path / "log.db"), EventLog(tmp_path / "log.db")
    log.changed()
    assert not log.changed()
    other.append(entries("t", 1))
    assert log.changed()
    assert not log.changed()


def test_nothing_of_a_failed_append_stays(log: EventLog) -> None:
    log.append(entries("t", 1, partition=0))
    with pytest.raises(LogError, match="no partition 9"):
        log.append([Entry("t", None, b"good", 0), Entry("t", None, b"bad", 9), Entry("new", None, b"x")])
    assert log.heads()["t", 0] == 1
    assert log.partition_count("new") is None
    log.append([Entry("new", None, b"x", 3)])
    assert log.heads()["new", 3] == 1


def test_trim_drops_only_what_every_group_consumed_and_what_is_old(log: EventLog) -> None:
    log.append([Entry("t", None, b"old", 0, stamp) for stamp in (10, 20, 30, 900, 40)])
    log.append([Entry("nobody", None, b"old", 0, 10)])
    log.commit("a", {("t", 0): 5})
    log.commit("b", {("t", 0): 2})
    assert log.trim(before_ms=100) == 2
    log.commit("b", {("t", 0): 5})
    assert log.trim(before_ms=100) == 1  # stops at the young record, so no hole appears
    assert log.trim(before_ms=100) == 0
    assert log.earliest("t", 0) == 3
    assert [r.timestamp_ms for r in log.read("t", 0, 0, 9)] == [900, 40]
    assert log.earliest("nobody", 0) == 0


def test_an_emptied_partition_starts_at_its_head_and_goes_on_counting(log: EventLog) -> None:
    log.append([Entry("t", None, b"x", 0, 10)] * 3)
    log.commit("g", {("t", 0): 3})
    assert log.trim(before_ms=100) == 3
    assert log.earliest("t", 0) == 3
    assert log.append([Entry("t", None, b"x", 0)]) == [(0, 3)]


def test_the_file_shrinks_after_trimming(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log.db")
    log.append([Entry("t", None, b"x" * 2000, 0, 10)] * 2000)
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log.commit("g", {("t", 0): 2000})
    while log.trim(before_ms=100, limit=500):
        pass
    assert log._db.execute("PRAGMA page_count").fetchone()[0] < pages / 2


def test_only_its_owner_may_read_the_file(log: EventLog) -> None:
    log.append(entries("t", 1))
    for path in log.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_full_disk_is_said_and_nothing_is_half_written(log: EventLog) -> None:
    log.append(entries("t", 1, partition=0))
    log._db.execute(f"PRAGMA max_page_count = {log._db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(LogError, match="full"):
        log.append([Entry("t", None, b"x" * 50_000, 0)] * 5)
    assert log.heads()["t", 0] == 1
    log._db.execute("PRAGMA max_page_count = 1000000")
    assert log.append([Entry("t", None, b"x", 0)]) == [(0, 1)]


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"this is no database, whatever its name says" * 50)
    with pytest.raises(LogError, match="cannot be opened"):
        EventLog(tmp_path / "log.db")


def test_a_log_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    EventLog(tmp_path / "log.db")._db.execute("PRAGMA user_version = 99")
    with pytest.raises(LogError, match="newer version"):
        EventLog(tmp_path / "log.db")


@settings(max_examples=15, deadline=None)
@given(plan=st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5), min_size=1, max_size=8))
def test_many_writers_lose_nothing_and_keep_each_ones_order(
    tmp_path_factory: pytest.TempPathFactory, plan: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.db"

    def write(writer: int, keys: list[str]) -> None:
        log = EventLog(path)
        for number, key in enumerate(keys):
            log.append([Entry("t", key.encode(), b"%d:%d" % (writer, number))])
        log.close()

    threads = [threading.Thread(target=write, args=item) for item in enumerate(plan)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = EventLog(path)
    seen: list[tuple[int, int]] = []
    for number in range(4):
        records = log.read("t", number, 0, 1000)
        assert [r.offset for r in records] == list(range(len(records)))
        here = [tuple(map(int, (r.value or b"").split(b":"))) for r in records]
        for writer in range(len(plan)):
            mine = [at for who, at in here if who == writer]
            assert mine == sorted(mine)
        seen += here
    assert sorted(seen) == [(writer, at) for writer, keys in enumerate(plan) for at in range(len(keys))]


_OPEN_AND_CLOSE = """
import sys
from streams.local_transport import EventLog
log = EventLog(sys.argv[1])
print(len(log.read("t", 0, 0, 100)))
log.close()
"""


@pytest.mark.process
def test_processes_that_come_and_go_do_not_cut_off_one_that_stays(tmp_path: Path) -> None:
    def visitor() -> int:
        found = subprocess.run(
            [sys.executable, "-c", _OPEN_AND_CLOSE, str(tmp_path / "log.db")], capture_output=True, check=True
        )
        return int(found.stdout)

    staying = EventLog(tmp_path / "log.db")
    staying.append(entries("t", 1, partition=0))
    EventLog(tmp_path / "log.db").close()  # a second handle in one process must not cost the first its locks
    assert visitor() == 1
    staying.append(entries("t", 1, partition=0))
    assert visitor() == 2


_WRITE_FOR_EVER = """
import sys
from streams.local_transport import Entry, EventLog
log = EventLog(sys.argv[1], durable=True)
number = 0
while True:
    log.append([Entry("t", None, b"%d" % (number + i), 0) for i in range(7)])
    number += 7
    print(number, flush=True)
"""


@pytest.mark.process
def test_what_was_acknowledged_survives_kill_9_and_nothing_is_half_there(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITE_FOR_EVER, str(tmp_path / "log.db")], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < 700:
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
    writer.wait()
    values = [int(r.value or b"") for r in EventLog(tmp_path / "log.db").read("t", 0, 0, 10**6)]
    assert values == list(range(len(values)))
    assert len(values) >= acknowledged
    assert len(values) % 7 == 0
    assert sqlite3.connect(tmp_path / "log.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
