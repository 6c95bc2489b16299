"""The referee's calendar: working dates, office hours and the deadline moment of a date (rule 4)."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays as holidays_library

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ONE_DAY = timedelta(days=1)

Json = dict[str, Any]


class Calendar:
    """Which dates are working dates, and the office hours of each."""

    def __init__(self, centre: Json) -> None:
        self.zone = ZoneInfo(centre["centre"]["timezone"])
        self.office_hours = centre["centre"]["office_hours"]
        calendar = centre.get("calendar") or {}
        self.base = calendar.get("base", "CN")
        self.extra_closed = {as_date(d) for d in calendar.get("holidays") or []}
        self.extra_working = {as_date(d) for d in calendar.get("workdays") or []}
        self.deadline_at = ((centre.get("rules") or {}).get("time_limit") or {}).get("deadline_at", "close")
        self._country = None
        if self.base not in ("CN", "none"):
            self._country = holidays_library.country_holidays(self.base)

    @functools.cache
    def is_published(self, day: date) -> bool:
        if self.base == "none":
            return True
        if self.base == "CN":
            try:
                chinese_calendar.is_workday(date(day.year, 6, 1))
            except NotImplementedError:
                return False
            return True
        assert self._country is not None
        return self._country.start_year <= day.year <= self._country.end_year

    @functools.cache
    def is_working(self, day: date) -> bool:
        if day in self.extra_closed:
            return False
        if day in self.extra_working:
            return True
        if self.base == "none" or not self.is_published(day):
            return day.weekday() < 5
        if self.base == "CN":
            return bool(chinese_calendar.is_workday(day))
        assert self._country is not None
        return day.weekday() < 5 and day not in self._country

    def hours(self, day: date) -> list[str]:
        """Office hours; a date whose weekday has none of its own (a make-up day, a rest day) takes Monday's."""
        if isinstance(self.office_hours, list):
            return self.office_hours
        own = self.office_hours.get(WEEKDAYS[day.weekday()])
        return own if own else self.office_hours["mon"]

    def at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            return self.midnight_after(day)
        hour, minute = clock.split(":")
        return datetime.combine(day, time(int(hour), int(minute)), self.zone).astimezone(UTC)

    @functools.cache
    def midnight_before(self, day: date) -> datetime:
        return datetime.combine(day, time(0), self.zone).astimezone(UTC)

    def midnight_after(self, day: date) -> datetime:
        return self.midnight_before(day + ONE_DAY)

    def opening(self, day: date) -> datetime:
        return min(self.at(day, span.split("-")[0]) for span in self.hours(day))

    @functools.cache
    def deadline_moment(self, day: date) -> datetime:
        """Rule 4."""
        if self.deadline_at == "midnight":
            return self.midnight_after(day)
        return max(self.at(day, span.split("-")[1]) for span in self.hours(day))

    def local_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


def as_date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def dates(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
