"""Signs of life of processes that have no connection to the database of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from domain.clock import Clock
from store import connect
from store.connection import PASSING
from store.ingest import heartbeat

log = logging.getLogger(__name__)

#: Real seconds between two signs; the wall calls a process stopped after thirty without one.
EVERY = 2.0


class Heart:
    """Beats in a thread of its own, while the process says that it does its work.

    Args:
        instance: tells apart several processes of the role.
        alive: asked before each beat; a process that hangs must not look alive because a thread of it goes on.
        detail: what else to say.
        look: looks with the connection at what others say, before each sign.
    """

    def __init__(
        self,
        role: str,
        dsn: str,
        clock: Clock,
        *,
        instance: str = "",
        alive: Callable[[], bool] = lambda: True,
        detail: Callable[[], Mapping[str, Any]] = dict,
        every: float = EVERY,
        look: Callable[[Any], object] = lambda connection: None,
        connector: Callable[[str], Any] = connect,
    ) -> None:
        self._instance = instance
        self._role, self._dsn, self._clock, self._every = role, dsn, clock, every
        self._alive, self._detail, self._connector = alive, detail, connector
        self._look = look
        self._connection: Any = None

    def start(self, stop: threading.Event) -> None:
        threading.Thread(target=self.run, args=(stop,), name=f"heart-{self._role}", daemon=True).start()

    def run(self, stop: threading.Event) -> None:
        while True:
            self.beat()
            if stop.wait(self._every):
                break
        self._drop()

    def beat(self) -> bool:
        """One sign; False if the process is not alive or the database is away."""
        if not self._alive():
            return False
        try:
            if self._connection is None:
                self._connection = self._connector(self._dsn)
            with self._connection.transaction():
                self._look(self._connection)
                heartbeat(
                    self._connection,
                    self._role,
                    now=self._clock.now(),
                    instance=self._instance,
                    detail=dict(self._detail()),
                )
        except PASSING as error:
            log.debug("no heartbeat: %s", error)
            self._drop()
            return False
        return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except psycopg.Error as error:
                log.debug("closing: %s", error)
