"""Between the loop on a cameras' machine and the store: sends the pictures that findings want, deletes what is too old, and says so.

A thread of the process ``cameras``; without the database the looks go on and everything here waits. Nothing is remembered that is not in
the database or on the disk, so it may be killed at any moment.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from pathlib import Path

import psycopg

from camera_adapters.pictures import Keeper
from camera_adapters.pictures_loop import Deletion, Key, put
from domain.chain import Entry
from domain.pictures import Gap, Kept, Selection, reach_of, select
from store import chain
from store.connection import Connection, connect, explain
from store.picture_deletions import DeletionRow, note_deletion
from store.picture_wants import Sent, Wanted, answer, claim, pending_spans, postpone

log = logging.getLogger(__name__)

#: Real seconds between rounds, and between looks for what is too old.
EVERY, TIDY_EVERY = 5.0, 600.0
#: Wants answered in one transaction: some eighty pictures.
BATCH = 10


class Courier:
    """Sends pictures.

    Args:
        cameras: of this process, by centre and camera; whatever else the loop holds is asked for as well.
        keep: how long pictures stay in the loop.
    """

    def __init__(
        self,
        dsn: str,
        keeper: Keeper,
        cameras: Collection[Key],
        *,
        now: Callable[[], datetime],
        keep: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn, self._keeper, self._loop = dsn, keeper, keeper.loop
        self._cameras, self._now, self._keep, self._monotonic = frozenset(cameras), now, keep, monotonic
        self._tidy_at = float("-inf")
        self._away = False
        self.sent = 0

    def run(self, stop: threading.Event) -> None:
        """Rounds until ``stop``."""
        connection: Connection | None = None
        while not stop.is_set():
            try:
                if connection is None:
                    connection = connect(self._dsn, application="mingjing pictures", autocommit=True)
                self.round(connection)
                if self._away:
                    log.info("pictures of findings are sent again")
                self._away = False
            except (psycopg.Error, OSError) as error:
                reason = explain(error) if isinstance(error, psycopg.Error) else error.strerror or str(error)
                if not self._away:
                    log.warning("pictures of findings cannot be sent, they wait in the loop: %s", reason)
                self._away = True
                if connection is not None:
                    connection.close()
                    connection = None
            stop.wait(EVERY)
        if connection is not None:
            connection.close()

    def round(self, connection: Connection) -> int:
        """Answers what is wanted; now and then deletes what is too old. Returns how many questions were answered."""
        cameras = self._cameras | set(self._loop.cameras())
        answered = 0
        while (done := self._answer_some(connection, cameras)) > 0:
            answered += done
        self._keeper.spared = self._still_wanted(connection, cameras)
        if self._monotonic() - self._tidy_at >= TIDY_EVERY:
            self.tidy(connection, cameras)
            self._tidy_at = self._monotonic()
        return answered

    def _answer_some(self, connection: Connection, cameras: Collection[Key]) -> int:
        me, now = loop_id(self._loop.folder), self._now()
        entries: dict[str, list[Entry]] = {}
        with connection.transaction():
            wants = claim(connection, cameras, me, now, BATCH)
            answered = sent = 0
            for wanted in wants:
                chosen = self._choose(wanted)
                if chosen is None:
                    postpone(connection, wanted, "no_loop", me, now)
                    continue
                pictures, selection = chosen
                new = answer(connection, wanted, pictures, selection.missing, me, now)
                entries.setdefault(wanted.want.centre, []).extend(new)
                answered, sent = answered + 1, sent + len(pictures)
            # Last of all: whoever else has something for the chain waits from here to the commit.
            for centre in sorted(entries):
                chain.append(connection, centre, entries[centre], now)
        self.sent += sent
        return answered

    def _choose(self, wanted: Wanted) -> tuple[list[Sent], Selection] | None:
        """The pictures for a want; None where this machine knows nothing of that time."""
        want = wanted.want
        key = (want.centre, want.camera)
        since, until = reach_of(want)
        stretch = self._loop.read(key, since, until)
        if not stretch.speaks_of(since):
            return None
        pictures, gaps = list(stretch.pictures), list(stretch.gaps)
        while True:
            selection = select(pictures, gaps, want)
            sent: list[Sent] = []
            damaged: Kept | None = None
            for kept, role in selection.chosen:
                content = self._loop.content(key, kept)
                if content is None:
                    damaged = kept
                    break
                sent.append(Sent(kept, role, content))
            if damaged is None:
                return sent, selection
            # Another one may do; where there is none, that is why.
            pictures = [kept for kept in pictures if kept.sha256 != damaged.sha256]
            gaps.append(Gap(damaged.at, "damaged"))

    def _still_wanted(self, connection: Connection, cameras: Collection[Key]) -> set[tuple[Key, date]]:
        days = set()
        for centre, camera, since, until in pending_spans(connection, cameras):
            first, last = (since - timedelta(days=1)).date(), (until + timedelta(days=1)).date()
            for day in range(first.toordinal(), last.toordinal() + 1):
                days.add(((centre, camera), date.fromordinal(day)))
        return days

    # -- deleting --------------------------------------------------------------------------------------------------------

    def tidy(self, connection: Connection, cameras: Collection[Key]) -> int:
        """Deletes the days that are too old and nobody asks for any more; tells the chain of every deletion. Returns how many."""
        today = self._now().date()
        told = 0
        for key in sorted(cameras):
            for day in self._loop.days(key):
                if (today - day).days > self._keep.days and (key, day) not in self._keeper.spared:
                    self._keeper.remove(key, day, "age")
            for made in self._loop.deletions(key, unreported=True):
                note_deletion(connection, _row(made), self._now(), loop_id(self._loop.folder))
                self._loop.reported(made)
                told += 1
        return told


def _row(made: Deletion) -> DeletionRow:
    return DeletionRow(
        made.centre, made.camera, made.day, made.reason, made.digest, made.pictures, made.size, made.first_at, made.last_at,
        made.deleted_at,
    )  # fmt: skip


def loop_id(folder: Path) -> str:
    """A name for this machine's loop, made once: two machines may be called the same."""
    path = folder / "loop-id"
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        put(path, secrets.token_hex(8).encode(), sure=True)
        return path.read_text("ascii").strip()


__all__ = ["Courier", "loop_id"]
