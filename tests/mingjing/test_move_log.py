"""`mingjing move-log` to a real broker: counted, resumable, and nobody uses the old log by mistake."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import yaml
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

from domain.centre import load_centre
from domain.errors import InputError, LogError, LogRefusedError, SettingsError
from mingjing import move_log
from mingjing.doctor.log import event_log
from mingjing.doctor.scene import Scene
from mingjing.replay import replay
from mingjing.settings import load_settings
from streams.kafka_admin import KafkaAdmin
from streams.local_transport import Entry, EventLog, make_address
from streams.local_transport.moved import Mark
from streams.moving import CHUNK
from streams.publisher import open_publisher
from streams.topic_plan import TopicPlan
from streams.topics import CASE_EVENTS, OBSERVATIONS, REJECTED_LINES, TOPICS
from tests.drills.workload import CENTRE, as_lines, events
from tests.kafka import looking
from tests.kafka.cluster import KafkaCluster
from tests.streams.house import eventually

app = Typer()
app.command()(move_log.move_log_command)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    for name in list(os.environ):
        if name.startswith("MINGJING_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def on_kafka(
    called: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """The command, with topics made on the session's broker."""
    monkeypatch.setenv("MINGJING_BROKER", kafka.url)
    monkeypatch.setenv("MINGJING_TOPIC_PREFIX", topic_prefix)
    looking.make_topics(kafka.servers, [topic_prefix + topic for topic in TOPICS], 6)
    return called


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(tmp_path / "log.db")
    yield log
    log.close()


def fill(log: EventLog, count: int, *, topic: str = CASE_EVENTS) -> None:
    log.append(
        [Entry(topic, b"c%d" % (n % 50), b"v%d" % n, headers=[("h", b"%d" % n)]) for n in range(count)]
    )


def commit_half(log: EventLog, topic: str = CASE_EVENTS) -> int:
    """Half of each partition is stored; returns how many records are not."""
    heads = {place: head for place, head in log.heads().items() if place[0] == topic}
    log.commit("mingjing", {place: head // 2 for place, head in heads.items()})
    return sum(head - head // 2 for head in heads.values())


def waiting(log: EventLog, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    done = log.committed("mingjing")
    heads = {place: head for place, head in log.heads().items() if place[0] == topic}
    return [
        (record.key, record.value)
        for place, head in heads.items()
        for record in log.read(*place, done.get(place, 0), head)
    ]


def on_broker(kafka: KafkaCluster, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    return [pair for pairs in looking.records(kafka.servers, topic).values() for pair in pairs]


def by_key(pairs: list[tuple[bytes | None, bytes | None]]) -> dict[bytes | None, list[bytes | None]]:
    found: dict[bytes | None, list[bytes | None]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


# -- what needs no broker


def test_a_log_that_is_not_there_and_a_broker_that_is_none_are_named(
    called: Callable[..., Result], tmp_path: Path
) -> None:
    error = called().exception
    assert isinstance(error, InputError)
    assert str(tmp_path / "log.db") in str(error)
    EventLog(tmp_path / "log.db").close()
    assert isinstance(called().exception, SettingsError)
    assert "MINGJING_BROKER" in str(called("--dry-run").exception)


def test_it_refuses_while_somebody_uses_the_log(
    called: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINGJING_BROKER", "kafka://127.0.0.1:1")
    with open_publisher(make_address(tmp_path / "log.db")):
        error = called().exception
    assert isinstance(error, LogError)
    assert "a door, camera runner or command still uses" in str(error)
    # As a worker holds it; see streams.local_transport.consumer.
    holder = "import fcntl,sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(); sys.stdin.read()"
    command = [sys.executable, "-c", holder, str(tmp_path / "log.db.mingjing.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        assert "a worker still reads" in str(called().exception)
        worker.kill()
    assert not Mark(EventLog(tmp_path / "log.db")).facts


# -- on a real broker


@pytest.mark.kafka
def test_what_is_not_stored_yet_is_carried_in_order_and_the_old_log_takes_no_more(
    on_kafka: Callable[..., Result],
    kafka: KafkaCluster,
    topic_prefix: str,
    log: EventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(log, 2400)
    fill(log, 300, topic=OBSERVATIONS)
    log.append([Entry(REJECTED_LINES, None, b"letter"), Entry("others", b"k", b"stays")])
    left = commit_half(log)
    records = log._db.execute("SELECT count(*), sum(length(value)) FROM record").fetchone()
    rehearsed = on_kafka("--dry-run")
    assert rehearsed.exit_code == 0, rehearsed.output
    assert f"2,400 in the log, {2400 - left:,} stored already, {left:,} to carry" in rehearsed.stdout
    assert "'others' is none of this system's and stays" in rehearsed.stdout
    assert not Mark(log).facts
    result = on_kafka()
    assert result.exit_code == 0, result.output
    assert f"{left:,} to carry, {left:,} on Kafka\n" in result.stdout
    assert "balanced" in result.stdout
    found = on_broker(kafka, topic_prefix + CASE_EVENTS)
    assert by_key(found) == by_key(waiting(log, CASE_EVENTS))
    assert len(on_broker(kafka, topic_prefix + OBSERVATIONS)) == 300
    assert on_broker(kafka, topic_prefix + REJECTED_LINES) == [(None, b"letter")]
    # Nothing of it is changed, and nobody takes it for the log any more.
    assert log._db.execute("SELECT count(*), sum(length(value)) FROM record").fetchone() == records
    assert log.committed("mingjing")
    with pytest.raises(LogError, match=r"was moved to kafka://127\.0\.0\.1:.* set MINGJING_BROKER"):
        open_publisher(make_address(tmp_path / "log.db"))
    with pytest.raises(LogError, match="it was moved to kafka://"):
        log.append([Entry(CASE_EVENTS, b"late", b"v")])
    with pytest.raises(
        sqlite3.IntegrityError, match="it was moved to kafka://"
    ):  # nor a program of an older version
        sqlite3.connect(tmp_path / "log.db").execute("INSERT INTO record VALUES (1, 1, NULL, NULL, NULL)")
    monkeypatch.delenv("MINGJING_BROKER")
    (moved,) = event_log(Scene(load_settings()))
    assert (moved.check, moved.verdict) == ("log.moved", "fault")
    monkeypatch.setenv("MINGJING_BROKER", kafka.url)
    # Again: nothing is carried twice, and the balance is the same.
    again = on_kafka()
    assert again.exit_code == 0
    assert "0 records carried now" in again.stdout
    assert len(on_broker(kafka, topic_prefix + CASE_EVENTS)) == left
    assert on_kafka("--undo").exit_code == 0
    with open_publisher(make_address(tmp_path / "log.db")) as publisher:
        publisher.publish(CASE_EVENTS, [(b"back", b"here")])


@pytest.mark.kafka
def test_all_of_it_and_under_another_prefix(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str, log: EventLog
) -> None:
    fill(log, 120, topic="old." + CASE_EVENTS)
    log.commit("old.mingjing", log.heads())
    result = on_kafka("--all", "--from-prefix", "old.")
    assert result.exit_code == 0, result.output
    assert f"old.{CASE_EVENTS} → {topic_prefix}{CASE_EVENTS}: 120 in the log" in result.stdout
    assert len(on_broker(kafka, topic_prefix + CASE_EVENTS)) == 120


@pytest.mark.kafka
def test_headers_are_kept_and_timestamps_count_from_the_move(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str, log: EventLog
) -> None:
    log.append([Entry(CASE_EVENTS, b"k", b"v", timestamp_ms=1, headers=[("trace", b"\x00\xff")])])
    assert on_kafka().exit_code == 0

    async def read(consumer) -> tuple[dict[str, bytes], int]:
        consumer.assign(await looking._places(consumer, [topic_prefix + CASE_EVENTS]))
        record = await consumer.getone()
        return dict(record.headers), record.timestamp

    headers, stamp = looking._consumer(kafka.servers, read)
    assert headers["trace"] == b"\x00\xff"
    assert headers["mingjing-moved"].endswith(b":0")
    # By the old time Kafka's retention would drop it before anybody has read it.
    assert stamp > 1_700_000_000_000


@pytest.mark.kafka
def test_a_missing_topic_and_a_record_too_large_are_named(
    called: Callable[..., Result],
    kafka: KafkaCluster,
    topic_prefix: str,
    log: EventLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINGJING_BROKER", kafka.url)
    monkeypatch.setenv("MINGJING_TOPIC_PREFIX", topic_prefix)
    log.append([Entry(CASE_EVENTS, b"k", b"small"), Entry(CASE_EVENTS, b"k", os.urandom(4000))])
    assert "`mingjing topics create`" in called("--dry-run").stdout
    error = called().exception
    assert isinstance(error, LogRefusedError)
    assert f"no topic '{topic_prefix}case-events'" in str(error)
    assert not Mark(log).facts  # nothing was begun

    async def make() -> None:
        async with KafkaAdmin(kafka.servers) as admin:
            await admin.create([TopicPlan(topic_prefix + CASE_EVENTS, 1, 1, {"max.message.bytes": "2000"})])

    asyncio.run(make())
    error = called().exception
    assert isinstance(error, LogRefusedError)
    assert ":1 of " in str(error)
    assert "has 4,000 bytes" in str(error)
    assert "max.message.bytes" in str(error)


@pytest.mark.kafka
@pytest.mark.process
def test_killed_again_and_again_it_goes_on_and_nothing_is_lost(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str, log: EventLog, tmp_path: Path
) -> None:
    count, kills = 30_000, 0
    for start in range(0, count, 5000):
        log.append([Entry(CASE_EVENTS, b"c%d" % (n % 997), b"v%d" % n) for n in range(start, start + 5000)])

    def carried() -> int:
        facts = Mark(log).facts
        return sum(span.next - span.first for span in Mark(log).spans()) if facts else 0

    for goal in (1, 8000, 19_000):
        mover = subprocess.Popen(
            [sys.executable, "-m", "mingjing", "move-log"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda goal=goal: carried() >= goal)  # type: ignore[misc]
        mover.send_signal(signal.SIGKILL)
        mover.wait()
        kills += carried() < count
    assert kills >= 2  # else it was not the middle
    result = on_kafka()
    assert result.exit_code == 0, result.output
    assert "goes on" in result.stdout
    values = Counter(value for _, value in on_broker(kafka, topic_prefix + CASE_EVENTS))
    assert len(values) == count
    twice = sum(values.values()) - count
    assert twice <= kills * CHUNK
    # The balance knows it to the record.
    assert f"30,000 to carry, 30,000 on Kafka{f', {twice:,} of them twice' if twice else ''}" in result.stdout


# -- the whole: a worker on the local log, the move, a worker on Kafka


@pytest.mark.kafka
@pytest.mark.process
@pytest.mark.postgres
def test_a_worker_on_kafka_finishes_what_one_on_the_local_log_began(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str, tmp_path: Path, database: str
) -> None:
    lines = as_lines(events(seed=3, cases=150, late_share=0.3))
    (tmp_path / "centre.yaml").write_text(yaml.safe_dump(CENTRE, allow_unicode=True), "utf-8")
    (tmp_path / "events.jsonl").write_text("\n".join(lines), "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
    common = kept | {
        "MINGJING_DATA": str(tmp_path),
        "MINGJING_DATABASE": database,
        "MINGJING_BATCH_SIZE": "20",
        "MINGJING_LOG_LEVEL": "WARNING",
    }
    there = common | {
        "MINGJING_BROKER": kafka.url,
        "MINGJING_TOPIC_PREFIX": topic_prefix,
        "MINGJING_INSTANCE": "1",
    }
    running: list[subprocess.Popen[bytes]] = []

    def run(name: str, environ: dict[str, str]) -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen([sys.executable, "-m", "mingjing", "run", name], env=environ))
        return running[-1]

    def stored() -> int:
        return int(connection.execute("select count(*) from event").fetchone()[0])  # type: ignore[index]

    distinct = len({line.partition('"event_id": "')[2].partition('"')[0] for line in lines})
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            sent = [sys.executable, "-m", "mingjing", "send", str(tmp_path / "events.jsonl")]
            subprocess.run(sent, env=common, check=True, capture_output=True)
            worker = run("worker", common)
            eventually(lambda: stored() >= distinct // 4)
            worker.kill()
            worker.wait()
            assert 0 < stored() < distinct  # the middle
            result = on_kafka()
            assert result.exit_code == 0, result.output
            # The old worker, started by mistake, says where the log went and does nothing.
            mistaken = subprocess.run(
                [sys.executable, "-m", "mingjing", "run", "worker"],
                env=common,
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert mistaken.returncode != 0
            assert "was moved to kafka://" in mistaken.stderr
            run("worker", there)
            run("rules", there)
            eventually(lambda: stored() == distinct)
            due = "select count(*) from case_state where look_at <= now()"
            eventually(lambda: connection.execute(due).fetchone() == (0,))
            assert connection.execute("select count(*) from dead_letter").fetchone() == (0,)
            live = connection.execute(
                "select finding_id, state, severity, opened_at, closed_at, due_at from finding where state <> 'revoked'"
            ).fetchall()
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)
    expected = replay(load_centre(tmp_path / "centre.yaml"), lines, datetime.now(UTC)).findings
    assert {row[0]: row[1:] for row in live} == {
        f.finding_id: (f.state, f.severity, f.opened_at, f.closed_at, f.due_at) for f in expected
    }
    assert len(expected) > 20
