"""What the database needs done now and then: partitions ahead of need, adding up, dropping what is too old.

Any process may do it; a lock sees to it that one does. Where TimescaleDB does a part by itself, that part is left to it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType

import psycopg

from domain.clock import Clock
from store import aggregates
from store.connection import Connection, connect, explain
from store.ground import SERIES, Series, kind_of, make_ahead
from store.ingest import heartbeat
from store.open_cases import gather_open_cases
from store.retention import KEEP, Keep, apply_retention

log = logging.getLogger(__name__)

#: Real seconds between two rounds, and between two looks for what is too old.
EVERY = 60.0
RETENTION_EVERY = 600.0
#: Longest time one of its statements may take, in seconds: a day of a province is added up in minutes.
LONGEST = 600.0
#: Any number, the same in every process.
ADVISORY_LOCK = 0x6D696E67_75706B65


class Upkeep:
    """Rounds of upkeep on a connection of its own.

    Args:
        keep: how long raw rows are kept.
        also: what else is done as often as retention, by name.
        every: real seconds between rounds.
    """

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        keep: Keep = KEEP,
        *,
        also: Mapping[str, Callable[[Connection], object]] = MappingProxyType({}),
        every: float = EVERY,
        real_time: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn, self._clock, self._keep, self._every, self._real = dsn, clock, keep, every, real_time
        self._also = also
        self._retention_at = float("-inf")

    def start(self, stop: threading.Event) -> threading.Thread:
        """Runs in a thread until ``stop``."""
        thread = threading.Thread(target=self.run, args=(stop,), name="upkeep", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        """Rounds until ``stop``; a round that fails is tried again with the next."""
        while not stop.is_set():
            try:
                with connect(
                    self._dsn, application="mingjing upkeep", autocommit=True, statement_timeout=LONGEST
                ) as connection:
                    while not stop.is_set():
                        more = self.round(connection)
                        stop.wait(0.05 if more else self._every)
            except psycopg.Error as error:
                log.warning("upkeep waits: %s", explain(error))
                stop.wait(min(5.0, self._every))

    def round(self, connection: Connection) -> bool:
        """One round, unless another process is at it; True if more waits to be added up.

        Each step stands for itself: one that fails (a lock not got in time) is logged, the others are done, and it is tried
        again with the next round.
        """
        now = self._clock.now()
        if connection.execute("select pg_try_advisory_lock(%s)", [ADVISORY_LOCK]).fetchone() != (True,):
            return False
        try:
            # Whoever writes events is not to wait for us longer than this.
            connection.execute("set lock_timeout = '2s'")
            failed, more = {}, False
            for name, step in self._steps(connection, now):
                try:
                    more |= step()
                except psycopg.Error as error:
                    if connection.closed:
                        raise
                    failed[name] = explain(error)
                    log.warning("upkeep, %s: %s", name, failed[name])
            heartbeat(connection, "upkeep", now=now, detail={"failed": failed})
        finally:
            if not connection.closed:
                connection.execute("select pg_advisory_unlock(%s)", [ADVISORY_LOCK])
        return more

    def _steps(self, connection: Connection, now: datetime) -> Iterator[tuple[str, Callable[[], bool]]]:
        for series in (*SERIES, *aggregates.MINUTES):
            if kind_of(connection, series.table) == "native":
                yield f"partitions of {series.table}", partial(self._ahead, connection, series, now)
        yield "presence", lambda: aggregates.roll_presence(connection, now, now - self._keep.observation)
        yield "events", lambda: aggregates.roll_events(connection, now)
        yield "open cases", lambda: self._gather(connection)
        if self._real() - self._retention_at >= RETENTION_EVERY:
            yield "retention", lambda: self._retention(connection, now)
            for name, work in self._also.items():
                yield name, partial(self._do, work, connection)

    def _do(self, work: Callable[[Connection], object], connection: Connection) -> bool:
        work(connection)
        return False

    def _gather(self, connection: Connection) -> bool:
        gather_open_cases(connection)
        return False

    def _ahead(self, connection: Connection, series: Series, now: datetime) -> bool:
        make_ahead(connection, series, now)
        return False

    def _retention(self, connection: Connection, now: datetime) -> bool:
        gone = apply_retention(connection, now, self._keep)
        self._retention_at = self._real()
        if any(gone.values()):
            log.info("retention: dropped %s", gone)
        return False
