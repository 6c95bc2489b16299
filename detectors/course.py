"""The course of a case's clocks: how each suspension, resume and extension moved its deadlines, and ``extension.late``.

Rule 5: an extension adds its days to each limit whose deadline has not passed when it happens; one that comes after the
legal deadline is ignored and found. Licensing Law art. 42.

The contract says "each limit", so a running stage's limit is lengthened too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from detectors.limits import Clock, Due, deadline_of, earlier, explain_due, find_due
from detectors.suspension import Excluded, Suspension, explain_excluded
from detectors.verdict import Claim
from domain.cases import Case, Step
from domain.working_time import Calendar

LATE = "extension.late"
ARTICLE = "行政许可法 art. 42"
MOVERS = frozenset(("case.suspended", "case.resumed", "case.extended"))


@dataclass(frozen=True, slots=True)
class State:
    """The deadlines as known from a moment on; None = no such limit, or unknown while suspended."""

    at: datetime
    index: int
    promised: Due | None
    legal: Due | None


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension that holds, and which clocks it lengthened."""

    step: Step
    days: int
    legal: bool
    promised: bool


@dataclass(slots=True)
class Course:
    """All states from the start to the last event, extensions that hold and those that came too late."""

    legal: Clock | None
    promised: Clock | None
    states: list[State] = field(default_factory=list)
    extensions: list[Extension] = field(default_factory=list)
    late: list[tuple[Step, Due, int]] = field(default_factory=list)

    @property
    def last(self) -> State:
        return self.states[-1]

    def effective(self, state: State) -> Due | None:
        """The deadline that counts as the promised one (rule 9); without a promised limit the legal one."""
        if self.promised is None:
            return state.legal
        if self.legal is None:
            return state.promised
        if state.promised is None or state.legal is None:
            # An open suspension reaches every clock, but an explicit deadline on the first day stands.
            return state.promised or state.legal
        return earlier(state.promised, state.legal)


def follow(
    case: Case,
    start: Step,
    legal: Clock | None,
    promised: Clock | None,
    suspensions: tuple[Suspension, ...],
    calendar: Calendar,
) -> Course:
    """Goes through the case from its start to its stop, and keeps what was known at each step."""
    course = Course(legal, promised)
    added_legal = added_promised = 0
    books = {
        clock: Excluded(suspensions, calendar, deadline_of(clock, calendar))
        for clock in (legal, promised)
        if clock
    }

    def due(clock: Clock | None, upto: int, added: int) -> Due | None:
        return None if clock is None else find_due(clock, calendar, books[clock].runs(upto), added)

    for step in case.running[start.index :]:
        if step is not start and step.kind not in MOVERS:
            continue
        if step.kind == "case.extended" and step is not start:
            # The states before this step hold what was known when it happened.
            before, days = course.last, int(step.event.data["days"])
            if before.legal is not None and before.legal.moment < step.at:
                course.late.append((step, before.legal, before.index))
                continue
            to_legal = legal is not None
            to_promised = promised is not None and not (
                before.promised is not None and before.promised.moment < step.at
            )
            added_legal += days if to_legal else 0
            added_promised += days if to_promised else 0
            course.extensions.append(Extension(step, days, to_legal, to_promised))
        course.states.append(
            State(
                step.at,
                step.index,
                due(promised, step.index, added_promised),
                due(legal, step.index, added_legal),
            )
        )
    return course


def judge_extensions(course: Course, suspensions: tuple[Suspension, ...], calendar: Calendar) -> list[Claim]:
    """``extension.late``: asked for after the legal deadline; open and closed at once."""
    return [
        Claim(
            LATE,
            "yellow",
            opened_at=step.at,
            seen_from=step.at,
            due_at=due.moment,
            closed_at=step.at,
            end_seen_from=step.at,
            provisional=due.provisional,
            instance=step.instance,
            explain=partial(_explain, step, due, index, course, suspensions, calendar),
        )
        for step, due, index in course.late
    ]


def _explain(
    step: Step, due: Due, index: int, course: Course, suspensions: tuple[Suspension, ...], calendar: Calendar
) -> dict[str, Any]:
    row = explain_deadline(due, index, course, suspensions, calendar)
    data = step.event.data
    row["extension"] = {
        "event_id": step.event.event_id,
        "at": calendar.local(step.at).isoformat(),
        "days": data["days"],
        "approver": data["approver"][:80] if isinstance(data.get("approver"), str) else None,
    }
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row


def explain_deadline(
    due: Due, index: int, course: Course, suspensions: tuple[Suspension, ...], calendar: Calendar
) -> dict[str, Any]:
    """The count of one deadline as known after step ``index``, with the suspensions and extensions that moved it."""
    row = explain_due(due, calendar)
    deadline = deadline_of(due.clock, calendar)
    row["excluded"] = explain_excluded(suspensions, due.first_day + 1, due.ordinal, index, calendar, deadline)
    is_legal = due.clock is course.legal
    row["extensions"] = [
        {
            "event_id": e.step.event.event_id,
            "at": calendar.local(e.step.at).isoformat(),
            "days": e.days,
        }
        for e in course.extensions
        if e.step.index <= index and (e.legal if is_legal else e.promised)
    ]
    return row
