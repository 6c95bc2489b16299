"""Supervision of supervision, live: which subjects the family ``blind`` watches, and the facts they are judged by.

No event names these subjects. They are looked at when the rules say so (midnight, 1 December), when a camera says that it
is down, and the calendar once an hour, for a case may need a year that nobody has published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from detectors.blind import Report, down_spans, judge_calendar, judge_camera, needed_years
from detectors.camera_clock import CLOCK, clock_spans, said_before
from detectors.camera_picture import FAULTS, unfit_spans
from detectors.production import PRODUCERS, judge_family, produced_by, watched_families
from detectors.verdict import Verdict
from domain.centre import Centre
from domain.findings import Finding
from domain.rules.blind import BlindSettings
from store.blindness import camera_words, findings_by_day, provisional_clocks
from store.connection import Connection
from store.findings import oldest_open
from store.history import events_by_day, staffed_by_day
from store.judging import Due

CALENDAR, RULES, CAMERA = "calendar", "rules", "camera"
#: Kinds of subjects that are watched without any event naming them.
WATCHED = frozenset((CALENDAR, RULES, CAMERA))
#: How often is asked whether a due date needs a year.
EVERY = timedelta(hours=1)
#: How much of a family's past is looked at.
PAST = timedelta(days=400)
#: What a camera said in this time is judged again with every look; nothing comes later (store.observations.LATEST).
RECENT = timedelta(days=2)


def subjects_watched(centre: Centre) -> list[str]:
    """The subjects of a centre that turns the family on; none where it does not."""
    if centre.rules.blind is None:
        return []
    return [
        f"{CALENDAR}:{centre.calendar.base}",
        *(f"{RULES}:{name}" for name in watched_families(centre)),
        *(f"{CAMERA}:{camera.id}" for camera in centre.cameras),
    ]


@dataclass(frozen=True, slots=True)
class Looked:
    """What is said of a watched subject; ``since``: findings that opened before and were not open are not spoken of."""

    verdict: Verdict
    since: datetime | None = None


Look = Callable[[], Looked]


class Oversight:
    """Judges the watched subjects of one centre."""

    def __init__(self, centre: Centre) -> None:
        self._centre, self._code = centre, centre.centre.id
        self._watched = frozenset(subjects_watched(centre))

    def look(
        self,
        connection: Connection,
        dues: Sequence[Due],
        stored: Mapping[str, Sequence[Finding]],
        now: datetime,
    ) -> dict[str, Look]:
        """For each claimed row, whoever says what is found; of what is not watched (any more) nothing is.

        Args:
            stored: all findings of each subject.
        """
        found: dict[str, Look] = {due.name: lambda: Looked(Verdict((), None)) for due in dues}
        watched = [due for due in dues if due.name in self._watched]
        rules = [due for due in watched if due.name.startswith(f"{RULES}:")]
        cameras = [due for due in watched if due.name.startswith(f"{CAMERA}:")]
        for due in watched:
            if due.name.startswith(f"{CALENDAR}:"):
                found[due.name] = self._calendar(connection, stored[due.name], now)
        if rules:
            found |= self._families(connection, rules, stored, now)
        if cameras:
            found |= self._cameras(connection, cameras, stored, now)
        return found

    def _calendar(self, connection: Connection, said: Sequence[Finding], now: datetime) -> Look:
        clocks = provisional_clocks(connection, self._code, self._centre.centre.timezone)

        def look() -> Looked:
            verdict = judge_calendar(self._centre, now, needed_years(clocks, self._centre), said)
            look_at = min(now + EVERY, verdict.look_at or now + EVERY)
            return Looked(replace(verdict, look_at=look_at))

        return look

    def _families(
        self,
        connection: Connection,
        dues: Sequence[Due],
        stored: Mapping[str, Sequence[Finding]],
        now: datetime,
    ) -> dict[str, Look]:
        calendar = self._centre.working_time
        since = calendar.day_start(calendar.local_date(now - PAST))
        events = {
            (each.day.toordinal(), each.kind): each.number
            for each in events_by_day(connection, self._code, since, now)
        }
        findings = findings_by_day(connection, self._code, since, self._centre.centre.timezone)
        names = {due.name: due.name.partition(":")[2] for due in dues}
        looks: dict[int, int] = {}
        if any(not PRODUCERS[name].kinds for name in names.values()):
            shares = staffed_by_day(connection, self._code, since, now)
            looks = {each.day.toordinal(): each.valid for each in shares if each.day is not None}

        def look(due: Due) -> Looked:
            name = names[due.name]
            produced = produced_by(name, events, findings, looks)
            after = due.row["judged_at"]
            return Looked(judge_family(name, produced, self._centre, now, stored[due.name], after))

        return {due.name: partial(look, due) for due in dues}

    def _cameras(
        self,
        connection: Connection,
        dues: Sequence[Due],
        stored: Mapping[str, Sequence[Finding]],
        now: datetime,
    ) -> dict[str, Look]:
        oldest = oldest_open(connection, self._code, [due.subject for due in dues])
        since: dict[str, datetime] = {}
        for due in dues:
            reached: datetime = due.row["judged_at"] or now
            since[due.name] = min(reached, now, oldest.get(due.subject, now)) - RECENT
        names = {due.name: due.name.partition(":")[2] for due in dues}
        words = camera_words(connection, self._code, {names[due.name]: since[due.name] for due in dues})

        def look(due: Due) -> Looked:
            camera, begin = names[due.name], since[due.name]
            reports = [Report(*word) for word in words[camera]]
            reports = [*_from_before(stored[due.name], reports), *reports]
            spans = [
                *down_spans(camera, reports),
                *unfit_spans(camera, ((r.at, r.state, r.reason) for r in reports)),
            ]
            told = [(report.at, report.clock_offset) for report in reports] + said_before(stored[due.name])
            limit = (self._centre.rules.blind or BlindSettings()).camera_clock
            verdict = judge_camera(camera, spans, self._centre, now, clock_spans(told, limit))
            kept = tuple(each for each in verdict.findings if each.opened_at >= begin)
            return Looked(replace(verdict, findings=kept), begin)

        return {due.name: partial(look, due) for due in dues}


def _from_before(stored: Sequence[Finding], reports: Sequence[Report]) -> list[Report]:
    """Since when a camera has been down of which raw rows no longer say it."""
    first = min((each.at for each in reports), default=None)
    found = []
    for each in stored:
        if each.state == "open" and each.rule != CLOCK and isinstance(each.explain.get("since"), str):
            at = datetime.fromisoformat(each.explain["since"])
            if first is None or at < first:
                state = "present" if each.rule in FAULTS.values() else "unknown"
                found.append(Report(at, state, each.explain.get("reason")))
    return found


def of_interest(stored: Sequence[Finding], looked: Looked) -> list[Finding]:
    """The stored findings that a look speaks of."""
    if looked.since is None:
        return list(stored)
    return [each for each in stored if each.state == "open" or each.opened_at >= looked.since]


__all__ = ["WATCHED", "Look", "Oversight", "of_interest", "subjects_watched"]
