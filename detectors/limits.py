"""Counting a limit: which date is the last, and at which moment of it the time is up (rules 1–4 and 6).

Licensing Law art. 82 (working days), Civil Code art. 201 (the first day is out) and 203 (the end of business hours).
Pure; ordinals are ``date.toordinal()``, moments are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from domain.centre import Limit
from domain.working_time import Calendar

#: A suspension as known at some moment: [start, end), ``None`` = not known to end.
Span = tuple[datetime, datetime | None]
Run = tuple[int, int | None]
#: Deadline moment of a date.
Deadline = Callable[[int], datetime]

COUNT_ARTICLES = "行政许可法 art. 82; 民法典 art. 201, 203"


@lru_cache(maxsize=1024)
def working_days(days: int) -> Limit:
    """A limit of working days."""
    return Limit(days=days)


@dataclass(frozen=True, slots=True)
class Clock:
    """What is counted: ``limit`` days from ``start``, or an explicit deadline that wins over them (rule 6)."""

    start: datetime
    limit: Limit | None = None
    explicit: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Where a clock ends, as far as is known: ``ordinal`` is the due day, ``moment`` its deadline."""

    clock: Clock
    first_day: int
    ordinal: int
    moment: datetime
    added: int
    runs: tuple[Run, ...]
    provisional: bool
    #: True for an explicit deadline that was left where it stood: nothing was counted.
    stands: bool = False


def excluded_run(span: Span, calendar: Calendar, deadline: Deadline) -> Run | None:
    """Rule 2: the dates of which a suspension takes any moment before the date's own deadline; None if none."""
    start, end = span
    if end is None:
        return first_touched(start, calendar, deadline), None
    if end <= start:
        return None
    first, last = first_touched(start, calendar, deadline), calendar.local_date(end)
    if end <= calendar.day_start(last):
        last -= 1
    return (first, last) if first <= last else None


def add_run(runs: list[Run], run: Run | None) -> None:
    """Adds a run that begins no earlier than the last one, which keeps ``runs`` sorted and disjoint."""
    if run is None:
        return
    if runs:
        first, last = runs[-1]
        if last is None:
            return
        if run[0] <= last + 1:
            runs[-1] = (first, None if run[1] is None else max(last, run[1]))
            return
    runs.append(run)


def first_touched(start: datetime, calendar: Calendar, deadline: Deadline) -> int:
    """The first date a suspension from ``start`` reaches: not the one whose deadline has passed already."""
    first = calendar.local_date(start)
    return first if start < deadline(first) else first + 1


def in_runs(ordinal: int, runs: Sequence[Run]) -> bool:
    return any(first <= ordinal and (last is None or ordinal <= last) for first, last in runs)


def deadline_of(clock: Clock, calendar: Calendar) -> Deadline:
    """The moment that ends each date for a clock: rule 4, or the time of day of an explicit deadline (rule 6)."""
    if clock.explicit is None:
        return calendar.deadline
    local = calendar.local(clock.explicit)
    if _is_midnight(local):
        return lambda ordinal: calendar.day_start(ordinal + 1)
    at = local.time()
    return lambda ordinal: calendar.at_time(ordinal, at)


def _is_midnight(local: datetime) -> bool:
    return not (local.hour or local.minute or local.second or local.microsecond)


def find_due(clock: Clock, calendar: Calendar, runs: Sequence[Run] = (), added: int = 0) -> Due | None:
    """The due day of a clock (rules 3 and 6); None while an open suspension leaves it unknown.

    Args:
        runs: the excluded dates as known, by this clock's own :func:`deadline_of`; sorted, disjoint.
        added: days of the extensions that hold for this clock.
    """
    runs = tuple(runs)
    if clock.explicit is not None:
        return _explicit_due(clock, clock.explicit, calendar, runs, added)
    assert clock.limit is not None
    first_day = calendar.local_date(clock.start)
    days = clock.limit.days + added
    if clock.limit.unit == "working_day":
        ordinal = calendar.nth_working(first_day, days, runs)
    else:
        ordinal = calendar.nth_date(first_day, days, runs)
        if ordinal is not None and not calendar.is_working(ordinal):
            ordinal = calendar.nth_working(ordinal, 1, runs)
    if ordinal is None:
        return None
    provisional = calendar.provisional(first_day + 1, ordinal)
    return Due(clock, first_day, ordinal, calendar.deadline(ordinal), added, runs, provisional)


def _explicit_due(
    clock: Clock, explicit: datetime, calendar: Calendar, runs: tuple[Run, ...], added: int
) -> Due | None:
    """Rule 6. 00:00 is 24:00 of the date before."""
    first_day = calendar.local_date(clock.start)
    local = calendar.local(explicit)
    day = local.toordinal() - (1 if _is_midnight(local) else 0)
    touched = any(
        max(first, first_day + 1) <= day and (last is None or last > first_day) for first, last in runs
    )
    if not touched and not added:
        return Due(clock, first_day, day, explicit, 0, runs, False, stands=True)
    days = calendar.working_between(first_day, day) + added
    ordinal = calendar.nth_working(first_day, days, runs) if days else day
    if ordinal is not None and ordinal <= day:
        ordinal = day
        if day > first_day and in_runs(day, runs):
            ordinal = calendar.nth_working(day, 1, runs)
    if ordinal is None:
        return None
    moment = explicit if ordinal == day else deadline_of(clock, calendar)(ordinal)
    return Due(clock, first_day, ordinal, moment, added, runs, calendar.provisional(first_day + 1, ordinal))


def earlier(promised: Due | None, legal: Due | None) -> Due | None:
    """Rule 9: a promised deadline later than the legal one counts as the legal one."""
    if promised is None or legal is None:
        return promised if legal is None else legal
    return legal if legal.moment < promised.moment else promised


def countable_before(due: Due, days: int, calendar: Calendar) -> int | None:
    """The date ``days`` countable dates before the due day; None if that is not after the first day."""
    every = (
        due.clock.explicit is None and due.clock.limit is not None and due.clock.limit.unit == "calendar_day"
    )
    ordinal = due.ordinal
    while days:
        ordinal -= 1
        if ordinal <= due.first_day:
            return None
        if (every or calendar.is_working(ordinal)) and not in_runs(ordinal, due.runs):
            days -= 1
    return ordinal


def counted_days(due: Due, calendar: Calendar) -> list[int]:
    """Every date that counted, first to last."""
    if due.stands or due.ordinal <= due.first_day:
        return []
    limit = due.clock.limit
    if due.clock.explicit is None and limit is not None and limit.unit == "calendar_day":
        days = [o for o in range(due.first_day + 1, due.ordinal + 1) if not in_runs(o, due.runs)]
        return days[: limit.days + due.added]  # not the rest days over which it went to a working day
    working = calendar.working_days(due.first_day, due.ordinal)
    return [o for o in working if not in_runs(o, due.runs)] if due.runs else working


@lru_cache(maxsize=16_384)
def iso(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def date_list(ordinals: Sequence[int]) -> list[str]:
    """Dates as text; above 60 of them as runs ``from/to``, so that an explanation stays readable."""
    if len(ordinals) <= 60:
        return [iso(o) for o in ordinals]
    runs: list[list[int]] = []
    for o in ordinals:
        if runs and o == runs[-1][1] + 1:
            runs[-1][1] = o
        else:
            runs.append([o, o])
    return [iso(a) if a == b else f"{iso(a)}/{iso(b)}" for a, b in runs]


def explain_due(due: Due, calendar: Calendar) -> dict[str, Any]:
    """What a person needs to count again by hand; stable keys, JSON-ready."""
    row: dict[str, Any] = {
        "start": calendar.local(due.clock.start).isoformat(),
        "first_day_out": iso(due.first_day),
        "due_day": iso(due.ordinal),
        "deadline": calendar.local(due.moment).isoformat(),
        "deadline_at": "explicit" if due.clock.explicit is not None else calendar.deadline_at,
        "extension_days": due.added,
        "counted_days": date_list(counted_days(due, calendar)),
        "calendar": calendar.version,
        "articles": COUNT_ARTICLES,
    }
    if due.clock.explicit is not None:
        row["explicit_deadline"] = calendar.local(due.clock.explicit).isoformat()
        row["stands"] = due.stands
    elif due.clock.limit is not None:
        row["limit"] = {"days": due.clock.limit.days, "unit": due.clock.limit.unit}
    if due.provisional:
        row["unpublished_years"] = calendar.unpublished_years(due.first_day + 1, due.ordinal)
    return row
