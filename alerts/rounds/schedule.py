"""What is still to be sent about a finding, and when. Pure.

One function decides the moments (:meth:`Timetable.next_at`), for the loop that sends and for the page that shows the next five
sends: what the page shows is what happens, unless somebody acts.

Reminders come one ``remind_every`` after the other, counted from the one before; steps of the escalation count from the first
message. Both count office time where the route says so, and neither comes in quiet hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from heapq import merge
from typing import Literal

from alerts.reasons import Reason, Why
from alerts.roster import Roster
from domain.centre import Centre
from domain.finding_life import ENDS, LifeState
from domain.findings import Finding, FindingState
from domain.messages import DigestSettings, EscalationStep, Route, parse_time
from domain.recurring import Recurring
from domain.working_time import Calendar

#: Longest search for office hours or a day of a digest, in days.
A_YEAR = 366
#: Quiet hours and hours of a route that never leave a gap are not waited for.
_MOST_TURNS = 60
#: A message written again and again is a defect: more than this is never shown, however many are asked for.
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Course:
    """Where the messages of a finding stand: the row of the table ``escalation``, and when the newest reminder was written."""

    since: datetime
    level: int = 0
    reminders: int = 0
    reminded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be sent now.

    Args:
        why: a reminder or a step of the escalation.
        number: of the reminder or the step, from 1.
        level: steps that are done when this is sent.
        roles: who is told; at a reminder everybody whose turn has come, at a step those whom it adds.
        channels: in place of the centre's; None: those.
        at: when it was to be sent.
        missed: reminders that were to come before it, while nothing ran; they are not made up for.
        early: the step comes before its time, because nobody could be reached.
    """

    why: Why
    number: int
    level: int
    roles: tuple[str, ...]
    channels: tuple[str, ...] | None
    at: datetime
    missed: int = 0
    early: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A message that is to come.

    Args:
        at: the system's clock.
        why: reminder, escalation, digest; of what waits already what it is for.
        number, of: the how many-th reminder or step of how many; 0 where that says nothing.
        person: id; ``role:…`` where nobody fills the role at that moment.
        channel: the first that is tried; None: the centre's first.
        reason: what it waits for, if it is written already, or the silence that will keep it.
        unless: what would stop it; None: nothing but a revocation.
    """

    at: datetime
    why: Why
    person: str
    channel: str | None
    number: int = 0
    of: int = 0
    reason: Reason | None = None
    unless: Literal["acknowledged", "answered", "closed"] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A message that is written and waits."""

    until: datetime
    person: str
    channel: str
    reason: Reason
    why: Why | None = None


def over(
    state: FindingState, life: LifeState, until: Literal["acknowledged", "answered"], severity: str
) -> Reason | None:
    """Why nobody is reminded any more; None while somebody is to be.

    Who came back to his window has acted; the answer to a card is owed all the same.
    """
    if state == "revoked" or life == "revoked":
        return Reason.REVOKED
    owed = until == "answered" and severity != "notice"
    if (state == "closed" and not owed) or life in ENDS:
        return Reason.OVER
    waited_for = ("open",) if until == "acknowledged" else ("open", "acknowledged")
    return None if life in waited_for else Reason.ACKNOWLEDGED


class Timetable:
    """The moments of one finding on one route.

    Args:
        severity: of the finding; quiet hours may spare it.
    """

    def __init__(self, route: Route, severity: str, centre: Centre) -> None:
        self.route, self._calendar = route, centre.working_time
        quiet = centre.messages.quiet
        self._quiet = None if quiet is None or severity in quiet.spared else quiet

    def allowed(self, at: datetime) -> datetime:
        """The first moment from ``at`` on at which a message of this route may leave."""
        for _ in range(_MOST_TURNS):
            later = at if self._quiet is None else self._quiet.until(at, self._calendar)
            if self.route.hours == "working":
                later = next_office_time(self._calendar, later)
            if later == at:
                break
            at = later
        return at

    def after(self, start: datetime, minutes: float) -> datetime:
        """So many minutes later, of office time where the route says so; never in quiet hours."""
        span = timedelta(minutes=minutes)
        if self.route.hours == "working":
            later = self._calendar.after_office_time(start, span, days=A_YEAR)
            if later is not None:
                return self.allowed(later)
        return self.allowed(start + span)

    def reminder_at(self, course: Course) -> datetime | None:
        """When the next reminder is to come; None: none is."""
        every = self.route.remind_every
        if every is None or course.reminders >= self.route.most_reminders:
            return None
        return self.after(course.reminded_at or course.since, every)

    def step_at(self, course: Course) -> datetime | None:
        """When the next step of the escalation is to come; None: all are done."""
        step = self._step(course.level)
        return None if step is None else self.after(course.since, step.after)

    def next_at(self, course: Course) -> datetime | None:
        """When something is to be sent next; None: nothing more."""
        moments = [each for each in (self.reminder_at(course), self.step_at(course)) if each is not None]
        return min(moments, default=None)

    def due(self, course: Course, now: datetime, *, unreached: bool = False) -> list[Due]:
        """What is to be sent at ``now``: of each kind and for each person once, however much was missed.

        Args:
            unreached: no message of this finding can reach anybody any more; the next step comes at once.
        """
        steps = list(self._steps_due(course, now, unreached))
        done = course.level
        reminder = self.reminder_at(course)
        if reminder is None or reminder > now:
            return steps
        missed, last = 0, replace(course, reminded_at=reminder, reminders=course.reminders + 1)
        while (later := self.reminder_at(last)) is not None and later <= now:
            missed, last = missed + 1, replace(last, reminded_at=later, reminders=last.reminders + 1)
        roles = self._told(course, now)
        told = Due(Why.REMINDER, course.reminders + 1, done, roles, self._channels(0), reminder, missed)
        return [told, *steps]

    def advanced(self, course: Course, sent: Sequence[Due], now: datetime) -> Course:
        """The course after these were sent at ``now``."""
        for each in sent:
            if each.why is Why.REMINDER:
                course = replace(course, reminders=each.number, reminded_at=now)
            else:
                course = replace(course, level=max(course.level, each.level))
        return course

    def _steps_due(self, course: Course, now: datetime, unreached: bool) -> Iterator[Due]:
        told = {*self.route.to, *(role for step in self.route.escalate[: course.level] for role in step.to)}
        early = unreached
        while (at := self.step_at(course)) is not None and (at <= now or early):
            step, level = self.route.escalate[course.level], course.level + 1
            # Whoever missed several steps hears of the finding once.
            roles = tuple(role for role in step.to if role not in told)
            told.update(roles)
            course = replace(course, level=level)
            yield Due(
                Why.ESCALATION, level, level, roles, self._channels(level), min(at, now), early=at > now
            )
            early = False

    def _told(self, course: Course, now: datetime) -> tuple[str, ...]:
        """Roles told long enough ago to be reminded: nobody hears twice within one ``remind_every``."""
        every = self.route.remind_every or 0.0
        roles = dict.fromkeys(self.route.to)
        for step in self.route.escalate[: course.level]:
            if self.after(self.after(course.since, step.after), every) <= now:
                roles.update(dict.fromkeys(step.to))
        return tuple(roles)

    def _step(self, level: int) -> EscalationStep | None:
        return self.route.escalate[level] if level < len(self.route.escalate) else None

    def _channels(self, level: int) -> tuple[str, ...] | None:
        own = self.route.escalate[level - 1].channels if level else None
        channels = own or self.route.channels
        return None if channels is None else tuple(channels)


def next_office_time(calendar: Calendar, at: datetime) -> datetime:
    """``at`` inside office hours, else the next opening; ``at`` where a year has none."""
    first = calendar.local_date(at)
    for ordinal in range(first, first + A_YEAR):
        for begin, end in calendar.office_spans(ordinal):
            if at < end:
                return max(at, begin)
    return at


def digest_moments(digest: DigestSettings, calendar: Calendar, after: datetime) -> Iterator[datetime]:
    """The moments of the daily digest later than ``after``, in order, for a year."""
    days, minute = Recurring(days=digest.days), parse_time(digest.at)
    first = calendar.local_date(after)
    for ordinal in range(first, first + A_YEAR):
        at = calendar.at_minute(ordinal, minute)
        if at > after and days.covers(at, calendar):
            yield at


def tells_of(digest: DigestSettings, rule: str) -> bool:
    """Whether the daily digest tells of findings of a rule."""
    return digest.rules is None or any(fnmatchcase(rule, pattern) for pattern in digest.rules)


def last_digest_moment(digest: DigestSettings, calendar: Calendar, upto: datetime) -> datetime | None:
    """The newest moment of the daily digest that is not later than ``upto``; None: not within a year."""
    days, minute = Recurring(days=digest.days), parse_time(digest.at)
    last = calendar.local_date(upto)
    for ordinal in range(last, last - A_YEAR, -1):
        at = calendar.at_minute(ordinal, minute)
        if at <= upto and days.covers(at, calendar):
            return at
    return None


#: (person, channels of the route or step) → the channel that is tried first.
FirstChannel = Callable[[str, Sequence[str] | None], str | None]


def first_named(_person: str, channels: Sequence[str] | None) -> str | None:
    """The first channel that is named."""
    return channels[0] if channels else None


def next_sends(
    finding: Finding,
    life: LifeState,
    route: Route,
    centre: Centre,
    roster: Roster,
    now: datetime,
    *,
    course: Course | None,
    held: Sequence[Held] = (),
    count: int = 5,
    first_channel: FirstChannel = first_named,
) -> list[Planned]:
    """The next sends about a finding, soonest first.

    Args:
        life: how far people are with it.
        course: where reminders and escalation stand; None: nothing is to come of them.
        held: its messages that are written and wait.
        count: moments that are looked ahead; at one moment several people may be told.
        first_channel: which channel of a person is tried first.
    """
    stopped = over(finding.state, life, route.until, finding.severity)
    streams: list[Iterator[Planned]] = [
        iter(sorted((_waiting(each, now) for each in held), key=lambda each: each.at)),
    ]
    if course is not None and stopped is None:
        streams.append(_course_sends(finding, route, centre, roster, now, course, first_channel))
    if stopped is not Reason.REVOKED:
        streams.append(_digest_sends(finding, centre, roster, now, first_channel))
    found: list[Planned] = []
    moments: set[datetime] = set()
    for each in merge(*streams, key=lambda each: each.at):
        moments.add(each.at)
        if len(moments) > count or len(found) >= MOST_SHOWN:
            break
        found.append(each)
    return found


def _waiting(held: Held, now: datetime) -> Planned:
    again = held.why in (Why.REMINDER, Why.ESCALATION)
    unless: Literal["acknowledged", "closed"] | None = None
    if again:
        unless = "acknowledged"
    elif held.reason is Reason.HOLD_FOR:
        unless = "closed"
    why = held.why or Why.OPENED
    return Planned(max(held.until, now), why, held.person, held.channel, reason=held.reason, unless=unless)


def _course_sends(
    finding: Finding,
    route: Route,
    centre: Centre,
    roster: Roster,
    now: datetime,
    course: Course,
    first_channel: FirstChannel,
) -> Iterator[Planned]:
    times = Timetable(route, finding.severity, centre)
    roles = [*route.to, *(role for step in route.escalate[: course.level] for role in step.to)]
    told = set(_people(roles, finding, roster, now))
    while (at := times.next_at(course)) is not None:
        at = max(at, now)
        sent = times.due(course, at)
        for due in sent:
            of = route.most_reminders if due.why is Why.REMINDER else len(route.escalate)
            for person in _people(due.roles, finding, roster, at):
                if due.why is Why.ESCALATION and person in told:
                    continue  # he was told in another role
                told.add(person)
                channel = first_channel(person, due.channels)
                yield Planned(at, due.why, person, channel, due.number, of, unless=route.until)
        course = times.advanced(course, sent, at)


def _digest_sends(
    finding: Finding, centre: Centre, roster: Roster, now: datetime, first_channel: FirstChannel
) -> Iterator[Planned]:
    """The next digest: it tells of the finding once as new; later ones count it as long as nobody has answered."""
    digest = centre.messages.digest
    if digest is None or not tells_of(digest, finding.rule):
        return
    for at in digest_moments(digest, centre.working_time, now):
        for person in _people(tuple(digest.to), finding, roster, at):
            yield Planned(at, Why.DIGEST, person, first_channel(person, None))
        return


def _people(roles: Sequence[str], finding: Finding, roster: Roster, at: datetime) -> list[str]:
    """Who holds the roles at a moment, each once; ``role:…`` where nobody does."""
    people: dict[str, None] = {}
    for role in roles:
        held = roster.holders(role, finding.window, at).people
        people.update(dict.fromkeys(held or (f"role:{role}",)))
    return list(people)
