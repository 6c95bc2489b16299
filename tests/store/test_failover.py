"""Two real servers, one the standby of the other: the first dies, the second takes over, and every process finds it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from dashboard.source import StoreSource
from domain.centre import Centre
from domain.clock import FakeClock
from store import runas
from store.connection import PASSING, connect, explain, with_reconnect
from store.embedded import EmbeddedServer, binaries
from store.ingest import write_events
from store.migrate import migrate
from store.reading import findings
from streams.rule_loop import RuleLoop
from tests.store.making import CENTRE, at, event

pytestmark = [pytest.mark.postgres, pytest.mark.process]

CENTRE_FILE = Centre.model_validate(
    {
        "centre": {"id": CENTRE},
        "items": [{"code": "A-001", "legal_limit": {"days": 1}}],
        "windows": [{"id": "A01"}],
    }
)
BATCHES, SIZE = 60, 5


@dataclass
class Pair:
    first: EmbeddedServer
    second: EmbeddedServer

    @property
    def dsn(self) -> str:
        """Both, as it stands in MINGJING_DATABASE."""
        hosts = f"{self.first.socket_dir},{self.second.socket_dir}"
        return f"host={hosts} port=5432,5432 user=postgres dbname=mingjing target_session_attrs=read-write"

    def kill_first(self) -> None:
        """All of it at once, as when the machine loses its current."""
        for pid in self.first._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def promote_second(self) -> None:
        with psycopg.connect(self.second.dsn, autocommit=True) as db:
            assert db.execute("select pg_promote()").fetchone() == (True,)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    quick = {"fsync": "off"}
    first, second = (EmbeddedServer(folder / name, settings=quick) for name in ("a", "b"))
    try:
        first.start()
        migrate(first.dsn)
        second.data_dir.mkdir()
        user = runas.choose_user(first.pg)
        first._own(second.pg, user)
        subprocess.run(
            [
                binaries() / "pg_basebackup", "-D", second.pg, "-h", first.socket_dir, "-U", "postgres", "-R",
                "-X", "stream", "--checkpoint=fast",
            ],
            check=True,
            capture_output=True,
            preexec_fn=runas.setup_for(
                user, [second.pg, first.socket_dir, binaries() / "pg_basebackup"], follow_parent=False
            ),
            cwd="/",
        )  # fmt: skip
        second.start()
        with psycopg.connect(first.dsn, autocommit=True) as db:
            # What is acknowledged is on both.
            db.execute("alter system set synchronous_standby_names = '*'")
            db.execute("select pg_reload_conf()")
            wait_for(
                lambda: db.execute("select sync_state from pg_stat_replication").fetchall() == [("sync",)]
            )
        yield Pair(first, second)
    finally:
        first.stop()
        second.stop()
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(ready: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def test_a_standby_one_connects_to_by_mistake_passes_and_says_so(pair: Pair) -> None:
    with pytest.raises(PASSING) as caught:
        connect(pair.second.dsn)
    assert "read-only" in explain(caught.value)
    # One that became a standby under an open session, or that was asked for whatever it is.
    with connect(f"{pair.second.dsn}&target_session_attrs=any", autocommit=True) as db:
        with pytest.raises(PASSING) as caught:
            write_events(db, [event("case.received")], centre=CENTRE, now=at(0))
        assert "standby" in explain(caught.value)
    # With both in the address it is the first that is found, in whichever order they stand.
    turned = f"host={pair.second.socket_dir},{pair.first.socket_dir} user=postgres dbname=mingjing"
    with connect(turned, autocommit=True) as db:
        assert db.info.host == str(pair.first.socket_dir)


def test_when_the_first_dies_nothing_acknowledged_is_lost_and_nothing_is_there_twice(pair: Pair) -> None:
    acknowledged: set[str] = set()
    batches = [
        [
            event("case.accepted", 0, f"{number}-{each}", f"C{number}-{each}", item="A-001")
            for each in range(SIZE)
        ]
        for number in range(BATCHES)
    ]
    failed: list[BaseException] = []

    def ingest() -> None:
        try:
            for batch in batches:
                with_reconnect(
                    pair.dsn,
                    lambda db, b=batch: write_events(db, b, centre=CENTRE, now=at(0)),
                    longest_pause=0.5,
                )
                acknowledged.update(each.event_id for each in batch)
        except BaseException as error:
            failed.append(error)

    clock = FakeClock(at(0))
    stop = threading.Event()
    loop = threading.Thread(target=RuleLoop(pair.dsn, CENTRE_FILE, clock).run, args=(stop,))
    writer = threading.Thread(target=ingest)
    wall = StoreSource(pair.dsn, CENTRE_FILE)
    loop.start()
    writer.start()
    try:
        wait_for(lambda: len(acknowledged) >= 10 * SIZE)
        assert wall.read(at(0)).totals.accepted > 0
        pair.kill_first()
        before = set(acknowledged)
        with pytest.raises(PASSING):
            wall.read(at(0))
        wall.close()  # as the wall's hub does; the next reading opens a new connection
        pair.promote_second()
        writer.join(60)
        assert not writer.is_alive()
        assert not failed
        assert before < acknowledged
        with connect(pair.dsn, autocommit=True) as db:
            assert db.info.host == str(pair.second.socket_dir)
            stored = db.execute("select event_id from event").fetchall()
            assert len(stored) == len({row[0] for row in stored}) == BATCHES * SIZE
            assert acknowledged == {row[0] for row in stored}
            # The rule loop has found the new server too, and judges there.
            clock.advance(7 * 24 * 3600)
            wait_for(lambda: len(findings(db, CENTRE, severity="red", limit=5000)) == BATCHES * SIZE, 60)
        assert wall.read(clock.now()).totals.red == BATCHES * SIZE
    finally:
        stop.set()
        loop.join(30)
        writer.join(1)
        wall.close()
