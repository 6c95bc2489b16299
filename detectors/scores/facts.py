"""What scores know of a case, a finding, a rating: a few words each, made from events by the rules' own clocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from detectors.acceptance import Start, find_start
from detectors.course import Course, follow
from detectors.limits import Due, counted_days, in_runs
from detectors.suspension import find_suspensions
from detectors.time_limit import clocks_of
from domain.cases import Case, fold_case
from domain.centre import Centre
from domain.events import Event
from domain.working_time import Calendar

#: How a case ended. ``voided`` (作废) and ``returned`` (退窗) are ``data.result`` of ``case.closed``.
Outcome = Literal["finished", "refused", "withdrawn", "voided", "returned"]
#: What stands apart: in neither numerator nor denominator, with a number of its own.
APART: tuple[Outcome, ...] = ("refused", "withdrawn", "voided", "returned")
#: (case, centre) → good outcomes that rest on data entered late: ``on_time``, ``early``, ``same_day``.
Uncounted = Callable[[Case, Centre], Iterable[str]]


@dataclass(frozen=True, slots=True)
class CaseFact:
    """One case as of a moment.

    ``outcome``: None while it runs. ``promised_due``, ``legal_due``: None = no such limit, or not known while suspended.
    ``used``: share of the legal limit (without one, of the promised) used up at the stop, 1.0 = the last day.
    ``early``: stopped on a date before the promised due day. ``late_entered``: good outcomes that nobody may count.
    ``gaps``: what a finished case does not tell: ``accepted``, ``item``, ``window``, ``staff``. ``as_of``: up to when it is told;
    None = to the end of time.
    """

    case: str
    item: str | None = None
    window: str | None = None
    staff: str | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    outcome: Outcome | None = None
    promised_due: datetime | None = None
    legal_due: datetime | None = None
    used: float | None = None
    early: bool = False
    same_day: bool = False
    provisional: bool = False
    late_entered: frozenset[str] = frozenset()
    gaps: frozenset[str] = frozenset()
    as_of: datetime | None = None

    @property
    def apart(self) -> bool:
        return self.outcome in APART

    def fate(self, due: datetime | None) -> tuple[datetime, bool] | None:
        """When it was decided whether a deadline was kept, and whether it was; None while open, or apart.

        A deadline that passes decides at that moment: waiting does not make a rate better.
        """
        if due is None:
            return None
        stop = self.stopped_at
        if stop is not None and stop <= due:
            return None if self.apart else (stop, True)
        if self.as_of is not None and self.as_of <= due:
            return None
        return (due if self.started_at is None else max(due, self.started_at)), False


@dataclass(frozen=True, slots=True)
class FindingFact:
    """One finding. Revoked ones cost nothing and are counted; ``appealed``: counts, and is marked pending."""

    finding_id: str
    rule: str
    severity: str
    opened_at: datetime
    case: str | None = None
    item: str | None = None
    window: str | None = None
    revoked: bool = False
    appealed: bool = False
    staff: str | None = None


@dataclass(frozen=True, slots=True)
class RatingFact:
    """One rating; ``default``: the system's own, in a citizen's place (E4)."""

    at: datetime
    level: int
    default: bool = False
    case: str | None = None
    item: str | None = None
    window: str | None = None
    staff: str | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at seats: how many were due, how many saw anything, how many saw somebody."""

    expected: int
    valid: int
    seen: int


def _none(case: Case, centre: Centre) -> Iterable[str]:
    return ()


def case_fact(
    events: Iterable[Event], centre: Centre, as_of: datetime, uncounted: Uncounted = _none
) -> CaseFact | None:
    """The fact of one case; None where nothing has happened by then. Depends on the set of events only.

    Args:
        centre: limits and calendar in force at the case's start (rule 9).
        as_of: events after it are not taken.
        uncounted: which good outcomes rest on data entered late.
    """
    case = fold_case(events, as_of)
    if not case.steps:
        return None
    calendar, stop = centre.working_time, case.stop
    start, _ = find_start(case, centre, as_of)
    course = _course(case, start, centre)
    promised = course.effective(course.last) if course is not None else None
    legal = course.last.legal if course is not None else None
    outcome = _outcome(case)
    item = case.item_at(start.step if start is not None else case.steps[-1])
    window = case.window_at(stop.at if stop is not None else as_of)
    staff = next((s.event.staff for s in reversed(case.running) if s.event.staff is not None), None)
    limit = legal or promised
    told: Mapping[str, bool] = {
        "accepted": start is not None,
        "item": item is not None and (not centre.items or item in centre.item_by_code),
        "window": window is not None,
        "staff": staff is not None,
    }
    stopped = calendar.local_date(stop.at) if stop is not None else None
    return CaseFact(
        case=case.number or "",
        item=item,
        window=window,
        staff=staff,
        started_at=start.step.at if start is not None else None,
        stopped_at=stop.at if stop is not None else None,
        outcome=outcome,
        promised_due=promised.moment if promised is not None else None,
        legal_due=legal.moment if legal is not None else None,
        used=used_share(limit, stopped, calendar) if limit is not None and stopped is not None else None,
        early=promised is not None and stopped is not None and stopped < promised.ordinal,
        same_day=start is not None and stopped == calendar.local_date(start.step.at),
        provisional=any(due is not None and due.provisional for due in (promised, legal)),
        late_entered=frozenset(uncounted(case, centre)),
        gaps=frozenset(name for name, known in told.items() if not known)
        if outcome == "finished"
        else frozenset(),
        as_of=as_of,
    )


def _course(case: Case, start: Start | None, centre: Centre) -> Course | None:
    if start is None:
        return None
    legal, promised = clocks_of(case, start, centre)
    suspensions = find_suspensions(case, centre.working_time)
    return follow(case, start.step, legal, promised, suspensions, centre.working_time)


def _outcome(case: Case) -> Outcome | None:
    if case.stop is None:
        return None
    for step in case.steps:
        # A case that was decided and then voided is void.
        result = step.event.data.get("result")
        if step.kind == "case.closed" and result in ("voided", "returned"):
            return "voided" if result == "voided" else "returned"
    ends: dict[str, Outcome] = {"case.refused": "refused", "case.withdrawn": "withdrawn"}
    return ends.get(case.stop.kind, "finished")


def used_share(due: Due, stopped: int, calendar: Calendar) -> float | None:
    """Days used up to the date ``stopped`` (an ordinal), of the days the limit gives; 0 on the first day (Civil Code art.
    201: it is out), over 1 when overdue. None for a limit of no day."""
    days = (
        calendar.working_between(due.first_day, due.ordinal)
        if due.stands
        else len(counted_days(due, calendar))
    )
    limit = due.clock.limit
    every = due.clock.explicit is None and limit is not None and limit.unit == "calendar_day"
    dates: Iterable[int] = (
        range(due.first_day + 1, stopped + 1) if every else calendar.working_days(due.first_day, stopped)
    )
    used = sum(not in_runs(day, due.runs) for day in dates)
    return used / days if days else None


def rating_fact(event: Event, default_channels: Iterable[str] = ()) -> RatingFact:
    """Of a ``rating.given``."""
    data = event.data
    default = data.get("default") is True or data.get("channel") in tuple(default_channels)
    return RatingFact(
        event.occurred_at, data["level"], default, event.case, event.item, event.window, event.staff
    )


__all__ = [
    "APART", "CaseFact", "FindingFact", "Looks", "Outcome", "RatingFact", "Uncounted", "case_fact", "rating_fact",
    "used_share",
]  # fmt: skip
