"""Several real workers of one group over PostgreSQL, and a rule loop that judges what they store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import yaml

from domain.centre import load_centre
from domain.clock import FakeClock
from domain.events import parse_line
from mingjing.replay import replay
from streams.publisher import open_publisher
from streams.rule_loop import RuleLoop
from streams.topics import CASE_EVENTS, TOPICS, event_key
from tests.conftest import ROOT
from tests.drills.workload import CENTRE
from tests.kafka import looking
from tests.kafka.cluster import KafkaCluster

PARTITIONS = 12
#: Short enough for a test to outlast.
SESSION_SECONDS = 4.0
#: When everything that is poured has happened.
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class Team:
    """Workers are called ``1``, ``2`` … ; everything ends with :meth:`close`."""

    def __init__(self, folder: Path, kafka: KafkaCluster, dsn: str, **settings: str) -> None:
        self.folder, self.kafka, self.dsn = folder, kafka, dsn
        self.prefix = f"team{os.getpid()}-{time.monotonic_ns()}."
        self.centre_file = folder / "centre.yaml"
        self.centre_file.write_text(yaml.safe_dump(CENTRE, allow_unicode=True), encoding="utf-8")
        self.environ = {
            "MINGJING_DATA": str(folder),
            "MINGJING_BROKER": kafka.url,
            "MINGJING_DATABASE": dsn,
            "MINGJING_TOPIC_PREFIX": self.prefix,
            "MINGJING_SESSION_TIMEOUT": str(SESSION_SECONDS),
            "MINGJING_LOG_LEVEL": "INFO",
            **settings,
        }
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.poured: list[str] = []
        self.hurry, self._stop = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def make_topics(self) -> None:
        looking.make_topics(self.kafka.servers, [self.prefix + name for name in TOPICS], PARTITIONS)

    # -- workers

    def start(self, *names: str, **environ: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
        for name in names:
            with (self.folder / f"worker-{name}.log").open("ab") as output:
                self.workers[name] = subprocess.Popen(
                    [sys.executable, "-m", "mingjing", "run", "worker"],
                    cwd=ROOT,
                    env=kept | self.environ | {"MINGJING_INSTANCE": name} | environ,
                    stdout=output,
                    stderr=output,
                )

    def send(self, name: str, number: signal.Signals) -> None:
        self.workers[name].send_signal(number)

    def end(self, name: str, number: signal.Signals) -> int:
        self.send(name, number)
        return self.workers[name].wait(20)

    def said(self, name: str) -> str:
        return (self.folder / f"worker-{name}.log").read_text("utf-8", "replace")

    def close(self) -> None:
        self._stop.set()
        self.hurry.set()
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        for thread in self._threads:
            thread.join(20)

    # -- load and rules

    def pour(self, lines: Sequence[str], *, batch: int = 40, pause: float = 0.5) -> threading.Thread:
        """Begins to publish, as a door would, in a thread of its own; without pauses once ``hurry`` is set."""

        def publish() -> None:
            with open_publisher(self.kafka.url, prefix=self.prefix) as publisher:
                for first in range(0, len(lines), batch):
                    self.hurry.wait(pause)
                    if self._stop.is_set():
                        return
                    some = lines[first : first + batch]
                    events = [parse_line(line.encode()) for line in some]
                    publisher.publish(
                        CASE_EVENTS,
                        [(event_key(e), line.encode()) for e, line in zip(events, some, strict=True)],
                    )
                    self.poured += some

        return self._thread(publish)

    def judge(self) -> threading.Thread:
        """Begins to judge what is due, at a moment when everything has happened."""
        loop = RuleLoop(self.dsn, load_centre(self.centre_file), FakeClock(NOW))
        return self._thread(lambda: loop.run(self._stop))

    def _thread(self, work: Any) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    # -- what became of it

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, options="-c timezone=UTC") as connection:
            return connection.execute(sql).fetchall()  # type: ignore[call-overload,no-any-return]

    def stored(self) -> int:
        return int(self.query("select count(*) from event")[0][0])

    def detail(self, name: str) -> dict[str, Any]:
        """What a living worker said last; nothing of one that has been silent for two seconds."""
        rows = self.query(
            f"select detail from heartbeat where role = 'worker' and instance = '{name}'"
            " and clock_timestamp() - real_at < interval '2 seconds'"
        )
        return dict(rows[0][0]) if rows else {}

    def reads(self, *names: str) -> list[int]:
        """The partitions that these workers have, one after the other."""
        return sorted(number for name in names for number in self.detail(name).get("reads", ()))

    def share(self, *names: str) -> bool:
        """Whether these workers have all partitions between them, each once."""
        return self.reads(*names) == list(range(PARTITIONS))

    def differences(self) -> list[str]:
        """Where findings differ from those of replay over the same lines; and events from what was poured."""
        expected = replay(load_centre(self.centre_file), self.poured, NOW).findings
        wanted = {
            (f.finding_id, f.state, f.rule, f.opened_at, f.closed_at, f.due_at, f.provisional)
            for f in expected
        }
        found = set(
            self.query(
                "select finding_id, state, rule, opened_at, closed_at, due_at, provisional from finding"
                " where state <> 'revoked' and subject like 'case:%'"
            )
        )
        return [f"replay only: {row}" for row in wanted - found] + [
            f"live only: {row}" for row in found - wanted
        ]
