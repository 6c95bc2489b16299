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
from datetime import timedelta

from dashboard import metrics
from dashboard.catalogue import LANGUAGES
from dashboard.facts import Snapshot, SnapshotSource, WindowFacts
from dashboard.layout import PartsWriter
from dashboard.view import build_view, light_settings
from dashboard.words import Words
from domain.centre import Centre
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


class Hub:
    """Reads in a thread, tells coroutines.

    Args:
        make_source: opens the source; called again after each failure.
        real_time: epoch seconds, for ages that must be true at any clock speed.
        turn: called at each turn of the reader.
    """

    def __init__(
        self,
        centre: Centre,
        clock: Clock,
        make_source: Callable[[], SnapshotSource],
        *,
        real_time: Callable[[], float] = time.time,
        turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._centre, self._clock, self._make_source, self._real = centre, clock, make_source, real_time
        self._turn = turn
        self._settings = light_settings(centre, clock.speed)
        self._writers = {language: (Words(language, centre.zone), PartsWriter()) for language in LANGUAGES}
        self._snapshot: Snapshot | None = None
        self._started = real_time()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiters: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()
        self.error: str | None = None
        self.picture = self._make_picture(0)

    # -- reading -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wall-reader", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=3)
            self._thread = None

    def _run(self) -> None:
        source: SnapshotSource | None = None
        while not self._stop.is_set():
            began = time.monotonic()
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
                self._stop.wait(max(0.0, MIN_GAP - (time.monotonic() - began)))
                if source is not None and not self._stop.is_set():
                    source.wait(POLL)
                elif not self._stop.is_set():
                    self._stop.wait(POLL)
            except Exception as failure:
                self.error = f"{type(failure).__name__}: {failure}"
                source = self._drop(source)
        self._drop(source)

    @staticmethod
    def _drop(source: SnapshotSource | None) -> None:
        if source is not None:
            try:
                source.close()
            except Exception as failure:
                log.debug("closing the source: %s", failure)

    def _make_picture(self, number: int) -> Picture:
        now, real = self._clock.now(), self._real()
        snapshot = self._snapshot
        age = real - (snapshot.read_at if snapshot is not None else self._started)
        blind = timedelta(seconds=age) if age > BLIND_AFTER else None
        if snapshot is None:
            # Before the first reading nothing is known: every tile is grey.
            windows = tuple(WindowFacts(window.id, window.name) for window in self._centre.windows)
            snapshot = Snapshot(now, self._started, windows)
        parts = {}
        for language, (words, writer) in self._writers.items():
            view = build_view(
                snapshot,
                centre=self._centre,
                now=now,
                words=words,
                settings=self._settings,
                blind_since=blind,
            )
            parts[language] = writer.write(view, now)
        return Picture(number, snapshot.read_at, parts)

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
            metrics.CLIENTS.set(len(self._waiters))

        def leave() -> None:
            with self._lock:
                self._waiters.discard(entry)
                metrics.CLIENTS.set(len(self._waiters))

        return entry[1], leave

    @property
    def screens(self) -> int:
        with self._lock:
            return len(self._waiters)


__all__ = ["BLIND_AFTER", "MIN_GAP", "POLL", "Hub", "Picture"]
