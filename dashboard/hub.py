"""One reader for the whole process: reads the store, makes the parts for each language, tells the screens.

The reader is a thread (psycopg blocks); the screens are coroutines. Between them lies one :class:`Picture`, always the
newest: a slow screen misses steps in between, never the end, and no queue can grow.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from dashboard import metrics
from domain.clock import Clock

log = logging.getLogger(__name__)

#: Real seconds between two reads at least: 20,000 events must not mean 20,000 reads. A fifth of the promised second.
MIN_GAP = 0.2
#: Real seconds after which the wall reads although nothing was announced.
POLL = 1.0
#: Real seconds without an answer from the store after which every light is grey.
BLIND_AFTER = 60.0


@dataclass(frozen=True)
class Picture:
    """What every screen should show now. ``read_at``: real epoch seconds at which the data were read."""

    number: int
    read_at: float
    parts: dict[str, dict[str, str]] = field(default_factory=dict)


class Read(Protocol):
    """What was read, at ``read_at`` (real epoch seconds)."""

    @property
    def read_at(self) -> float: ...


S_co = TypeVar("S_co", bound=Read, covariant=True)
S_contra = TypeVar("S_contra", bound=Read, contravariant=True)
S = TypeVar("S", bound=Read)


class Source(Protocol[S_co]):
    """Where snapshots come from; used by the reader's thread only. See :class:`dashboard.facts.SnapshotSource`."""

    def wait(self, seconds: float) -> bool: ...

    def read(self, now: datetime) -> S_co: ...

    def close(self) -> None: ...


class Painter(Protocol[S_contra]):
    """Makes the parts of every language out of a snapshot; see :class:`dashboard.painting.WallPainter`."""

    def paint(
        self, snapshot: S_contra | None, now: datetime, blind: timedelta | None
    ) -> dict[str, dict[str, str]]: ...


class Hub(Generic[S]):
    """Reads in a thread, tells coroutines.

    Args:
        painter: makes the parts.
        make_source: opens the source; called again after each failure.
        gap: real seconds between two reads at least.
        linger: real seconds without a screen after which reading ends, until :meth:`start` is called again; None: never.
        real_time: epoch seconds, for ages that must be true at any clock speed.
        turn: called at each turn of the reader.
    """

    def __init__(
        self,
        painter: Painter[S],
        clock: Clock,
        make_source: Callable[[], Source[S]],
        *,
        gap: float = MIN_GAP,
        linger: float | None = None,
        real_time: Callable[[], float] = time.time,
        turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._painter, self._clock, self._make_source, self._real = painter, clock, make_source, real_time
        self._gap, self._linger, self._turn = gap, linger, turn
        self._snapshot: S | None = None
        self._started = real_time()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiters: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()
        self.error: str | None = None
        self.picture = self._make_picture(0)

    # -- reading -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to read, if nobody reads."""
        with self._lock:
            if self._thread is not None or self._stop.is_set():
                return
            if self._snapshot is not None:
                # What was read before the pause is not what is: grey until the first reading, some hundredths of a second.
                self._snapshot, self._started = None, self._real()
                self.picture = self._make_picture(self.picture.number + 1)
            self._thread = threading.Thread(target=self._run, name="wall-reader", daemon=True)
            self._thread.start()

    @property
    def reads(self) -> bool:
        return self._thread is not None

    def stop(self) -> None:
        """Ends reading for good."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout=3)
            self._thread = None

    def _deserted(self, since: float) -> bool:
        """Whether nobody has looked for so long that reading ends; decided under the lock that a new screen takes."""
        if self._linger is None or time.monotonic() - since < self._linger:
            return False
        with self._lock:
            if self._waiters:
                return False
            self._thread = None
            return True

    def _run(self) -> None:
        source: Source[S] | None = None
        seen = time.monotonic()
        while not self._stop.is_set():
            began = time.monotonic()
            if self.screens:
                seen = began
            elif self._deserted(seen):
                break
            self._turn()
            try:
                if source is None:
                    source = self._make_source()
                with metrics.READ_SECONDS.time():
                    self._snapshot = source.read(self._clock.now())
                metrics.READ_AT.set(self._snapshot.read_at)
                self.error = None
            except Exception as failure:  # whatever the store does, the wall must go on saying so
                metrics.READ_ERRORS.inc()
                if self.error is None:
                    log.warning("wall cannot read: %s", failure)
                self.error = f"{type(failure).__name__}: {failure}"
                source = self._drop(source)
            try:
                self._tell(self._make_picture(self.picture.number + 1))
            except Exception:
                log.exception("wall cannot draw")  # one odd row must not end the reader
            try:
                self._stop.wait(max(0.0, self._gap - (time.monotonic() - began)))
                if source is not None and not self._stop.is_set():
                    source.wait(POLL)
                elif not self._stop.is_set():
                    self._stop.wait(POLL)
            except Exception as failure:
                self.error = f"{type(failure).__name__}: {failure}"
                source = self._drop(source)
        self._drop(source)

    @staticmethod
    def _drop(source: Source[S] | None) -> None:
        if source is not None:
            try:
                source.close()
            except Exception as failure:
                log.debug("closing the source: %s", failure)

    def _make_picture(self, number: int) -> Picture:
        snapshot, real = self._snapshot, self._real()
        read_at = self._started if snapshot is None else snapshot.read_at
        age = real - read_at
        blind = timedelta(seconds=age) if age > BLIND_AFTER else None
        return Picture(number, read_at, self._painter.paint(snapshot, self._clock.now(), blind))

    def time_signal(self, picture: Picture) -> dict[str, float]:
        """What a screen needs to keep its clock and its ages: taken when it is sent, not when the picture was made.

        ``now``: the system's clock, ms; ``stale``: real ms since the data were read; ``speed``: of the clock.
        """
        return {
            "now": int(self._clock.now().timestamp() * 1000),
            "stale": int(max(0.0, self._real() - picture.read_at) * 1000),
            "speed": self._clock.speed,
        }

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, picture: Picture) -> None:
        self.picture = picture
        with self._lock:
            waiters = list(self._waiters)
        for loop, event in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def subscribe(self) -> tuple[asyncio.Event, Callable[[], None]]:
        """An event that is set at each new picture, and the function that ends the subscription."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiters.add(entry)
            metrics.CLIENTS.inc()

        def leave() -> None:
            with self._lock:
                if entry in self._waiters:
                    self._waiters.discard(entry)
                    metrics.CLIENTS.dec()

        return entry[1], leave

    @property
    def screens(self) -> int:
        with self._lock:
            return len(self._waiters)


__all__ = ["BLIND_AFTER", "MIN_GAP", "POLL", "Hub", "Painter", "Picture", "Source"]
