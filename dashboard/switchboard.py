"""Few connections for many walls: a small pool that lends for one reading, and one listener that wakes all readers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
from psycopg_pool import ConnectionPool

from store.connection import Connection, connect, open_pool

log = logging.getLogger(__name__)

#: Connections that read at the same time, for all walls of centres together.
READERS = 4
#: Real seconds until a lost listener is opened again; walls look each second by themselves meanwhile.
AGAIN = 2.0


class Switchboard:
    """Opens nothing before it is first used; threads and connections end with :meth:`close`."""

    def __init__(self, dsn: str, *, readers: int = READERS) -> None:
        self._dsn, self._readers = dsn, readers
        self._pool: ConnectionPool[Connection] | None = None
        self._news = threading.Condition()
        self._number = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def lend(self) -> AbstractContextManager[Connection]:
        """A connection for one reading, outside of a transaction. Raises psycopg.OperationalError when the database is away."""
        with self._news:
            if self._pool is None:
                self._pool = open_pool(self._dsn, application="mingjing wall", size=self._readers)
            return self._pool.connection()

    def listener(self) -> Callable[[float], bool]:
        """A way of waiting for news: True as soon as something changed since it last returned, False after so many seconds."""
        with self._news:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="wall-listener", daemon=True)
                self._thread.start()
            seen = [self._number]

        def wait(seconds: float) -> bool:
            with self._news:
                heard = self._news.wait_for(lambda: self._number != seen[0], seconds)
                seen[0] = self._number
                return heard

        return wait

    def close(self) -> None:
        self._stop.set()
        if self._pool is not None:
            self._pool.close(timeout=1)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._dsn, application="mingjing wall listening", autocommit=True) as ears:
                    ears.execute("listen mingjing")
                    self._tell()  # what happened before we listened
                    while not self._stop.is_set():
                        # All that has piled up is one change to a wall.
                        if list(ears.notifies(timeout=0.5, stop_after=1)):
                            self._tell()
            except psycopg.Error as error:
                log.debug("nobody listens: %s", error)
                self._stop.wait(AGAIN)

    def _tell(self) -> None:
        with self._news:
            self._number += 1
            self._news.notify_all()


__all__ = ["READERS", "Switchboard"]
