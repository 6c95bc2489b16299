"""One turn of all that happens to messages later; called by the rule loop each time something may be due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from alerts import metrics
from alerts.planner import Planner
from alerts.rounds.digest import Daily
from alerts.rounds.escalation import Escalation
from alerts.rounds.release import Release
from domain.centre import Centre
from store import Connection
from store.connection import PASSING

log = logging.getLogger(__name__)

#: How long a part that failed as a whole is left alone, on the system's clock. Nothing is lost: what is due stays due.
REST = timedelta(minutes=1)


class Rounds:
    """Reminders and escalation, what waits, digests: of one centre. Any number of them may run on one database.

    Args:
        planner: writes reminders and steps through its stages, and knows addresses and links.
    """

    def __init__(self, centre: Centre, planner: Planner) -> None:
        desk = f"{planner.links.base_url.rstrip('/')}/desk" if planner.links.base_url else ""
        self._release = Release(centre, desk, planner.links.lifetime, planner.give_up_after)
        self._escalation = Escalation(centre, planner)
        self._daily = Daily(centre, planner.addresses, desk, planner.give_up_after)
        self._code = centre.centre.id
        self._resting: dict[str, datetime] = {}

    def __call__(self, connection: Connection, now: datetime) -> datetime | None:
        """Does what is due at ``now``, each part in a transaction of its own.

        Returns:
            The next moment at which something is due (``now``: at once), None: nothing waits.

        Raises:
            psycopg.OperationalError, psycopg.InterfaceError: the database is away; nothing half done is left.
        """
        ahead = self._escalation.next_at(connection)
        moments = [
            ahead
            if ahead is None or ahead > now
            else self._part("escalation", connection, now, self._escalate),
            # Always asked after the escalation, which may have written what waits.
            self._part("release", connection, now, self._let_go),
            self._part("digest", connection, now, self._report),
        ]
        return min((each for each in moments if each is not None), default=None)

    def _part(
        self,
        name: str,
        connection: Connection,
        now: datetime,
        do: Callable[[Connection, datetime], datetime | None],
    ) -> datetime | None:
        """One part; where it fails as a whole, the others go on."""
        rests = self._resting.get(name)
        if rests is not None and now < rests:
            return rests
        try:
            found = do(connection, now)
        except PASSING:
            raise
        except Exception as error:
            log.error("%s of messages in %s failed: %r", name, self._code, error, exc_info=error)
            metrics.ROUNDS_FAILED.labels(name).inc()
            self._resting[name] = now + REST
            return now + REST
        self._resting.pop(name, None)
        return found

    def _escalate(self, connection: Connection, now: datetime) -> datetime | None:
        with connection.transaction():
            done = self._escalation(connection, now)
        _note("told again", self._code, done.told, done)
        return now if done.more else _ahead(self._escalation.next_at(connection), now)

    def _let_go(self, connection: Connection, now: datetime) -> datetime | None:
        ahead = self._release.next_at(connection)
        if ahead is None or ahead > now:
            return ahead
        with connection.transaction():
            done = self._release(connection, now)
        _note("let go", self._code, done.alone + done.digests, done)
        return now if done.more else _ahead(self._release.next_at(connection), now)

    def _report(self, connection: Connection, now: datetime) -> datetime | None:
        ahead = self._daily.next_at(now)
        if ahead is None or ahead > now:
            return ahead
        with connection.transaction():
            written = self._daily(connection, now)
        _note("digests of the day", self._code, written, written)
        return self._daily.next_at(now)


def _ahead(moment: datetime | None, now: datetime) -> datetime | None:
    """What is due still is in the hands of another loop, or of a click: it is asked again in a second."""
    return None if moment is None else max(moment, now + timedelta(seconds=1))


def _note(what: str, centre: str, number: int, done: Any) -> None:
    if number:
        log.info("messages %s: %s", what, done, extra={"centre": centre})


__all__ = ["REST", "Rounds"]
