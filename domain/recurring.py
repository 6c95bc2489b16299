"""Hours that come again on the legal calendar: "working days 18:00 to 08:00", "rest days", "mon 12:00-13:30". Pure.

Used by silences, quiet hours and rosters of duty: one meaning of a day, and of hours over midnight, for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from domain.model import Model
from domain.working_time import WEEKDAYS, Calendar

#: A day of the week as the calendar on the wall has it, or what the legal calendar makes of a date (make-up days included).
DayKind = Literal["working", "rest", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_SPAN = re.compile(r"\s*(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)\s*")
#: Longest run of covered days that is followed to its end.
_MOST_DAYS = 400


def parse_span(text: str) -> tuple[int, int]:
    """``"18:00-08:00"`` → minutes from local midnight; an end at or before the begin is on the next date.

    Raises:
        ValueError: it is no span of a day.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not of the form HH:MM-HH:MM")
    h1, m1, h2, m2 = map(int, match.groups())
    begin, end = h1 * 60 + m1, h2 * 60 + m2
    if m1 > 59 or m2 > 59 or begin >= 1440 or end > 1440:
        raise ValueError(f"'{text}' is not a time of day")
    if begin == end:
        raise ValueError(f"'{text}' ends where it begins; the whole day is 00:00-24:00")
    return begin, end if end > begin else end + 1440


def _span(text: str) -> str:
    parse_span(text)
    return text


#: Hours of a day, also over midnight; those belong to the date on which they begin.
HourSpan = Annotated[str, AfterValidator(_span)]


class Recurring(Model):
    """Days and hours that come again. No days: every day; no hours: the whole day."""

    days: tuple[DayKind, ...] = ()
    hours: tuple[HourSpan, ...] = ()

    def covers(self, at: datetime, calendar: Calendar) -> bool:
        """Whether a moment lies in it; an end is outside."""
        return any(begin <= at < end for begin, end in self._spans_near(at, calendar))

    def until(self, at: datetime, calendar: Calendar) -> datetime | None:
        """When the run of covered time that holds ``at`` ends; ``at`` itself outside of it; None: it has no end.

        Runs that touch are one: of a working day's evening and the rest day after it the end is the end of both.
        """
        end = at
        first = calendar.local_date(at)
        while calendar.local_date(end) - first <= _MOST_DAYS:
            longest = max((b for a, b in self._spans_near(end, calendar) if a <= end < b), default=end)
            if longest == end:
                return end
            end = longest
        return None

    def next(self, at: datetime, calendar: Calendar) -> datetime | None:
        """When covered time begins (``at`` itself inside of it); None: not within a year."""
        first = calendar.local_date(at)
        for ordinal in range(first - 1, first + _MOST_DAYS):
            later = [max(a, at) for a, b in self.spans_on(ordinal, calendar) if b > at]
            if later:
                return min(later)
        return None

    def _spans_near(self, at: datetime, calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
        date = calendar.local_date(at)
        yield from self.spans_on(date - 1, calendar)
        yield from self.spans_on(date, calendar)

    def spans_on(self, ordinal: int, calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
        """The spans that begin on a date."""
        if not self._is_day(ordinal, calendar):
            return
        for begin, end in [parse_span(each) for each in self.hours] or [(0, 1440)]:
            yield calendar.at_minute(ordinal, begin), calendar.at_minute(ordinal, end)

    def _is_day(self, ordinal: int, calendar: Calendar) -> bool:
        if not self.days or WEEKDAYS[(ordinal + 6) % 7] in self.days:
            return True
        return ("working" if calendar.is_working(ordinal) else "rest") in self.days


__all__ = ["DayKind", "HourSpan", "Recurring", "parse_span"]
