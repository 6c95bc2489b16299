"""The profile ``hunan-2018``: the time limits of a case by the arithmetic of Hunan's platform (P1, 2018).

Used = elapsed working days on the four-point clock, rounded up. Warning when used − promised ≥ −2, yellow when ≥ 1, red when
used − legal ≥ 1; one second over counts. A special procedure moves the deadlines back by the days applied for.

It reddens on the morning of the last lawful day, for it counts the first day and ends at the clock time of the start; so every
explanation shows the statutory count beside its own. What the documents leave open, and the reading taken:

* It is documented for working days. A case with an explicit deadline, or a limit in calendar days, keeps the statutory count.
* A special procedure without announced days stops the clock from its begin to its resume.
* Of one that began before the acceptance, what is left of it counts.
* What begins after a deadline has passed does not move it (as rule 5 has it for extensions): an open card stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.course import MOVERS, Course, explain_deadline
from detectors.limits import date_list, iso
from detectors.office_clock import OfficeClock
from detectors.suspension import RULE as OVERRUN
from detectors.suspension import Suspension, describe_suspension
from detectors.time_limit import LEGAL, NOTICE, PROMISED
from detectors.verdict import Claim
from domain.cases import Case, Step
from domain.centre import Centre, Limit
from domain.findings import Severity
from domain.working_time import Calendar

PROFILE = "hunan-2018"
ENDING, OVERRUN_RED = "suspension.ending", "suspension.overrun_red"
ARTICLE = "湖南电子监察平台 2018 (P1)"
ARITHMETIC = "used = elapsed working days, rounded up; over from used - limit >= 1"


@dataclass(frozen=True, slots=True)
class Mark:
    """A deadline by the profile: reached at ``due``, over from ``passed`` on. ``goal``: its position on the clock."""

    goal: Fraction
    due: datetime
    passed: datetime


@dataclass(frozen=True, slots=True)
class ProfileState:
    """The deadlines as known from a moment on; None = no such limit, or unknown while the clock stands."""

    at: datetime
    promised: Mark | None
    legal: Mark | None


@dataclass(slots=True)
class _Account:
    """One limit while the case is followed."""

    limit: Limit
    goal: Fraction
    stopped_at: Fraction | None = None
    moved: list[tuple[Step, Fraction]] = field(default_factory=list)

    def move(self, step: Step, days: Fraction) -> None:
        self.goal += days
        self.moved.append((step, days))


@dataclass(slots=True)
class ProfileCourse:
    """All states of a case under the profile, from its start on."""

    clock: OfficeClock
    start: Step
    legal: _Account | None
    promised: _Account | None
    states: list[ProfileState] = field(default_factory=list)

    @property
    def last(self) -> ProfileState:
        return self.states[-1]

    def effective(self, state: ProfileState) -> Mark | None:
        """Rule 9: a promised deadline later than the legal one counts as the legal one."""
        marks = [mark for mark in (state.promised, state.legal) if mark is not None]
        return min(marks, key=lambda mark: mark.goal, default=None)


def follow_profile(case: Case, start: Start, course: Course, centre: Centre) -> ProfileCourse | None:
    """The case's deadlines by the profile; None where it is off or does not speak of this case."""
    if centre.rules.time_limit.profile != PROFILE:
        return None
    clocks = [clock for clock in (course.legal, course.promised) if clock is not None]
    if not clocks or any(clock.limit is None or clock.limit.unit != "working_day" for clock in clocks):
        return None
    clock = OfficeClock(start.step.at, centre.working_time)

    def account(limit: Limit | None) -> _Account | None:
        return None if limit is None else _Account(limit, clock.start + limit.days)

    made = ProfileCourse(
        clock,
        start.step,
        account(course.legal.limit if course.legal else None),
        account(course.promised.limit if course.promised else None),
    )
    _open_at_start(made, case, start.step, centre.working_time)
    for step in case.running[start.step.index :]:
        if step is start.step or step.kind in MOVERS:
            if step is not start.step:
                _move(made, step)
            made.states.append(ProfileState(step.at, _mark(made.promised, clock), _mark(made.legal, clock)))
    return made


def _open_at_start(made: ProfileCourse, case: Case, start: Step, calendar: Calendar) -> None:
    """Of a special procedure that began before the acceptance and goes on, what is left counts."""
    going_on: list[Step] = []
    for step in case.running[: start.index]:
        if step.kind == "case.resumed":
            going_on.clear()
        elif step.kind == "case.suspended":
            going_on.append(step)
    for step in going_on:
        days = step.event.data.get("days")
        own = OfficeClock(step.at, calendar)
        left = None if days is None else max(Fraction(0), own.start + days - own.position(start.at))
        for account in (made.legal, made.promised):
            if account is None:
                continue
            if left is None:
                account.stopped_at = made.clock.start
            elif left:
                account.move(step, left)


def _move(made: ProfileCourse, step: Step) -> None:
    """What a suspension, resume or extension does to each limit that has not passed when it happens."""
    before, here = made.last, made.clock.position(step.at)
    if step.kind == "case.extended" and before.legal is not None and before.legal.passed <= step.at:
        return
    days = step.event.data.get("days")
    for account, mark in ((made.legal, before.legal), (made.promised, before.promised)):
        if account is None:
            continue
        if step.kind == "case.resumed":
            if account.stopped_at is not None:
                account.move(step, here - account.stopped_at)
                account.stopped_at = None
        elif mark is not None and mark.passed <= step.at:
            continue
        elif days is not None:
            account.move(step, Fraction(days))
        elif account.stopped_at is None:
            account.stopped_at = here


def _mark(account: _Account | None, clock: OfficeClock) -> Mark | None:
    if account is None or account.stopped_at is not None:
        return None
    due, passed = clock.reached(account.goal), clock.passed(account.goal)
    return None if due is None or passed is None else Mark(account.goal, due, passed)


# ---- findings -------------------------------------------------------------------------------------------------------


def judge_profile(
    case: Case,
    made: ProfileCourse,
    course: Course,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
) -> list[Claim]:
    """Warning, yellow and red of the case."""
    stop = case.stop.at if case.stop is not None else None
    calendar = centre.working_time

    def explain(mark: Mark, account: _Account | None, upto: datetime) -> dict[str, Any]:
        due = course.last.legal if account is made.legal else course.last.promised
        row = _explain(mark, account, made, upto, calendar)
        row["statutory"] = (
            None if due is None else explain_deadline(due, course.last.index, course, suspensions, calendar)
        )
        return row

    claims: list[Claim] = []
    if made.last.legal is not None:
        why = partial(explain, made.last.legal, made.legal, made.last.at)
        claims += _over(LEGAL, "red", made.last.legal, stop, made.clock, explain=why)
    effective = made.effective(made.last)
    if made.promised is not None and effective is not None:
        why = partial(explain, effective, _account_of(effective, made.last, made), made.last.at)
        claims += _over(PROMISED, "yellow", effective, stop, made.clock, explain=why)
    return claims + _warnings(made, stop, centre.rules.time_limit.notice_before, explain)


def _account_of(mark: Mark, state: ProfileState, made: ProfileCourse) -> _Account | None:
    return made.promised if mark is state.promised else made.legal


def _over(
    rule: str, severity: Severity, mark: Mark, ended: datetime | None, clock: OfficeClock, **more: Any
) -> list[Claim]:
    """Ended before the first second over is in time."""
    if ended is not None and ended < mark.passed:
        return []
    return [
        Claim(
            rule,
            severity,
            opened_at=mark.passed,
            seen_from=mark.passed,
            due_at=mark.due,
            closed_at=ended,
            end_seen_from=ended,
            provisional=_provisional(mark, clock),
            **more,
        )
    ]


def _provisional(mark: Mark, clock: OfficeClock) -> bool:
    return clock.calendar.provisional(clock.first_day, clock.calendar.local_date(mark.passed))


def _warnings(made: ProfileCourse, stop: datetime | None, before: int, explain: Any) -> list[Claim]:
    """One for each effective deadline that stood long enough: used - limit >= -before."""
    claims: list[Claim] = []
    # What several events of one moment did is one change.
    after = [*made.states[1:], None]
    states = [s for s, later in zip(made.states, after, strict=True) if later is None or later.at != s.at]
    for i, state in enumerate(states):
        mark = made.effective(state)
        if mark is None or (i and _same(made.effective(states[i - 1]), mark)):
            continue
        until = next((s.at for s in states[i + 1 :] if not _same(made.effective(s), mark)), stop)
        goal = mark.goal - (before + 1)
        warn = made.start.at if goal < made.clock.start else made.clock.passed(goal)
        if warn is None:
            continue
        opened = max(state.at, warn)
        if opened >= mark.passed or (until is not None and opened >= until):
            continue
        by_yellow = until is None or until >= mark.passed
        closed = mark.passed if by_yellow else until
        claims.append(
            Claim(
                NOTICE,
                "notice",
                opened_at=opened,
                seen_from=opened,
                due_at=mark.due,
                closed_at=closed,
                end_seen_from=closed,
                provisional=_provisional(mark, made.clock),
                explain=partial(explain, mark, _account_of(mark, state, made), state.at),
            )
        )
    return claims


def _same(one: Mark | None, other: Mark | None) -> bool:
    return (one.goal if one else None) == (other.goal if other else None)


def _explain(
    mark: Mark, account: _Account | None, made: ProfileCourse, upto: datetime, calendar: Calendar
) -> dict[str, Any]:
    clock = made.clock
    row: dict[str, Any] = {
        "profile": PROFILE,
        "arithmetic": ARITHMETIC,
        "start": calendar.local(made.start.at).isoformat(),
        "started_by": {"kind": made.start.kind, "event_id": made.start.event.event_id},
        "deadline": calendar.local(mark.due).isoformat(),
        "over_from": calendar.local(mark.passed).isoformat(),
        "due_day": iso(calendar.local_date(mark.due)),
        "calendar": calendar.version,
        "articles": ARTICLE,
    }
    if account is not None:
        row["limit"] = {"days": account.limit.days, "unit": account.limit.unit}
        row["moved_back"] = [
            {"event_id": step.event.event_id, "kind": step.kind, "days": round(float(days), 4)}
            for step, days in account.moved
            if step.at <= upto
        ]
        row |= full_days(clock, mark.goal)
    return row


def full_days(clock: OfficeClock, goal: Fraction) -> dict[str, Any]:
    """The date on which each day of the count was full, and the first 60 moments."""
    count = int(goal - clock.start)
    moments = [m for m in (clock.reached(clock.start + day) for day in range(1, count + 1)) if m is not None]
    dates = [clock.calendar.local_date(moment) for moment in moments]
    row: dict[str, Any] = {
        "counted_days": date_list(dates),
        "days_full": [clock.calendar.local(moment).isoformat() for moment in moments[:60]],
    }
    if clock.first_day not in dates:
        row["first_day_out"] = iso(clock.first_day)
    return row


def judge_special_procedures(suspensions: tuple[Suspension, ...], centre: Centre) -> list[Claim]:
    """A special procedure: warning 2 days before the applied days end, yellow when over, red when over by more than a day."""
    calendar, before = centre.working_time, centre.rules.time_limit.notice_before
    claims: list[Claim] = []
    for suspension in suspensions:
        days = suspension.step.event.data.get("days")
        if days is None:
            continue
        step, clock = suspension.step, OfficeClock(suspension.step.at, calendar)
        ended = suspension.ended_by.at if suspension.ended_by is not None else None
        end, grave = (_mark(_Account(Limit(days=n), clock.start + n), clock) for n in (days, days + 1))
        if end is None or grave is None:
            continue

        def explain(
            suspension: Suspension = suspension, mark: Mark = end, clock: OfficeClock = clock
        ) -> dict[str, Any]:
            row = describe_suspension(suspension, calendar)
            used_up, statutory = calendar.local(mark.due).isoformat(), suspension.used_up
            row |= {"profile": PROFILE, "arithmetic": ARITHMETIC, "used_up": used_up, "articles": ARTICLE}
            row |= full_days(clock, mark.goal)
            row["statutory"] = {"used_up": statutory and calendar.local(statutory).isoformat()}
            return row

        more: dict[str, Any] = {"explain": explain, "instance": step.instance}
        goal = end.goal - (before + 1)
        warn = step.at if goal < clock.start else clock.passed(goal)
        if warn is not None and max(warn, step.at) < end.passed and (ended is None or warn < ended):
            closed = end.passed if ended is None else min(ended, end.passed)
            opened = max(warn, step.at)
            claims.append(
                Claim(
                    ENDING,
                    "notice",
                    opened,
                    opened,
                    end.due,
                    closed,
                    closed,
                    _provisional(end, clock),
                    **more,
                )
            )
        claims += _over(OVERRUN, "yellow", end, ended, clock, **more)
        claims += _over(OVERRUN_RED, "red", grave, ended, clock, **more)
    return claims
