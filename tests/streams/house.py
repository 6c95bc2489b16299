"""A data folder with a log, a store of tests, and real processes between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from streams.local_transport import EventLog, make_address
from streams.publisher import open_publisher
from tests.conftest import ROOT
from tests.streams.fakes import event_bytes, read


class House:
    """A data folder with a log, a store, and the worker between them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store.db"
        self.away, self.slow = folder / "store.away", folder / "store.slow"
        self.address = make_address(folder / "log.db")
        self.publisher = open_publisher(self.address)
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
        environ |= {"MINGJING_DATA": str(self.folder), "MINGJING_BATCH_SIZE": "100"}
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.worker_process", str(self.store)], cwd=ROOT, env=environ
        )
        return self.worker

    def end(self, how: signal.Signals) -> int:
        assert self.worker is not None
        self.worker.send_signal(how)
        return self.worker.wait(15)

    def close(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            self.worker.kill()
            self.worker.wait()
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

    def committed(self) -> int:
        return sum(EventLog(self.folder / "log.db").committed("mingjing").values())


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - started
