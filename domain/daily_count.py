"""A deadline's count day by day, out of a finding's ``explain``, as a person checks it with a calendar. Pure.

Codes, no words: the wall, ``mingjing why`` and the bundle for an inspector say it each in their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

#: Lists are for people: over two years of days nobody checks by hand.
MOST_DAYS = 800
Remark = Literal["first", "counted", "due", "excluded", "rest"]


@dataclass(frozen=True, slots=True)
class DayRow:
    """One date. ``number``: which day of the limit it is, None where it does not count. ``ground``: of what excluded it."""

    day: date
    number: int | None
    remark: Remark
    ground: str | None = None


def expand(days: Sequence[object]) -> list[date]:
    """Dates as the rules write them: ``2026-11-24``, or above 60 of them runs ``2026-11-24/2026-11-30``."""
    found: list[date] = []
    for entry in days:
        first, _, last = str(entry).partition("/")
        begin = date.fromisoformat(first).toordinal()
        end = date.fromisoformat(last).toordinal() if last else begin
        found += [date.fromordinal(ordinal) for ordinal in range(begin, min(end, begin + MOST_DAYS) + 1)]
    return found[:MOST_DAYS]


def excluded_dates(explain: Mapping[str, Any], last: date) -> dict[date, str]:
    """Each date that a suspension took, with its ground."""
    found: dict[date, str] = {}
    entries = explain.get("excluded")
    for entry in entries if isinstance(entries, list) else []:
        run = entry.get("excluded") if isinstance(entry, Mapping) else None
        if isinstance(run, list) and len(run) == 2 and run[0]:
            until = str(run[1] or last.isoformat())
            for day in expand([f"{run[0]}/{until}"]):
                found.setdefault(day, str(entry.get("ground") or ""))
    return found


def day_rows(explain: Mapping[str, Any]) -> list[DayRow]:
    """Every date from the first day to the due day; none where nothing was counted.

    Dates that neither count nor were excluded are rest days and written out: "where did the weekend go" is the first
    question anybody asks.
    """
    try:
        counted = expand(explain.get("counted_days") or [])
        if not counted:
            return []
        first = date.fromisoformat(str(explain.get("first_day_out") or counted[0])[:10])
        due = date.fromisoformat(str(explain.get("due_day") or counted[-1])[:10])
        excluded = excluded_dates(explain, due)
    except ValueError:
        return []
    numbers = {day: number for number, day in enumerate(counted, 1)}
    rows: list[DayRow] = []
    end = max(due, counted[-1]).toordinal()
    for ordinal in range(first.toordinal(), min(end, first.toordinal() + MOST_DAYS) + 1):
        day = date.fromordinal(ordinal)
        if day == first and day not in numbers:
            rows.append(DayRow(day, None, "first"))
        elif day in numbers:
            rows.append(DayRow(day, numbers[day], "due" if day == due else "counted"))
        elif day in excluded:
            rows.append(DayRow(day, None, "excluded", excluded[day]))
        else:
            rows.append(DayRow(day, None, "due" if day == due else "rest"))
    return rows
