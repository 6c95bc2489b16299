"""The rule loop: takes what is due, asks the rules, writes findings, steps and messages in one transaction.

Its cost follows the changes: it reads the partial index on ``look_at``, never the cases that can wait. It is woken by
``NOTIFY``, else by the next ``look_at``, else it looks once a second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from domain.centre import Centre
from domain.clock import Clock
from store import chain, judging
from store.blindness import watch_subjects
from store.connection import PASSING, Connection, connect, explain
from store.departments import keep_departments
from store.ingest import heartbeat
from store.judging import Kind
from store.reminders import mark_all_for_reminding
from store.sources import expect_sources
from store.subjects import adopt_linking, link_slice
from streams import metrics
from streams.clerk import PUSH_AHEAD, Clerk, Plan, no_messages
from streams.clock_watch import ClockWatch
from streams.holding import CLOCK_JUMPED, HELD, HOLD, reason_to_hold
from streams.judges import Answer, Court, Failed, Judged, Rules
from streams.linking import linking_of
from streams.outcomes import note_outcomes
from streams.oversight import subjects_watched
from streams.reminding import Remind, remind_due, remind_nobody
from streams.rule_settings import world_id

log = logging.getLogger(__name__)

KINDS: tuple[Kind, ...] = ("case", "window", "source", "subject")
#: Rows judged in one transaction at first, and how few and many they may become.
BATCH, SMALLEST, MOST = 50, 10, 500
#: Real seconds that a batch may hold its rows: the worker waits while they are locked.
HELD_FOR = 0.1
#: Batches of one kind in one tick, so that a flood of cases does not hold up the windows.
BATCHES = 10
#: Real seconds between looks when nothing wakes the loop, and between signs of life.
POLL = 1.0
#: Notifications after which something may be due.
WAKING = frozenset(("event", "window", "escalation"))
#: Real seconds for which messages to come later give way: to a backlog that may end what they are about, and to the worker that
#: catches up after a start.
ROUNDS_WAIT, ROUNDS_GRACE = 5.0, 60.0

#: (connection, now): does what is due of messages to come later, in transactions of its own; returns when it is due next.
Rounds = Callable[[Connection, datetime], datetime | None]


def no_rounds(_connection: Connection, _now: datetime) -> datetime | None:
    """Nothing comes later."""
    return None


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one tick did. ``more``: something is due at once. ``next_look``: the next moment known, None = none. ``held``: why
    cases were not judged, None = they were."""

    judged: int = 0
    changed: int = 0
    failed: int = 0
    more: bool = False
    next_look: datetime | None = None
    held: str | None = None


class RuleLoop:
    """One loop for one centre; any number of them may run on one database.

    Args:
        plan: writes messages into the outbox in the same transaction as the findings; called for many steps at once.
        remind: writes the messages about an answer that is late.
        rounds: reminders, escalation, what waits, digests; asked in each tick.
        batch: rows judged in one transaction at first; it then follows the time they take.
        batches: of one kind in one tick.
        open_connection: gives the connection, also when the last one is lost; default one of the loop's own.
        turn: called at least once for each batch, and at each turn of :meth:`run`: the loop lives.
        beats: whether ticks write the sign of life; a circuit of many loops writes it for all of them.
        watch: says when the clock is not to be believed.
    """

    def __init__(
        self,
        dsn: str,
        centre: Centre,
        clock: Clock,
        rules: Rules | None = None,
        plan: Plan = no_messages,
        *,
        remind: Remind = remind_nobody,
        rounds: Rounds = no_rounds,
        batch: int = BATCH,
        batches: int = BATCHES,
        open_connection: Callable[[], Connection] | None = None,
        beats: bool = True,
        turn: Callable[[], None] = lambda: None,
        real_time: Callable[[], float] = time.monotonic,
        watch: ClockWatch | None = None,
    ) -> None:
        self._dsn, self._centre, self._clock = dsn, centre, clock
        self._watch = watch or ClockWatch()
        self._turn = turn
        self._code = centre.centre.id
        rules = rules or Rules()
        answers_for = frozenset[str]() if centre.findings is None else centre.findings.answers_for
        self._court, self._clerk = Court(centre, rules), Clerk(self._code, plan, answers_for)
        self._remind, self._rounds = remind, rounds
        self._rounds_at = float("-inf")
        self._linking = linking_of({self._code: centre}, rules.families)
        self._staffed = centre.rules.staffing is not None
        self._size, self._batches, self._beats, self._real = batch, batches, beats, real_time
        self._new_connection = open_connection or (
            lambda: connect(dsn, application="mingjing rules", autocommit=True)
        )
        self._connection: Connection | None = None
        self._adopted = False
        self._beat_at = float("-inf")
        self._held: str | None = None
        self._held_since: float | None = None
        self._world: str | None = None

    def tick(self, now: datetime) -> TickResult:
        """Judges what is due at ``now``.

        Raises:
            psycopg.OperationalError, psycopg.InterfaceError: the database is away; nothing half done is left, and the
                next tick goes on with a new connection.
        """
        began = self._real()
        try:
            result = self._tick(self._open(now), now)
        except PASSING as error:
            if isinstance(error, psycopg.errors.QueryCanceled):
                # So many rows cannot be judged in the time a statement has; fewer may be.
                self._size = max(1, self._size // 2)
            self.close()
            raise
        metrics.note_tick(result, self._real() - began, self._held_for())
        return result

    def detail(self) -> dict[str, Any]:
        """What goes with the sign of life: the world findings rest on, why cases wait and for how long."""
        clock = self._watch.detail()
        return {"world": self._world, "held": self._held, "held_for": self._held_for(), "clock": clock}

    def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def run(self, stop: threading.Event) -> None:
        """Ticks until ``stop``; while the database is away, waits with growing pauses."""
        pause = 0.1
        try:
            while not stop.is_set():
                try:
                    with connect(self._dsn, application="mingjing rules listening", autocommit=True) as ears:
                        ears.execute("listen mingjing")
                        while not stop.is_set():
                            self._turn()
                            now = self._clock.now()
                            result = self.tick(now)
                            metrics.note_delay(result.next_look, now, self._clock)
                            pause = 0.1
                            if result.held is not None:
                                # Whatever wakes the loop now would find it held still.
                                stop.wait(HOLD)
                            elif not result.more:
                                self._listen(ears, self._pause(result.next_look), stop)
                except (*PASSING, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
                    # A schema that is not there yet comes with the migration.
                    self.close()
                    self._turn()
                    log.warning("database away or not migrated (%s)", explain(error))
                    stop.wait(pause)
                    pause = min(pause * 2, 5.0)
        finally:
            self.close()

    # -- one tick ----------------------------------------------------------------------------------------------------

    def _tick(self, connection: Connection, now: datetime) -> TickResult:
        judged = changed = failed = 0
        more = False
        held = CLOCK_JUMPED if self._watch.distrusts() else reason_to_hold(connection)
        if held is None:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = self._real()
            log.info("cases wait: %s", held)
        linked = "done" if self._linking is None else link_slice(connection, self._code, self._linking)
        for kind in KINDS:
            if held == CLOCK_JUMPED or (held is not None and kind in HELD):
                continue
            if linked != "done" and (kind == "subject" or (kind == "window" and self._staffed)):
                # Judged without all of its events it would be judged wrongly; late is better.
                continue
            for _ in range(self._batches):
                outcomes, full = self._judge_batch(connection, kind, now)
                judged += len(outcomes)
                failed += sum(isinstance(outcome, Failed) for outcome in outcomes)
                changed += sum(len(outcome.changes) for outcome in outcomes if isinstance(outcome, Answer))
                if not full:
                    break
            else:
                more = True
        if held != CLOCK_JUMPED:
            _, late = remind_due(connection, self._centre, now, self._remind)
            more = more or late
        later = self._go_rounds(connection, now, held, more)
        more = more or linked == "more" or (later is not None and later <= now)
        self._held = held
        if self._beats and self._real() - self._beat_at >= POLL:
            heartbeat(connection, "rules", now=now, instance=self._code, detail=self.detail())
            self._beat_at = self._real()
        looks = [judging.next_look(connection, self._code), later]
        next_look = min((each for each in looks if each is not None), default=None)
        return TickResult(judged, changed, failed, more, next_look, held)

    def _go_rounds(
        self, connection: Connection, now: datetime, held: str | None, more: bool
    ) -> datetime | None:
        """Messages that come later. Not while cases are judged that may end what they are about, but not never either."""
        if held == CLOCK_JUMPED or (held is not None and self._held_for() < ROUNDS_GRACE):
            return None
        if more and self._real() - self._rounds_at < ROUNDS_WAIT:
            return None
        self._rounds_at = self._real()
        return self._rounds(connection, now)

    def _judge_batch(self, connection: Connection, kind: Kind, now: datetime) -> tuple[list[Judged], bool]:
        """What became of one batch, and whether it was full, so that more may be due."""
        began = self._real()
        self._turn()
        with connection.transaction():
            dues = judging.claim_due(connection, kind, self._code, now, self._size)
            if not dues:
                return [], False
            outcomes = self._clerk.write(connection, kind, self._court.judge(connection, dues, now), now)
        note_outcomes(outcomes)
        full = len(dues) == self._size
        if full:
            self._adapt(self._real() - began)
        return outcomes, full

    def _adapt(self, took: float) -> None:
        """The next batch, so that it holds its rows about as long as a writer may be kept waiting."""
        fitting = round(self._size * HELD_FOR / max(took, 0.001))
        # Half or double at most: one slow commit says little about the next.
        bounded = min(max(fitting, self._size // 2), self._size * 2)
        self._size = min(max(bounded, SMALLEST), MOST)

    # -- around it ---------------------------------------------------------------------------------------------------

    def _open(self, now: datetime) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._new_connection()
        if not self._adopted:
            self._adopt(self._connection, now)
            self._adopted = True
        return self._connection

    def _adopt(self, connection: Connection, now: datetime) -> None:
        """Once at the start: keeps today's limits for the cases that begin under them, and judges everything again if the
        centre file, the published calendars or the rules are not those of the last time."""
        self._world = world_id(self._centre)
        self._watch.remember(connection)
        with connection.transaction():
            judging.keep_settings(connection, self._court.settings_id, self._court.settings, now)
            cameras = [camera.id for camera in self._centre.cameras]
            expect_sources(connection, "camera", self._code, cameras, now)
            keep_departments(connection, self._centre, now)
            watch_subjects(connection, self._code, subjects_watched(self._centre))
            row = connection.execute(
                "select detail ->> 'world' from heartbeat where role = 'rules' and instance = %s",
                [self._code],
            ).fetchone()
            if row is not None and row[0] not in (None, self._world):
                count = judging.judge_everything_again(connection, self._code)
                log.info("settings or calendars have changed: judging %d rows again", count)
                mark_all_for_reminding(connection, self._code)
            signature = self._linking.signatures[self._code] if self._linking is not None else None
            adopt_linking(connection, self._code, signature, now)
            heartbeat(connection, "rules", now=now, instance=self._code, detail=self.detail())
            calendar = self._centre.working_time.version
            in_force = {"settings": self._court.settings_id, "world": self._world, "calendar": calendar}
            chain.note_settings(connection, self._code, in_force, now)

    def _held_for(self) -> float:
        """Real seconds since cases were last judged without holding back; the wall counts them as silence."""
        return 0.0 if self._held_since is None else round(self._real() - self._held_since, 1)

    def _pause(self, next_look: datetime | None) -> float:
        if next_look is None:
            return POLL
        return min(POLL, max(0.0, self._clock.real_seconds(next_look - self._clock.now())))

    def _listen(self, ears: Connection, seconds: float, stop: threading.Event) -> None:
        """Returns when something may be due, at the latest after ``seconds``."""
        end = self._real() + seconds
        while not stop.is_set():
            # At least a moment: a row that another loop holds stays due, and asking on and on would not help.
            left = max(0.01, end - self._real())
            heard = [note.payload for note in ears.notifies(timeout=left, stop_after=1)]
            if not heard or not WAKING.isdisjoint(heard) or self._real() >= end:
                return


__all__ = ["BATCH", "POLL", "PUSH_AHEAD", "Plan", "RuleLoop", "TickResult", "no_messages"]
