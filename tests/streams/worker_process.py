"""A real worker over the store of tests. Started by test_worker.py: ``python -m tests.streams.worker_process STORE``.

While the file STORE.bug exists, the program itself has a fault that no batch survives; while STORE.away exists, the store fails like a database that is away; STORE.slow makes each write take 20 ms.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from streams import intake
from streams.app import BoundedWorker, create_app
from streams.intake import Arrived, Intake
from streams.settings import load_stream_settings
from tests.streams.fakes import SqliteWriter

store = Path(sys.argv[1])


def fail(kind: str, rows: Sequence[Any]) -> None:
    if store.with_suffix(".away").exists():
        raise psycopg.OperationalError("the test took the database away")
    if store.with_suffix(".slow").exists():
        time.sleep(0.02)


class FaultyIntake(Intake[Any]):
    async def handle(self, batch: Sequence[Arrived]) -> None:
        if store.with_suffix(".bug").exists():
            raise RuntimeError("a fault of the program")
        await super().handle(batch)


intake.Intake = FaultyIntake  # type: ignore[misc]
app = create_app(load_stream_settings(), open_writer=lambda: SqliteWriter(store, fail))
BoundedWorker(app, loglevel="WARN", quiet=True, redirect_stdouts=False).execute_from_commandline()
