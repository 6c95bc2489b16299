"""The rule loops of all centres of a system in one process: one connection, one pair of ears, turn by turn.

Each round asks once what is due anywhere and visits the centres concerned, each for a bounded number of rows, beginning
with another one each time: a flood in one centre delays the others by its turn, not by its length. A centre that cannot be
judged is left alone for a while and stops nobody; the wall shows that its rules are silent.

Any number of these processes may run: rows are claimed with ``skip locked``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import psycopg

from domain.clock import Clock
from store.connection import PASSING, Connection, connect
from store.rounds import beat_all, next_looks
from streams import metrics
from streams.holding import HOLD
from streams.rule_loop import POLL, WAKING, TickResult

log = logging.getLogger(__name__)

#: Batches of one kind that one centre may judge before the next centre's turn. One, because in a flood of all centres the
#: windows of the last wait for the cases of all others.
TURN = 1
#: Real seconds between the signs of life; the wall calls rules silent after thirty without one.
BEAT_EVERY = 2.0
#: Real seconds after which an idle centre is visited all the same: raw rows to thin out, and whatever was overlooked.
VISIT_EVERY = 60.0
#: Real seconds a centre whose visit failed is left alone, first and at most.
FIRST_REST, LONGEST_REST = 1.0, 60.0


class Loop(Protocol):
    """What a circuit needs of a rule loop."""

    def tick(self, now: datetime) -> TickResult: ...

    def detail(self) -> dict[str, object]: ...


#: Makes the loop of a centre (its code) on the circuit's connection.
MakeLoop = Callable[[str, Callable[[], Connection]], Loop]


@dataclass(slots=True)
class _Centre:
    """One centre's loop and how it fares, in real seconds."""

    code: str
    loop: Loop
    visited_at: float = float("-inf")
    well: bool = False
    #: What the loop itself knows to be due next, such as the digest of a day, which stands in no table.
    next_look: datetime | None = None
    rest: float = 0.0
    again_at: float = float("-inf")


class Circuit:
    """Drives one loop for each centre.

    Args:
        centres: codes, in any order.
        make_loop: see :data:`MakeLoop`; e.g. a :class:`~streams.rule_loop.RuleLoop` with ``beats=False`` and ``batches=TURN``.
        turn: called at each turn of :meth:`run`: the circuit lives.
        real_time: monotonic real seconds.
    """

    def __init__(
        self,
        dsn: str,
        centres: list[str],
        clock: Clock,
        make_loop: MakeLoop,
        *,
        turn: Callable[[], None] = lambda: None,
        real_time: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn, self._clock, self._real = dsn, clock, real_time
        self._connection: Connection | None = None
        self._centres = [_Centre(code, make_loop(code, self._open)) for code in centres]
        self._by_code = {each.code: each for each in self._centres}
        self._turn, self._lives = 0, turn
        self._beaten: frozenset[str] = frozenset()
        self._beat_at = float("-inf")

    def round(self, now: datetime) -> TickResult:
        """Visits every centre that has something due at ``now``, once; the sum of what their loops did.

        Raises:
            psycopg.OperationalError, psycopg.InterfaceError: the database is away; nothing half done is left.
        """
        try:
            return self._round(now)
        except PASSING:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def run(self, stop: threading.Event) -> None:
        """Goes round until ``stop``; while the database is away, waits with growing pauses."""
        pause = 0.1
        try:
            while not stop.is_set():
                try:
                    with connect(self._dsn, application="mingjing rules listening", autocommit=True) as ears:
                        ears.execute("listen mingjing")
                        while not stop.is_set():
                            self._lives()
                            now = self._clock.now()
                            result = self.round(now)
                            metrics.note_delay(result.next_look, now, self._clock)
                            pause = 0.1
                            if result.held is not None:
                                stop.wait(HOLD)
                            elif not result.more:
                                self._listen(ears, self._pause(result.next_look), stop)
                except (*PASSING, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
                    self.close()
                    self._lives()
                    log.warning("database away or not migrated (%s)", str(error).strip().split("\n")[0])
                    stop.wait(pause)
                    pause = min(pause * 2, 5.0)
        finally:
            self.close()

    # -- one round ---------------------------------------------------------------------------------------------------

    def _round(self, now: datetime) -> TickResult:
        looks = next_looks(self._open(), self._by_code)
        whole = TickResult()
        count = len(self._centres)
        self._turn = (self._turn + 1) % count
        for each in self._centres[self._turn :] + self._centres[: self._turn]:
            due = (each.code in looks and looks[each.code] <= now) or (
                each.next_look is not None and each.next_look <= now
            )
            if self._real() < each.again_at or not (
                due or self._real() - each.visited_at >= VISIT_EVERY or not each.well
            ):
                continue
            whole = _sum(whole, self._visit(each, now))
            # In the middle of a long round as well, or a busy system would look dead.
            self._beat(now)
        if any(each.well and each.code not in self._beaten for each in self._centres):
            self._beat_at = float("-inf")  # a start, or a centre that is back: nobody waits to see it
        self._beat(now)
        waiting = [look for look in looks.values() if look > now]
        waiting += [
            each.next_look for each in self._centres if each.next_look is not None and each.next_look > now
        ]
        soonest = min([*waiting, *([whole.next_look] if whole.next_look else [])], default=None)
        return replace(whole, next_look=soonest)

    def _visit(self, each: _Centre, now: datetime) -> TickResult:
        try:
            result = each.loop.tick(now)
        except Exception as error:
            each.well = False
            each.rest = min(max(FIRST_REST, each.rest * 2), LONGEST_REST)
            each.again_at = self._real() + each.rest
            log.error("centre %s cannot be judged, left alone for %.0f s: %s", each.code, each.rest, error)
            if isinstance(error, PASSING):
                # Its own matter (a statement that takes too long), or is the database away? Then this says so.
                self.close()
                self._open().execute("select 1")
            return TickResult(failed=1)
        each.visited_at, each.well, each.rest = self._real(), True, 0.0
        each.next_look = result.next_look
        return result

    def _beat(self, now: datetime) -> None:
        """For the centres that are judged; one that is not falls silent, and its wall says so."""
        if self._real() - self._beat_at < BEAT_EVERY:
            return
        self._beat_at = self._real()
        details = {each.code: each.loop.detail() for each in self._centres if each.well}
        self._beaten = frozenset(details)
        if details:
            beat_all(self._open(), "rules", details, now=now)

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, application="mingjing rules", autocommit=True)
        return self._connection

    # -- between rounds ----------------------------------------------------------------------------------------------

    def _pause(self, next_look: datetime | None) -> float:
        if next_look is None:
            return POLL
        return min(POLL, max(0.0, self._clock.real_seconds(next_look - self._clock.now())))

    def _listen(self, ears: Connection, seconds: float, stop: threading.Event) -> None:
        """Returns when something may be due, at the latest after ``seconds``."""
        end = self._real() + seconds
        while not stop.is_set():
            left = max(0.01, end - self._real())
            heard = [note.payload for note in ears.notifies(timeout=left, stop_after=1)]
            if not heard or not WAKING.isdisjoint(heard) or self._real() >= end:
                return


def _sum(whole: TickResult, part: TickResult) -> TickResult:
    looks = [look for look in (whole.next_look, part.next_look) if look is not None]
    return TickResult(
        whole.judged + part.judged,
        whole.changed + part.changed,
        whole.failed + part.failed,
        whole.more or part.more,
        min(looks, default=None),
        whole.held or part.held,
    )


__all__ = ["BEAT_EVERY", "TURN", "Circuit", "MakeLoop"]
