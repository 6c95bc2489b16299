"""A limit beside the case's own: from a step of the case, with its suspensions and extensions; or plain working days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detectors.course import Course
from detectors.hunan import ARITHMETIC, PROFILE, full_days
from detectors.limits import Clock, Due, explain_due, find_due, iso, working_days
from detectors.office_clock import OfficeClock
from detectors.suspension import Excluded, Suspension, explain_excluded
from detectors.verdict import TICK, Claim
from domain.cases import Case, Step
from domain.centre import Centre
from domain.findings import Severity
from domain.working_time import Calendar


def find_own_due(
    clock: Clock,
    since: Step,
    case: Case,
    course: Course | None,
    suspensions: tuple[Suspension, ...],
    calendar: Calendar,
    most: int | None = None,
) -> Due | None:
    """Where a clock from ``since`` ends: an extension adds its days if the limit has not passed when it happens (rule 5).

    ``most``: what extensions may add in all.
    """
    added = 0
    excluded = Excluded(suspensions, calendar, calendar.deadline)
    for extension in course.extensions if course is not None else ():
        if extension.step.index < since.index:
            continue
        known = find_due(clock, calendar, excluded.runs(extension.step.index), added)
        if known is None or known.moment >= extension.step.at:
            added += extension.days if most is None else min(extension.days, most - added)
    return find_due(clock, calendar, excluded.runs(len(case.running)), added)


def explain_own_due(
    due: Due, since: Step, case: Case, suspensions: tuple[Suspension, ...], calendar: Calendar
) -> dict[str, Any]:
    """The count, what started it, and the suspensions that moved it."""
    row = explain_due(due, calendar)
    row["started_by"] = {"kind": since.kind, "event_id": since.event.event_id}
    row["excluded"] = explain_excluded(
        suspensions, due.first_day + 1, due.ordinal, len(case.running), calendar, calendar.deadline
    )
    return row


@dataclass(frozen=True, slots=True)
class Deadline:
    """``passed``: the first moment that is too late."""

    due: datetime
    opened: datetime
    passed: datetime
    provisional: bool
    explain: Callable[[], dict[str, Any]]


def days_from(start: datetime, days: int, centre: Centre) -> Deadline | None:
    """So many working days after a moment: by the law's count, or by the profile's clock where the centre has one."""
    calendar = centre.working_time
    if centre.rules.time_limit.profile == PROFILE:
        clock = OfficeClock(start, calendar)
        reached, passed = clock.reached(clock.start + days), clock.passed(clock.start + days)
        if reached is None or passed is None:
            return None

        def by_profile() -> dict[str, Any]:
            return {
                "profile": PROFILE,
                "arithmetic": ARITHMETIC,
                "start": calendar.local(start).isoformat(),
                "limit": {"days": days, "unit": "working_day"},
                "deadline": calendar.local(reached).isoformat(),
                "due_day": iso(calendar.local_date(reached)),
                **full_days(clock, clock.start + days),
                "calendar": calendar.version,
                "articles": "",
            }

        provisional = calendar.provisional(clock.first_day, calendar.local_date(passed))
        return Deadline(reached, passed, passed, provisional, by_profile)
    due = find_due(Clock(start, working_days(days)), calendar)
    if due is None:
        return None
    return Deadline(
        due.moment, due.moment, due.moment + TICK, due.provisional, lambda: explain_due(due, calendar)
    )


def too_late(
    rule: str,
    severity: Severity,
    deadline: Deadline,
    ended: datetime | None,
    article: str,
    closed: datetime | None = None,
    **facts: Any,
) -> list[Claim]:
    """The claim that nothing came before ``passed``. ``closed``: an earlier end than ``ended``, where another grade takes over."""
    if ended is not None and ended < deadline.passed:
        return []

    def explain() -> dict[str, Any]:
        row = deadline.explain() | facts
        row["articles"] = "; ".join(part for part in (article, row["articles"]) if part)
        return row

    ends = [moment for moment in (ended, closed) if moment is not None]
    end = min(ends, default=None)
    return [
        Claim(
            rule,
            severity,
            opened_at=deadline.opened,
            seen_from=deadline.passed,
            due_at=deadline.due,
            closed_at=end,
            end_seen_from=end,
            provisional=deadline.provisional,
            explain=explain,
        )
    ]


def at_once(
    rule: str,
    severity: Severity,
    step: Step,
    centre: Centre,
    article: str,
    due_at: datetime | None = None,
    **facts: Any,
) -> Claim:
    """A fact that needs no clock: open and closed with its event."""

    def explain() -> dict[str, Any]:
        moment = centre.working_time.local(step.at).isoformat()
        event = {"event_id": step.event.event_id, "kind": step.kind, "at": moment}
        return {"event": event, **facts, "articles": article}

    return Claim(
        rule, severity, step.at, step.at, due_at, step.at, step.at, instance=step.instance, explain=explain
    )
