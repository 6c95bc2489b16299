"""Reminders and escalation: a finding whose moment has come is looked at once more, and whoever is still to hear of it is told.

What is found in the database decides, not what was thought before: an acknowledgement, an answer or a revocation that was committed
before the look ends the course; one that comes at the same moment waits for it. After a long pause nobody gets more than one
message of a kind; what was missed stands in the evidence chain.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from alerts.matcher import route_of
from alerts.reasons import Reason, Why
from alerts.rounds.schedule import Course, Due, Timetable, over
from alerts.states import CORRECTION
from domain.centre import Centre
from domain.chain import Entry
from domain.findings import Finding
from domain.messages import Route
from store import Connection, chain
from store.connection import PASSING
from store.dead_letters import Refusal, write_dead_letters
from store.finding_life import finding_of
from store.reading import finding as read_finding

log = logging.getLogger(__name__)

#: Findings looked at in one transaction.
BATCH = 25
#: How long one that cannot be looked at waits.
PUSH_AHEAD = timedelta(hours=1)
#: Kinds of rows in the evidence chain.
ESCALATED, MISSED = "message.escalated", "message.missed"

# Whoever holds the finding's row (a click, the rules) is not waited for: he may be waiting for this row.
_CLAIM = """
select e.finding_id, e.route, e.since, e.level, e.reminders, f.subject, f.life
from escalation e join finding f on f.finding_id = e.finding_id
where e.centre = %s and e.next_at <= %s order by e.next_at limit %s
for update of e skip locked for share of f skip locked
"""
# Whether anybody can have it, as alerts.next_channel asks when it makes the next step due at once; and until when the first message
# waits, where all of them do.
_REACHED = """
select u.f, (select max(created_at) from outbox o where o.finding_id = u.f and o.why = 'reminder'),
       exists (select 1 from outbox o where o.finding_id = u.f and o.template <> %(correction)s
               and o.state in ('held', 'ready', 'leased', 'sent', 'delivered', 'gathered')),
       (select case when bool_and(o.state = 'held') then min(o.held_until) end from outbox o
        where o.finding_id = u.f and o.template <> %(correction)s and o.state <> 'skipped')
from unnest(%(findings)s::text[]) as u (f)
"""


class Again(Protocol):
    """What of the planner is called (:meth:`alerts.planner.Planner.again`)."""

    def again(
        self,
        connection: Connection,
        finding: Finding,
        *,
        why: Why,
        to_roles: Sequence[str],
        channels: Sequence[str] | None,
        level: int,
        number: int,
        now: datetime,
        since: datetime | None = None,
        waited: float | None = None,
    ) -> int: ...


@dataclass(slots=True)
class Escalated:
    """What one turn did: findings told of again, courses that are over, those that could not be looked at."""

    told: int = 0
    over: int = 0
    failed: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """A course as it was claimed."""

    finding: str
    route: str | None
    course: Course
    subject: str
    life: Any
    reached: bool
    waits_until: datetime | None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Looks at the findings of one centre whose messages go on."""

    centre: Centre
    planner: Again
    batch: int = BATCH
    routes: dict[str, Route] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.routes.update({route.id: route for route in self.centre.messages.routes})

    def __call__(self, connection: Connection, now: datetime) -> Escalated:
        """One turn, inside the caller's transaction; rows that another loop holds are left to it."""
        code, done = self.centre.centre.id, Escalated()
        rows = self._claim(connection, code, now)
        done.more = len(rows) == self.batch
        entries: list[Entry] = []
        refusals: list[Refusal] = []
        for row in rows:
            try:
                with connection.transaction():
                    entries += self._look(connection, row, now, done)
            except PASSING:
                raise
            except Exception as error:
                log.error("finding %s cannot be told of again: %r", row.finding, error, exc_info=error)
                self._save(connection, row.finding, row.course, now + PUSH_AHEAD)
                refusals.append(_refusal(row.finding, error, now))
                done.failed += 1
        write_dead_letters(connection, refusals, now=now)
        # Last of all rows, as everywhere.
        chain.append(connection, code, entries, now)
        return done

    def next_at(self, connection: Connection) -> datetime | None:
        """When something is due next; None: nothing goes on."""
        row = connection.execute(
            "select next_at from escalation where centre = %s order by next_at limit 1",
            [self.centre.centre.id],
        ).fetchone()
        return None if row is None else row[0]

    def route(self, name: str | None, finding: Finding) -> Route:
        """The route a course began on, as the centre file has it now; one that is gone is another."""
        return self.routes.get(name or "") or route_of(finding, self.centre)

    def _claim(self, connection: Connection, code: str, now: datetime) -> list[_Row]:
        rows = connection.execute(_CLAIM, [code, now, self.batch]).fetchall()
        known = {
            finding: known
            for finding, *known in connection.execute(
                _REACHED, {"findings": [row[0] for row in rows], "correction": CORRECTION}
            )
        }
        return [
            _Row(
                finding,
                route,
                Course(since, level, reminders, known[finding][0]),
                subject,
                life,
                *known[finding][1:],
            )
            for finding, route, since, level, reminders, subject, life in rows
        ]

    def _look(self, connection: Connection, row: _Row, now: datetime, done: Escalated) -> list[Entry]:
        finding = finding_of(read_finding(connection, row.finding))
        route = self.route(row.route, finding)
        if over(finding.state, row.life, route.until, finding.severity) is not None:
            self._save(connection, row.finding, row.course, None)
            done.over += 1
            return []
        course, times = row.course, Timetable(route, finding.severity, self.centre)
        if row.waits_until is not None and row.waits_until > course.since:
            # A new silence, or new quiet hours, keep the first message: nobody is reminded of what he has not been told.
            course = replace(course, since=max(row.waits_until, now))
        sent: list[Due] = []
        reached = row.reached
        while due := times.due(course, now, unreached=not reached):
            for each in due:
                self._tell(connection, finding, route, course, each, now)
            course, sent = times.advanced(course, due, now), [*sent, *due]
            # Where the next ones cannot be told either, it is the turn of those after them.
            reached = reached or self._is_settled(connection, finding.finding_id, course.level)
        ahead = times.next_at(course)
        # Never a moment that is due already: a course that stands still would wake the loop again and again.
        self._save(connection, row.finding, course, None if ahead is None else max(ahead, now + _TICK))
        done.told += any(each.roles for each in sent)
        done.over += ahead is None
        return [entry for each in sent for entry in _entries(row, each)]

    def _tell(
        self, connection: Connection, finding: Finding, route: Route, course: Course, due: Due, now: datetime
    ) -> None:
        if not due.roles:
            return
        waited = None
        if due.why is Why.ESCALATION and not due.early:
            waited = route.escalate[due.level - 1].after
            if route.hours == "always":
                waited = max(waited, (now - course.since) // timedelta(minutes=1))
        self.planner.again(
            connection,
            finding,
            why=due.why,
            to_roles=due.roles,
            channels=due.channels,
            level=due.level,
            number=due.number,
            now=now,
            since=course.since,
            waited=waited,
        )

    def _is_settled(self, connection: Connection, finding: str, level: int) -> bool:
        """Whether somebody can have a message, or a worse finding speaks for this one."""
        row = connection.execute(_REACHED, {"findings": [finding], "correction": CORRECTION}).fetchone()
        inhibited = connection.execute(
            "select 1 from outbox where finding_id = %s and why = %s and level = %s and reason = %s limit 1",
            [finding, Why.ESCALATION.value, level, Reason.INHIBITED.value],
        ).fetchone()
        return inhibited is not None or (row is not None and row[2])

    def _save(self, connection: Connection, finding: str, course: Course, next_at: datetime | None) -> None:
        if next_at is None:
            connection.execute("delete from escalation where finding_id = %s", [finding])
            return
        connection.execute(
            "update escalation set since = %s, level = %s, reminders = %s, next_at = %s where finding_id = %s",
            [course.since, course.level, course.reminders, next_at, finding],
        )


_TICK = timedelta(microseconds=1)


def _entries(row: _Row, due: Due) -> list[Entry]:
    """Who is told above those told before, and what was missed, for the evidence chain."""
    if due.why is Why.ESCALATION:
        payload: dict[str, Any] = {"level": due.level, "to": list(due.roles), "due_at": due.at.isoformat()}
        if due.early:
            payload["nobody_reached"] = True
        return [Entry(ESCALATED, row.subject, payload, row.finding)]
    if due.missed:
        payload = {"reminders": due.missed, "first_due_at": due.at.isoformat()}
        return [Entry(MISSED, row.subject, payload, row.finding)]
    return []


def _refusal(finding: str, error: Exception, now: datetime) -> Refusal:
    return Refusal(
        "rules", finding.encode(), "escalation_failed", f"cannot be told of again: {error!r}"[:1000], at=now
    )


__all__ = ["BATCH", "ESCALATED", "MISSED", "PUSH_AHEAD", "Again", "Escalated", "Escalation"]
