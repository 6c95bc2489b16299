"""Everything about pictures in the process ``cameras``, put together: what keeps them, what sends them, what counts them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from camera_adapters.pictures import Keeper, Recorder
from camera_adapters.pictures_loop import PictureLoop
from camera_adapters.reader import Reader
from camera_adapters.runner import Watched
from camera_adapters.station import OnLook
from domain.centre import Centre
from domain.clock import Clock
from domain.findings import Finding
from mingjing.picture_courier import Courier
from mingjing.settings import Settings

if TYPE_CHECKING:
    from store.connection import Connection
    from streams.clerk import Plan

log = logging.getLogger(__name__)

#: Real seconds between two pictures of a camera at least, where the house's clock runs fast.
LEAST = 1.0
GIGABYTE = 10**9


class PictureKeeping:
    """The pictures of a process.

    Args:
        cameras: of this process.
        dsn: of the database that findings are in; asked only once a thread needs it.
    """

    def __init__(self, settings: Settings, cameras: Sequence[Watched], clock: Clock, dsn: str) -> None:
        self._clock = clock
        limit = settings.pictures_limit_gb
        loop = PictureLoop(settings.pictures_folder)
        self.keeper = Keeper(loop, now=clock.now, limit=None if limit is None else int(limit * GIGABYTE))
        self.courier = Courier(
            dsn,
            self.keeper,
            [(each.centre.centre.id, each.camera.id) for each in cameras],
            now=clock.now,
            keep=timedelta(days=settings.keep_pictures),
        )

    def keeper_of(self, watched: Watched, reader: Reader) -> OnLook:
        """What is told of each look of a camera."""
        return Recorder(
            watched.centre,
            watched.camera,
            self.keeper,
            now=self._clock.now,
            least=LEAST * self._clock.speed if self._clock.speed > 1 else 0.0,
            # A simulated clock has nothing to do with a camera's.
            offset=lambda: reader.clock_offset if self._clock.spec == "real" else None,
        )

    def start(self, stop: threading.Event) -> None:
        """Starts the two threads: one writes, one sends."""
        for name, run in (("pictures", self.keeper.run), ("picture-courier", self.courier.run)):
            threading.Thread(target=_for_ever, args=(name, run, stop), name=name, daemon=True).start()


def _for_ever(name: str, run: Callable[[threading.Event], None], stop: threading.Event) -> None:
    """A mistake in one round must not end the keeping of pictures for good."""
    while not stop.is_set():
        try:
            run(stop)
        except Exception:
            log.exception("%s: begins anew", name)
            stop.wait(5.0)


def with_pictures(messages: Plan, centre: Centre, settings: Settings) -> Plan:
    """What the rule loop calls for changes of findings: their messages, and which pictures they want."""
    from store.picture_wants import want_pictures

    give_up = timedelta(days=settings.keep_pictures + 1)

    def plan(connection: Connection, changes: Sequence[tuple[Finding, str]], now: datetime) -> None:
        messages(connection, changes, now)
        want_pictures(connection, centre, changes, now, give_up=give_up)

    return plan


def tidy_evidence(connection: Connection, settings: Settings, clock: Clock) -> int:
    """What the upkeep does about pictures in the database; returns how many were deleted or given up."""
    from store.picture_deletions import delete_over
    from store.picture_wants import give_up

    now, closed = clock.now(), settings.keep_evidence_pictures
    gone = delete_over(
        connection, now, revoked=timedelta(days=settings.keep_revoked_pictures),
        closed=None if closed is None else timedelta(days=closed),
    )  # fmt: skip
    return gone + give_up(connection, now)


__all__ = ["PictureKeeping", "tidy_evidence", "with_pictures"]
