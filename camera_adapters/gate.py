"""How many cameras may be opened at the same time: a switch that comes back must not meet fifty sign-ins in one second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PER_SITE, IN_ALL = 8, 32
LEASE = 15.0
"""Seconds after which an opening no longer counts: a name server that hangs must not keep all other cameras shut."""
_ASK = 0.5


class Gate:
    """Lets readers open their cameras a few at a time, in each site and in the whole process.

    Args:
        per_site, in_all: most openings at the same time.
    """

    def __init__(
        self,
        per_site: int = PER_SITE,
        in_all: int = IN_ALL,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_site, self._in_all = per_site, in_all
        self._monotonic = monotonic
        self._turned = threading.Condition()
        self._inside: dict[object, tuple[str, float]] = {}
        self.waiting = 0

    @contextmanager
    def turn(self, site: str, ended: Callable[[], object] = lambda: False) -> Iterator[bool]:
        """Waits for a place; False if ``ended`` came true before there was one."""
        ticket, admitted = object(), True
        with self._turned:
            self.waiting += 1
            try:
                while not self._room(site) and admitted:
                    admitted = not ended()
                    self._turned.wait(_ASK if admitted else 0)
                if admitted:
                    self._inside[ticket] = (site, self._monotonic())
            finally:
                self.waiting -= 1
        try:
            yield admitted
        finally:
            with self._turned:
                self._inside.pop(ticket, None)
                self._turned.notify_all()

    def _room(self, site: str) -> bool:
        now = self._monotonic()
        inside = [place for place, since in self._inside.values() if now - since < LEASE]
        return len(inside) < self._in_all and inside.count(site) < self._per_site
