"""When somebody has to be at a window: open hours, less what excuses an empty one; and two findings about its people.

Excused: nobody rostered, everybody on leave, lunch duty of another window, cover by the B-post or the paired window
(AB岗, A10–A14; domain reference 3b). Not excused by itself: one of several on leave, or one with a substitute, for then
somebody else has to be there.

* ``staffing.no_substitute`` (notice): all of a window's people are away and nobody stands in (Kaifu 2019, A1: in a
  one-person window a substitute is mandatory). Short registered leave needs none.
* ``staffing.ab_away`` (yellow): A-post and B-post on leave at once (A12).

Both a day at a time. A cover holds until its end, at most until the end of its day, and only by someone who may: the B-
or A-post where the window names them, its paired window where it has one, anybody where it names neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from detectors.intervals import Interval, meet, minus, union
from detectors.limits import iso
from detectors.roster import Leave, find_leaves, on_duty, open_on, shifts_on, windows_of_person
from detectors.subject_events import Facts, facts_of
from detectors.verdict import Claim
from detectors.waiting import KINDS as QUEUE_KINDS
from detectors.waiting import waiting_at, windows_of_ticket
from domain import cover
from domain.centre import Centre, Window
from domain.events import Event
from domain.findings import Severity
from domain.rules.staffing import StaffingSettings
from domain.working_time import Calendar

NO_SUBSTITUTE, AB_AWAY = "staffing.no_substitute", "staffing.ab_away"
ARTICLES = {
    NO_SUBSTITUTE: "A1 (单人窗口请假须有替岗)",
    AB_AWAY: "A12 (A、B 岗不得同时离岗)",
}
KINDS = QUEUE_KINDS | {
    "leave.granted", "leave.ended", "cover.started", "cover.ended", "attendance.clock_in", "attendance.clock_out",
}  # fmt: skip
OnDuty = tuple[Interval, frozenset[str]]


@dataclass(frozen=True)
class Duty:
    """When a window has to be staffed, by whom, and what is wrong with that.

    ``spans``: the days judged, whole; ``edges``: moments to come at which they, or who is on duty, change.
    """

    window: Window
    calendar: Calendar
    facts: Facts
    spans: list[Interval]
    people: list[OnDuty]
    leaves: list[Leave]
    covers: list[Interval]
    claims: list[Claim] = field(default_factory=list)
    edges: list[datetime] = field(default_factory=list)

    def why_ended(self, at: datetime) -> str:
        """Why nobody has to be there from a moment on: ``covered``, ``leave``, or ``closed``."""
        if any(start <= at < end for start, end in self.covers):
            return "covered"
        return "leave" if any(leave.start == at for leave in self.leaves) else "closed"

    def on_duty(self, at: datetime) -> list[str]:
        return sorted({who for (a, b), people in self.people if a <= at < b for who in people})

    def told(self, at: datetime) -> dict[str, Any]:
        """What an absence finding that opens at a moment says about people, as known then."""
        people = self.on_duty(at)
        day = self.calendar.day_start(self.calendar.local_date(at))
        came = {
            event.staff for event in self.facts.of("attendance.clock_in") if day <= event.occurred_at <= at
        }
        queue = waiting_at(self.window, self.facts.events, self.calendar, at)
        row: dict[str, Any] = {
            "on_duty": people,
            "clocked_in": [person for person in people if person in came],
            "leave": [
                x.told(self.calendar) for x in self.leaves if x.start <= at < x.end and x.granted <= at
            ],
            "waiting": {"count": queue.count},
        }
        if queue.since is not None:
            row["waiting"]["since"] = self.calendar.local(queue.since).isoformat()
        return row

    def status(self, now: datetime) -> dict[str, Any]:
        queue = waiting_at(self.window, self.facts.events, self.calendar, now)
        return {"on_duty": self.on_duty(now), "waiting": queue.count, "waiting_since": queue.since}


def duty_of(window: str, centre: Centre, events: Iterable[Event], begin: datetime, now: datetime) -> Duty:
    """The duty of a window over the local days from ``begin`` to ``now``. Pure; depends on the set of events."""
    rules = centre.rules.staffing or StaffingSettings()
    calendar = centre.open_time(window)
    place = centre.window_by_id.get(window) or Window(id=window)
    facts = facts_of(events, now)
    leaves = find_leaves(facts.events, calendar, backdated=rules.backdated)
    covers = find_covers(place, facts, centre, calendar)
    spans: list[Interval] = []
    people: list[OnDuty] = []
    claims: list[Claim] = []
    for ordinal in range(calendar.local_date(begin), calendar.local_date(now) + 1):
        opened = open_on(place, ordinal, calendar)
        shifts = shifts_on(place, ordinal, calendar)
        today = [x for x in leaves if meet([(x.start, x.end)], _day_of(ordinal, calendar))]
        named = on_duty(shifts, today)
        people += [(span, there) for span, _, there in named]
        if shifts or place.roster is not None:
            gaps = [(span, staff) for span, staff, there in named if not there]
            if rules.substitute:
                uncovered = minus(opened, covers)
                claims += _unreplaced(gaps, uncovered, today, place, ordinal, calendar, rules)
            opened = meet(opened, [span for span, _, there in named if there])
        if rules.ab_away:
            claims += _both_away(place, open_on(place, ordinal, calendar), today, ordinal, calendar)
        spans += minus(opened, covers)
    edges = {edge for span in (*spans, *(span for span, _ in people)) for edge in span}
    ahead = [edge for edge in edges if edge > now]
    if facts.ahead is not None:
        ahead.append(facts.ahead)
    return Duty(place, calendar, facts, spans, people, leaves, covers, claims, sorted(ahead))


def _day_of(ordinal: int, calendar: Calendar) -> list[Interval]:
    return [(calendar.day_start(ordinal), calendar.day_start(ordinal + 1))]


def find_covers(window: Window, facts: Facts, centre: Centre, calendar: Calendar) -> list[Interval]:
    """When the B-post or the paired window serves for this one."""
    return union((each.start, each.end) for each in cover.find_covers(window, facts.events, centre, calendar))


def _unreplaced(
    gaps: Sequence[tuple[Interval, frozenset[str]]],
    opened: Sequence[Interval],
    leaves: Sequence[Leave],
    window: Window,
    ordinal: int,
    calendar: Calendar,
    rules: StaffingSettings,
) -> list[Claim]:
    short = timedelta(minutes=rules.short_leave)

    def longer(span: Interval, staff: frozenset[str]) -> list[Leave]:
        return [
            leave
            for leave in leaves
            if leave.staff in staff
            and leave.start <= span[0]
            and span[1] <= leave.end
            and leave.end - leave.start > short
        ]

    away = meet(opened, union(span for span, staff in gaps if longer(span, staff)))
    told = [leave for span, staff in gaps for leave in longer(span, staff)]
    return _day(NO_SUBSTITUTE, "", away, told, window, ordinal, calendar)


def _both_away(
    window: Window, opened: Sequence[Interval], leaves: Sequence[Leave], ordinal: int, calendar: Calendar
) -> list[Claim]:
    claims: list[Claim] = []
    for post in window.ab_posts or ():
        a, b = (
            [leave for leave in leaves if leave.staff == person and leave.substitute is None]
            for person in (post.a, post.b)
        )
        both = meet(union((x.start, x.end) for x in a), union((x.start, x.end) for x in b))
        claims += _day(AB_AWAY, f"{post.a}/{post.b}", meet(opened, both), [*a, *b], window, ordinal, calendar)
    return claims


def _day(
    rule: str,
    instance: str,
    spans: Sequence[Interval],
    leaves: Iterable[Leave],
    window: Window,
    ordinal: int,
    calendar: Calendar,
) -> list[Claim]:
    """One finding for what is wrong on one day, from its first moment to its last."""
    if not spans:
        return []
    opens, ends = spans[0][0], spans[-1][1]
    told = {leave for leave in leaves if leave.start < ends and leave.end > opens}

    def explain() -> dict[str, Any]:
        return {
            "window": window.id,
            "date": iso(ordinal),
            "spans": [[calendar.local(edge).isoformat() for edge in span] for span in spans],
            "leave": [x.told(calendar) for x in sorted(told, key=lambda x: (x.start, x.staff, x.end))],
            "calendar": calendar.version,
            "articles": ARTICLES[rule],
        }

    severity: Severity = "notice" if rule == NO_SUBSTITUTE else "yellow"
    return [Claim(rule, severity, opens, opens, opens, ends, ends, False, instance, explain)]


def windows_of_event(event: Event, centre: Centre) -> frozenset[str]:
    """The windows an event of :data:`KINDS` concerns."""
    if event.kind in QUEUE_KINDS:
        return windows_of_ticket(event, centre)
    named = {event.window} if event.window is not None and event.kind.startswith("cover.") else set()
    if not named and event.staff is not None:
        named |= set(windows_of_person(event.staff, centre))
    return frozenset(named)
