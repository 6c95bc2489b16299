"""A data folder with a log, a store of tests, and real processes between them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from streams.local_transport import EventLog, make_address
from streams.publisher import open_publisher
from streams.topics import TOPICS
from tests.conftest import ROOT
from tests.kafka import looking
from tests.kafka.cluster import KafkaCluster
from tests.streams.fakes import event_bytes, read

_count = itertools.count(1)


class House:
    """A data folder with a log, a store, and the worker between them.

    Args:
        kafka: the cluster that is its log, with topics under a prefix of its own; without one it has a local log.
    """

    def __init__(self, folder: Path, kafka: KafkaCluster | None = None, *, partitions: int = 4) -> None:
        self.folder, self.store = folder, folder / "store.db"
        self.away, self.slow = folder / "store.away", folder / "store.slow"
        self.kafka, self.prefix = kafka, ""
        self.address = make_address(folder / "log.db")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.environ = {"MINGJING_DATA": str(folder), "MINGJING_BATCH_SIZE": "100"}
        if kafka is not None:
            self.prefix = f"house{os.getpid()}-{next(_count)}."
            self.address = kafka.url
            self.environ |= {"MINGJING_SESSION_TIMEOUT": "6", "MINGJING_INSTANCE": "1"}
            looking.make_topics(kafka.servers, [self.prefix + name for name in TOPICS], partitions)
        self.environ |= {"MINGJING_BROKER": self.address, "MINGJING_TOPIC_PREFIX": self.prefix}
        self.publisher = open_publisher(self.address, prefix=self.prefix)

    @property
    def group(self) -> str:
        return self.prefix + "mingjing"

    @property
    def worker(self) -> subprocess.Popen[bytes] | None:
        return self.workers[-1] if self.workers else None

    def start(self, **environ: str) -> subprocess.Popen[bytes]:
        """One more worker; words like ``MINGJING_INSTANCE="2"`` change its settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
        command = [sys.executable, "-m", "tests.streams.worker_process", str(self.store)]
        self.workers.append(subprocess.Popen(command, cwd=ROOT, env=kept | self.environ | environ))
        return self.workers[-1]

    def end(self, how: signal.Signals) -> int:
        assert self.worker is not None
        self.worker.send_signal(how)
        return self.worker.wait(15)

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        self.publisher.close()

    def publish(self, first: int, count: int) -> None:
        self.publisher.publish(
            "case-events", [(b"c%d" % (n % 97), event_bytes(n)) for n in range(first, first + count)]
        )

    def stored(self) -> int:
        try:
            return int(read(self.store, "SELECT count(*) FROM event")[0][0])
        except Exception:
            return 0  # the worker has not made its tables yet

    def logged(self) -> int:
        """Records in the log."""
        if self.kafka is None:
            return sum(EventLog(self.folder / "log.db").heads().values())
        return sum(looking.ends(self.kafka.servers, *(self.prefix + name for name in TOPICS)).values())

    def committed(self) -> int:
        """Records the worker has said it is done with."""
        if self.kafka is None:
            return sum(EventLog(self.folder / "log.db").committed("mingjing").values())
        return sum(looking.committed(self.kafka.servers, self.group).values())


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - started
