"""Suspensions (特别程序): their spans (rule 2) and ``suspension.overrun``.

Licensing Law art. 45: the time of hearings, tests and the like is not on the clock, and the applicant is told in
writing how long it will take. What was announced is all that is granted: after it the clock runs again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from detectors.limits import Deadline, Run, add_run, date_list, excluded_run, first_touched, iso
from detectors.verdict import Claim, overdue
from domain.cases import Case, Step
from domain.working_time import Calendar

RULE = "suspension.overrun"
ARTICLE = "行政许可法 art. 45"


@dataclass(frozen=True, slots=True)
class Suspension:
    """One suspension.

    ``used_up``: the moment its announced days are over, None if none were announced; ``counted``: first and last date
    of those days. ``ended_by``: the resume or the stop that ended it, None if none has.
    """

    step: Step
    used_up: datetime | None
    counted: tuple[int, int] | None
    ended_by: Step | None

    def end(self, upto: int) -> datetime | None:
        """Its end as known after the step with index ``upto``; None while it is not known to end."""
        ended = self.ended_by.at if self.ended_by is not None and self.ended_by.index <= upto else None
        if ended is None or self.used_up is None:
            return ended or self.used_up
        return min(ended, self.used_up)


def find_suspensions(case: Case, calendar: Calendar) -> tuple[Suspension, ...]:
    """Every suspension that began before the stop. A resume ends all that are open; so does the stop."""
    found: list[Suspension] = []
    ended_by = case.stop
    for step in reversed(case.running):
        if step.kind == "case.resumed":
            ended_by = step
        if step.kind != "case.suspended":
            continue
        used_up, counted = None, None
        days = step.event.data.get("days")
        if days is not None:
            # Always by the moments of rule 4, for explicit limits too: a suspension has one end.
            first = first_touched(step.at, calendar, calendar.deadline)
            last = calendar.nth_working(first - 1, days)
            if last is not None:
                used_up, counted = calendar.deadline(last), (first, last)
        found.append(Suspension(step, used_up, counted, ended_by))
    return tuple(reversed(found))


class Excluded:
    """The dates a case's suspensions take off one clock, step by step; each finished suspension is looked at once.

    Args:
        suspensions: of the case, in order.
        deadline: the clock's own deadline moments.
    """

    def __init__(self, suspensions: Sequence[Suspension], calendar: Calendar, deadline: Deadline) -> None:
        self._suspensions, self._calendar, self._deadline = suspensions, calendar, deadline
        self._finished: list[Run] = []
        self._next = 0

    def runs(self, upto: int) -> tuple[Run, ...]:
        """The excluded dates as known after the step with index ``upto``; ask with growing steps."""
        while self._next < len(self._suspensions):
            suspension = self._suspensions[self._next]
            if suspension.ended_by is None or suspension.ended_by.index > upto:
                break
            add_run(self._finished, self._run(suspension, upto))
            self._next += 1
        runs = list(self._finished)
        for suspension in self._suspensions[self._next :]:
            if suspension.step.index > upto or (runs and runs[-1][1] is None):
                break
            add_run(runs, self._run(suspension, upto))
        return tuple(runs)

    def _run(self, suspension: Suspension, upto: int) -> Run | None:
        return excluded_run((suspension.step.at, suspension.end(upto)), self._calendar, self._deadline)


def explain_excluded(
    suspensions: Sequence[Suspension],
    first: int,
    last: int,
    upto: int,
    calendar: Calendar,
    deadline: Deadline,
) -> list[dict[str, Any]]:
    """The suspensions that reach into the dates ``first`` to ``last``, as known after step ``upto``."""
    rows = []
    for suspension in suspensions:
        if suspension.step.index > upto:
            continue
        end = suspension.end(upto)
        run = excluded_run((suspension.step.at, end), calendar, deadline)
        if run is not None and run[0] <= last and (run[1] is None or run[1] >= first):
            row = describe_suspension(suspension, calendar)
            row["to"] = None if end is None else calendar.local(end).isoformat()
            row["excluded"] = [iso(run[0]), None if run[1] is None else iso(run[1])]
            rows.append(row)
    return rows


def describe_suspension(suspension: Suspension, calendar: Calendar) -> dict[str, Any]:
    """Ground, begin, announced days and notice, JSON-ready."""
    data = suspension.step.event.data
    row: dict[str, Any] = {
        "ground": data.get("ground"),
        "event_id": suspension.step.event.event_id,
        "from": calendar.local(suspension.step.at).isoformat(),
    }
    if data.get("days") is not None:
        row["announced_days"] = data["days"]
    if isinstance(data.get("notice_no"), str):
        row["notice_no"] = data["notice_no"][:80]
    return row


def judge_suspensions(suspensions: Sequence[Suspension], calendar: Calendar) -> list[Claim]:
    """``suspension.overrun``: the announced days are used up and nobody has resumed; one per suspension."""
    claims: list[Claim] = []
    for suspension in suspensions:
        if suspension.used_up is None or suspension.counted is None:
            continue
        claims += overdue(
            RULE,
            "yellow",
            suspension.used_up,
            suspension.ended_by.at if suspension.ended_by is not None else None,
            provisional=calendar.provisional(*suspension.counted),
            explain=partial(_explain, suspension, calendar),
            instance=suspension.step.instance,
        )
    return claims


def _explain(suspension: Suspension, calendar: Calendar) -> dict[str, Any]:
    first, last = suspension.counted or (1, 0)
    used_up = suspension.used_up
    return {
        **describe_suspension(suspension, calendar),
        "used_up": None if used_up is None else calendar.local(used_up).isoformat(),
        "counted_days": date_list([o for o in range(first, last + 1) if calendar.is_working(o)]),
        "calendar": calendar.version,
        "articles": ARTICLE,
    }
